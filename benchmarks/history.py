"""What the history costs: filling it, every question that the status page asks, and the loop's share of a request.

    python benchmarks/history.py [--rows 1000000] [--file PATH]

Fills a file through the code that writes it in the program, with a month of requests (four providers, some failures,
subagents, many sessions), and asks each question some times. A file that is there already is asked as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from ccproxy_tray.config.schema import History
from ccproxy_tray.errors import Fault
from ccproxy_tray.history.entry import Entry, entry
from ccproxy_tray.history.query import FAILED, By, Query
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.recorder import FILE, Recorder
from ccproxy_tray.history.store import Store
from ccproxy_tray.journal.events import Ended, Exhausted, FellBack, Served
from ccproxy_tray.routing.origin import Kind, Origin
from ccproxy_tray.routing.story import Attempt, Result, Story, Tokens
from ccproxy_tray.routing.target import Target

DAYS = 30
LIMIT_MS = 200.0
"""What the page may take for a question."""
BATCH = 5000
EVERYTHING = History(retention_days=0, max_megabytes=0)
MODELS = ("claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001", "claude-opus-4-5-20251101", "claude-sonnet-4-6")
TOOLS = ("Bash", "Read", "Edit", "Grep", "Glob", "Task", "TodoWrite", "WebFetch")
HOUR = 3600


def events(rows: int, end: float, seed: int = 1) -> Iterator[Ended]:
    """A month of requests that ends at ``end``, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - made-up requests
    sessions = [f"{chance.getrandbits(128):032x}" for _ in range(40)]
    for number in range(rows):
        if chance.random() < 0.02:
            sessions[chance.randrange(len(sessions))] = f"{chance.getrandbits(128):032x}"
        at = end - DAYS * 24 * HOUR * (1 - number / rows)
        yield _ended(chance, f"req_{round(at * 1000):012x}{chance.getrandbits(48):012x}", at, chance.choice(sessions))


def _ended(chance: random.Random, request_id: str, at: float, session: str) -> Ended:
    model = chance.choices(MODELS, (50, 35, 10, 5))[0]
    targets = (
        Target("bedrock", f"us.anthropic.{model}-v1:0", chance.choice(("us-east-1", "us-west-2"))),
        Target("openrouter", f"anthropic/{model}"),
        Target("anthropic", model),
        Target("team", model),
    )
    kind = chance.choices(tuple(Kind), (60, 25, 15))[0]
    agent = f"agent-{session[:6]}-{chance.randrange(5)}" if kind is Kind.SUBAGENT else ""
    origin = Origin(session, agent, "claude-cli/2.1.330", kind)
    tries: tuple[Attempt, ...]
    if chance.random() < 0.01:
        tries = (Attempt(targets[0], 0.0, 0.3, None, 429, Fault.THROTTLED, "Too many requests, please wait"),)
        story = Story(request_id, model, tries, ((targets[1], "no credentials"),), origin, True, 0.3)
        return Exhausted(at, story, 429, "All targets are rate limited; the first is back in 37 s.")
    seconds, first = chance.uniform(1, 60), chance.lognormvariate(0.3, 0.6)
    tokens = Tokens(chance.randrange(5000), chance.randrange(4000), chance.randrange(150_000), chance.randrange(9000))
    cost = None if chance.random() < 0.1 else tokens.input * 3e-6 + tokens.output * 15e-6
    result = Result(tokens, cost, "end_turn", tuple(chance.choices(TOOLS, k=chance.randrange(4))))
    chosen = chance.choices(targets, (60, 20, 15, 5))[0]
    if chance.random() < 0.1:
        failed = Attempt(targets[0], 0.0, 0.2, None, 429, Fault.THROTTLED, "Too many requests", 37.0)
        tries = (failed, Attempt(targets[1], 0.2, seconds, first, 200))
        return FellBack(at, Story(request_id, model, tries, (), origin, True, seconds + 0.2, result))
    return Served(
        at, Story(request_id, model, (Attempt(chosen, 0.0, seconds, first, 200),), (), origin, True, seconds, result)
    )


def fill(path: Path, rows: int, end: float) -> float:
    """Write them; the seconds that took, without making them up."""
    store = Store(path)
    batch: list[Entry] = []
    spent, done = 0.0, 0
    for event in events(rows, end):
        batch.append(entry(event, str))
        if len(batch) == BATCH or done + len(batch) == rows:
            began = time.perf_counter()
            store.write(batch, EVERYTHING)
            spent += time.perf_counter() - began
            done += len(batch)
            batch = []
            print(f"\r{done} of {rows} rows", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    store.close()
    return spent


def questions(reader: Reader, end: float) -> dict[str, Callable[[], object]]:
    """Everything that the page asks, and what is hard to answer."""
    latest = reader.requests(Query(), 100)
    middle = reader.requests(Query(until=end - 15 * 24 * HOUR), 100)
    one = latest.rows[50]
    day, week = ([end - n * step * HOUR for n in range(count, -1, -1)] for count, step in ((24, 1), (7, 24)))
    month = [end - n * 24 * HOUR for n in range(30, -1, -1)]
    india = [edge - 1800 for edge in month]

    def page(query: Query, before: str | None = None) -> Callable[[], object]:
        return lambda: reader.requests(query, 100, before)

    return {
        "latest requests": page(Query()),
        "latest 500": lambda: reader.requests(Query(), 500),
        "a page in the middle": page(Query(), middle.next),
        "by provider": page(Query(provider="team")),
        "by provider, model, kind": page(Query(provider="team", model=MODELS[3], kind="background")),
        "failed": page(Query(outcome=FAILED)),
        "failed, nothing found": page(Query(provider="team", outcome=FAILED)),
        "by kind, a week ago": page(Query(kind="main", until=end - 7 * 24 * HOUR)),
        "of a session": page(Query(session=one["session"])),
        "text: a frequent word": page(Query(text="bedrock")),
        "text: the start of a frequent word": page(Query(text="clau")),
        "text: one letter": page(Query(text="c")),
        "text: a rare word": page(Query(text="37")),
        "text: a request's id": page(Query(text=one["id"])),
        "text: the start of an id": page(Query(text=one["id"][:10])),
        "text: no such word": page(Query(text="zebra")),
        "text: frequent words that never meet": page(Query(text="bedrock openrouter anthropic/ team")),
        "text: three starts, nothing found": page(Query(text="cla bed zebra")),
        "text and provider": page(Query(text="claude", provider="team")),
        "text and failed": page(Query(text="sonnet wait", outcome=FAILED)),
        "text and session": page(Query(text="clau", session=one["session"])),
        "text, a week ago": page(Query(text="bash", until=end - 7 * 24 * HOUR)),
        "one request": lambda: reader.request(one["id"]),
        "no such request": lambda: reader.request("req_nobody"),
        "facets": reader.facets,
        "sessions": lambda: reader.sessions(100),
        "usage, day": lambda: reader.usage(day),
        "usage, week": lambda: reader.usage(week),
        "usage, month": lambda: reader.usage(month),
        "usage, month, half an hour off": lambda: reader.usage(india),
        "command: month by provider": lambda: reader.totals(month[0], end, By.PROVIDER),
        "command: month by day": lambda: reader.totals(month[0], end, By.DAY),
    }


def measure(question: Callable[[], object], times: int = 7) -> tuple[float, float]:
    """Milliseconds: the first time, and the median of some more."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        question()
        spent.append((time.perf_counter() - began) * 1000)
    return spent[0], median(spent[1:])


def commits(path: Path, end: float, size: int, times: int) -> float:
    """Milliseconds that a transaction of ``size`` more requests takes: the median."""
    store = Store(path)
    spent = []
    for number in range(times):
        batch = [entry(event, str) for event in events(size, end + number, seed=time.perf_counter_ns())]
        began = time.perf_counter()
        store.write(batch, EVERYTHING)
        while store.tidy(EVERYTHING, end):
            pass
        spent.append((time.perf_counter() - began) * 1000)
    store.close()
    return median(spent)


async def takes(count: int = 5000) -> tuple[float, float]:
    """Microseconds on the loop for each request: the median and the 99th percentile, while the writer writes."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder) / FILE, EVERYTHING, str, print)
        spent = []
        for number, event in enumerate(events(count, time.time())):
            began = time.perf_counter()
            recorder.take(event)
            spent.append((time.perf_counter() - began) * 1e6)
            if number % 50 == 0:
                await asyncio.sleep(0.005)
        await recorder.close()
    spent.sort()
    return median(spent), spent[count * 99 // 100]


def main() -> None:
    """Fill, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.file or Path(folder) / FILE
        end = time.time() // HOUR * HOUR
        if not path.exists():
            spent = fill(path, given.rows, end)
            print(f"{given.rows / spent:.0f} rows/s in transactions of {BATCH}; {path.stat().st_size / 1e6:.0f} MB\n")
        reader = Reader(path)
        end = reader.requests(Query(), 1).rows[0]["time"] // HOUR * HOUR + HOUR
        print("| question | first, ms | median, ms |\n|---|---|---|")
        slow = []
        for name, question in questions(reader, end).items():
            first, usual = measure(question)
            print(f"| {name} | {first:.1f} | {usual:.1f} |", flush=True)
            slow += [name] if usual > LIMIT_MS else []
        single, hundred = commits(path, end, 1, 50), commits(path, end, 100, 20)
        print(f"\nTransaction of 1 request: {single:.1f} ms, of 100: {hundred:.1f} ms")
    usual, rare = asyncio.run(takes())
    print(f"take() on the loop: {usual:.1f} us, 99th percentile {rare:.1f} us")
    print(f"Over {LIMIT_MS:.0f} ms: {', '.join(slow) or 'nothing'}")


if __name__ == "__main__":
    main()
