from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray.config.schema import Config, History, Loaded, Secret, Server
from ccproxy_tray.history.query import Page, Query, Unreadable
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.journal.events import ConfigChanged, HistoryTold
from ccproxy_tray.server import lookup
from ccproxy_tray.server.period import Period, edges
from tests.server.harness import NOW, Client, serving, until

ROW = {"id": "req_1", "time": NOW, "provider": "bedrock", "error": "a canary in an error", "tools": ["canary"]}
NO_SUMS = {
    **dict.fromkeys(("requests", "failed", "fell_back", "input", "output", "cache_read", "cache_write", "unpriced"), 0),
    "cost": 0.0, "p50": None, "p95": None,
}  # fmt: skip
PATHS = ("/status/requests", "/status/facets", "/status/sessions", "/status/usage")


class FakeReader(Reader):
    """Remembers what it was asked, and answers what it is told to."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.asked: list[tuple[object, ...]] = []
        self.threads: set[str] = set()
        self.fault: Exception | None = None
        self.gate: Callable[[], object] = lambda: None

    def _take(self, *question: object) -> None:
        self.asked.append(question)
        self.threads.add(threading.current_thread().name)
        self.gate()
        if self.fault is not None:
            raise self.fault

    def requests(self, query: Query, limit: int, before: str | None = None) -> Page:
        self._take(query, limit, before)
        if before == "bad":
            raise ValueError(before)
        return Page((ROW,), "17.req_1", 1)

    def request(self, request_id: str) -> dict[str, Any] | None:
        self._take(request_id)
        if request_id != "req_1":
            return None
        return {**ROW, "attempts": [], "skipped": [], "body": {"request": "canary", "response": ""}}

    def sessions(self, limit: int, before: str | None = None) -> Page:
        self._take(limit, before)
        return Page(({"session": "s-1", "cost": 0.5},), None, 1)

    def usage(self, edges: Any) -> dict[str, Any]:
        self._take(tuple(edges))
        return {"providers": [{"name": "bedrock"}], "totals": {"requests": 1}}

    def facets(self) -> dict[str, list[str]]:
        self._take()
        return {"providers": ["bedrock"], "models": ["canary"], "outcomes": ["served"], "kinds": ["main"]}


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture
async def client(reader: FakeReader) -> AsyncIterator[Client]:
    async with serving(reader=reader, mask=lambda text: text.replace("canary", "***")) as running:
        yield running


def configured(history: History) -> ConfigChanged:
    return ConfigChanged(NOW, Loaded(Config(history=history), "", MappingProxyType({})))


async def test_requests_come_as_the_reader_gives_them(client: Client, reader: FakeReader) -> None:
    reply = await client.ask("GET", "/status/requests")
    assert reply.json == {
        "enabled": True,
        "problem": "",
        "requests": [{**ROW, "error": "a *** in an error", "tools": ["***"]}],
        "next": "17.req_1",
        "total": 1,
    }
    assert reader.asked == [(Query(), 100, None)]


async def test_every_filter_reaches_the_reader(client: Client, reader: FakeReader) -> None:
    given = {
        "limit": "500", "before": "17.req_1", "q": "429 ümlaut", "provider": "bedrock", "model": "a/b:c",
        "outcome": "fell back", "kind": "subagent", "session": "s 1", "since": "1795000000", "until": "1795000000.5",
    }  # fmt: skip
    assert (await client.ask("GET", f"/status/requests?{urlencode(given)}")).status == 200
    query = Query("429 ümlaut", "bedrock", "a/b:c", "fell back", "subagent", "s 1", 1795000000.0, 1795000000.5)
    assert reader.asked == [(query, 500, "17.req_1")]


async def test_empty_filters_filter_nothing_but_an_empty_provider_is_nobody(client: Client, reader: FakeReader) -> None:
    await client.ask("GET", "/status/requests?q=&outcome=&kind=&session=&since=&until=&before=&provider=&model=")
    assert reader.asked == [(Query(provider="", model=""), 100, None)]


@pytest.mark.parametrize("outcome", ["served", "fell back", "exhausted", "refused", "broke off", "abandoned", "failed"])
async def test_every_outcome_may_be_asked_for(client: Client, reader: FakeReader, outcome: str) -> None:
    assert (await client.ask("GET", f"/status/requests?outcome={quote(outcome)}")).status == 200
    assert reader.asked == [(Query(outcome=outcome), 100, None)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: expected a whole number from 1 to 500, got 0"),
        ("limit=501", "limit: expected a whole number from 1 to 500, got 501"),
        ("limit=", "limit: expected a whole number from 1 to 500, got nothing"),
        ("limit=%D9%A3", "limit: expected a whole number from 1 to 500, got ٣"),
        ("limit=1e2", "limit: expected a whole number from 1 to 500, got 1e2"),
        ("limit=" + "9" * 5000, "limit: expected a whole number from 1 to 500, got " + "9" * 59 + "…"),
        ("limit=1&limit=2", "limit: expected once, got several times"),
        ("before=a%20b", "before: expected the next of an earlier answer, got a b"),
        ("before=bad", "before: expected the next of an earlier answer, got bad"),
        ("q=" + "x" * 201, "q: expected at most 200 printable characters, got " + "x" * 59 + "…"),
        ("q=%00", "q: expected at most 200 printable characters, got \\x00"),
        ("provider=%0A", "provider: expected at most 200 printable characters, got \\n"),
        ("outcome=happy", "outcome: expected served or fell back or exhausted or refused or broke off or abandoned or"),
        ("kind=x", "kind: expected main or subagent or background, got x"),
        ("since=yesterday", "since: expected Unix seconds, got yesterday"),
        ("since=-1", "since: expected Unix seconds, got -1"),
        ("until=nan", "until: expected Unix seconds, got nan"),
        ("until=inf", "until: expected Unix seconds, got inf"),
        ("until=1e5", "until: expected Unix seconds, got 1e5"),
        ("until=999999999999", "until: expected Unix seconds, got 999999999999"),
        ("offset=1", "offset: no such parameter; there are limit, before, q, provider, model, outcome, kind, session,"),
        ("Limit=1", "Limit: no such parameter"),
        ("%1b=1", "\\x1b: no such parameter"),
    ],
)
async def test_a_parameter_that_makes_no_sense_is_named_with_what_was_expected(
    client: Client, query: str, message: str
) -> None:
    status, kind, told = (await client.ask("GET", f"/status/requests?{query}")).error()
    assert (status, kind) == (400, "invalid_request_error")
    assert told.startswith(message)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/status/facets?x=1", "x: no such parameter; there are none"),
        ("/status/requests/req_1?x=1", "x: no such parameter; there are none"),
        ("/status/sessions?q=1", "q: no such parameter; there are limit, before"),
        ("/status/usage?period=year", "period: expected day or week or month, got year"),
    ],
)
async def test_every_route_reads_its_parameters_strictly(client: Client, path: str, message: str) -> None:
    assert (await client.ask("GET", path)).error() == (400, "invalid_request_error", message)


async def test_a_defect_of_the_reader_is_no_fault_of_the_client(client: Client, reader: FakeReader) -> None:
    reader.fault = ValueError("canary")
    status, kind, message = (await client.ask("GET", "/status/requests")).error()
    assert (status, kind) == (500, "api_error")
    assert "canary" not in message


async def test_one_request_comes_with_its_attempts_and_its_body(client: Client, reader: FakeReader) -> None:
    found = (await client.ask("GET", "/status/requests/req_1")).json
    assert (found["id"], found["attempts"], found["body"]["request"]) == ("req_1", [], "***")
    assert reader.asked == [("req_1",)]


@pytest.mark.parametrize("name", ["req_2", "", "a%20b", "..%2fapp.js", "%00", "req_1/", "x" * 201, "%ff", "'--"])
async def test_a_request_that_is_not_there_is_not_found(client: Client, name: str) -> None:
    status, kind, message = (await client.ask("GET", f"/status/requests/{name}")).error()
    assert (status, kind) == (404, "not_found_error")
    assert message.startswith("No such request in the history")


async def test_sessions_facets_and_usage_come_as_the_reader_gives_them(client: Client, reader: FakeReader) -> None:
    assert (await client.ask("GET", "/status/sessions?limit=7&before=x.1")).json == {
        "enabled": True, "problem": "", "sessions": [{"session": "s-1", "cost": 0.5}], "next": None,
    }  # fmt: skip
    assert (await client.ask("GET", "/status/facets")).json == {
        "enabled": True, "problem": "", "providers": ["bedrock"], "models": ["***"], "outcomes": ["served"],
        "kinds": ["main"],
    }  # fmt: skip
    bounds = edges(Period.WEEK, NOW + 60)
    found = (await client.ask("GET", "/status/usage?period=week")).json
    assert found == {
        "enabled": True, "problem": "", "period": "week",
        "slots": [{"start": start, "end": end} for start, end in pairwise(bounds)],
        "providers": [{"name": "bedrock"}], "totals": {"requests": 1},
    }  # fmt: skip
    assert reader.asked == [(7, "x.1"), (), (bounds,)]
    assert len((await client.ask("GET", "/status/usage")).json["slots"]) == 24
    assert len((await client.ask("GET", "/status/usage?period=month")).json["slots"]) == 30


async def test_nothing_is_read_on_the_loop(client: Client, reader: FakeReader) -> None:
    for path in (*PATHS, "/status/requests/req_1"):
        assert (await client.ask("GET", path)).status == 200
    assert len(reader.asked) == 5
    assert all(name.startswith("lookup") for name in reader.threads)


async def nothing(client: Client) -> dict[str, Any]:
    """Every list, which must be empty; gives what else was told, the same each time."""
    replies = [(await client.ask("GET", path)).json for path in PATHS]
    requests, facets, sessions, usage = replies
    assert (requests["requests"], requests["next"], requests["total"]) == ([], None, 0)
    assert {name for name, each in facets.items() if each == []} == {"providers", "models", "outcomes", "kinds"}
    assert (sessions["sessions"], sessions["next"]) == ([], None)
    assert (len(usage["slots"]), usage["providers"], usage["totals"]) == (24, [], NO_SUMS)
    [told] = {(each["enabled"], each["problem"]) for each in replies}
    return {"enabled": told[0], "problem": told[1]}


async def test_without_a_data_folder_there_is_no_history() -> None:
    async with serving() as client:
        assert await nothing(client) == {"enabled": False, "problem": ""}
        assert (await client.ask("GET", "/status/requests/req_1")).status == 404


async def test_a_history_that_is_switched_off_tells_nothing(client: Client, reader: FakeReader) -> None:
    client.journal.record(configured(History(enabled=False)))
    assert await nothing(client) == {"enabled": False, "problem": ""}
    assert (await client.ask("GET", "/status/requests/req_1")).status == 404
    assert reader.asked == []
    client.journal.record(configured(History(enabled=True)))
    assert (await client.ask("GET", "/status/requests")).json["enabled"] is True


async def test_parameters_are_checked_even_where_there_is_nothing() -> None:
    async with serving() as client:
        assert (await client.ask("GET", "/status/requests?limit=0")).status == 400


async def test_a_history_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    async with serving(reader=Reader(tmp_path / "history.sqlite3")) as client:
        assert await nothing(client) == {"enabled": True, "problem": ""}


async def test_a_history_that_cannot_be_kept_says_so_beside_what_it_has(client: Client) -> None:
    client.journal.record(HistoryTold(NOW, "The disk is full: canary."))
    found = (await client.ask("GET", "/status/requests")).json
    assert (found["problem"], len(found["requests"])) == ("The disk is full: ***.", 1)


async def test_a_history_that_cannot_be_read_says_why(client: Client, reader: FakeReader) -> None:
    reader.fault = Unreadable("The file is damaged: canary.")
    assert await nothing(client) == {"enabled": True, "problem": "The file is damaged: ***."}
    status, _, message = (await client.ask("GET", "/status/requests/req_1")).error()
    assert (status, message.startswith("The file is damaged")) == (503, True)


@pytest.fixture
def gate(reader: FakeReader) -> Iterator[threading.Event]:
    """Closed: whatever the reader is asked waits for it."""
    closed = threading.Event()
    reader.gate = lambda: closed.wait(20)
    yield closed
    closed.set()


async def test_slow_questions_hold_up_nothing_and_do_not_pile_up(
    client: Client, reader: FakeReader, gate: threading.Event
) -> None:
    most = lookup.THREADS + lookup.WAITING
    waiting = [asyncio.create_task(client.ask("GET", "/status/facets")) for _ in range(most)]
    await until(lambda: client.endpoint._lookup._asked == most)
    reply = await client.ask("GET", "/status/facets")
    assert reply.error()[:2] == (503, "overloaded_error")
    assert reply.headers["retry-after"] == "1"
    assert (await client.post()).status == 200
    assert len(reader.asked) <= lookup.THREADS
    gate.set()
    assert {each.status for each in await asyncio.gather(*waiting)} == {200}
    assert (await client.ask("GET", "/status/facets")).status == 200


async def test_clients_that_leave_take_their_questions_with_them(
    client: Client, reader: FakeReader, gate: threading.Event
) -> None:
    for _ in range(lookup.WAITING):
        async with client.wire() as wire:
            await wire.send(client.lines("GET", "/status/facets", {}))
            await until(lambda: client.endpoint._lookup._asked > 0)
    await until(lambda: not client.endpoint._lookup._asked)
    gate.set()
    assert (await client.ask("GET", "/status/facets")).status == 200
    assert len(reader.asked) <= lookup.THREADS + 1


async def test_a_stop_does_not_wait_for_a_slow_question(client: Client, gate: threading.Event) -> None:
    asking = asyncio.create_task(client.ask("GET", "/status/facets"))
    await until(lambda: client.endpoint._lookup._asked > 0)
    await client.endpoint.stop(0.0)
    assert (await asking).error()[0] == 503
    assert not gate.is_set()
    with pytest.raises(RuntimeError):  # and begins no other
        await client.endpoint._lookup.ask(int)


ENDLESS = """\
import asyncio
import threading
from ccproxy_tray.server.lookup import Lookup

async def program() -> None:
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def question() -> None:
        loop.call_soon_threadsafe(begun.set)
        threading.Event().wait()

    lookup = Lookup()
    asking = asyncio.create_task(lookup.ask(question))
    await begun.wait()
    asking.cancel()
    lookup.close()

asyncio.run(program())
print("over")
"""


def test_a_question_that_is_never_answered_does_not_hold_up_the_end_of_the_program() -> None:
    done = subprocess.run([sys.executable, "-c", ENDLESS], capture_output=True, text=True, timeout=20, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("over\n", "", 0)


async def test_an_abandoned_question_that_fails_is_nobody_s_error(
    client: Client, reader: FakeReader, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    reader.fault = LookupError("a defect")
    async with client.wire() as wire:
        await wire.send(client.lines("GET", "/status/facets", {}))
        await until(lambda: len(reader.asked) == 1)
    await until(lambda: not client.endpoint._lookup._asked)
    gate.set()
    await until(lambda: client.endpoint._lookup._free._value == lookup.THREADS)
    gc.collect()
    assert caplog.text == ""


async def test_data_needs_the_token(reader: FakeReader) -> None:
    async with serving(Server(port=0, token=Secret("local-token")), reader=reader) as client:
        for path in (*PATHS, "/status/requests/req_1", "/status/requests/nothing"):
            assert (await client.ask("GET", path)).error()[0] == 401
            assert (await client.ask("GET", path, x_api_key="wrong")).error()[0] == 401
        assert reader.asked == []
        for path in (*PATHS, "/status/requests/req_1"):
            assert (await client.ask("GET", path, Authorization="Bearer local-token")).status == 200


NAMES = st.sampled_from(
    ["limit", "before", "q", "provider", "model", "outcome", "kind", "session", "since", "until", "period", "x"]
)
HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["' OR 1=1 --", "%", "_", '"', "NEAR(", "a*", "-1", "0", "1e999", "\uff19", "failed", "day", "\x00"]
    ),
    st.integers().map(str),
    st.floats().map(str),
)


def escaped(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([*PATHS, "/events", "/status/requests/x"]),
    parameters=st.lists(st.tuples(NAMES, HOSTILE), max_size=4),
)
async def test_hostile_parameters_give_an_answer_or_a_400_and_never_a_defect(
    client: Client, reader: FakeReader, path: str, parameters: list[tuple[str, str]]
) -> None:
    reader.asked.clear()
    query = "&".join(f"{name}={escaped(value)}" for name, value in parameters)
    reply = await client.ask("HEAD" if path == "/events" else "GET", f"{path}?{query}")
    assert reply.status in (200, 400, 404)
    assert reply.status != 400 or not reader.asked


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE)
async def test_a_text_reaches_the_reader_as_it_is_or_not_at_all(client: Client, reader: FakeReader, text: str) -> None:
    reader.asked.clear()
    reply = await client.ask("GET", f"/status/requests?q={escaped(text)}")
    assert (reply.status, reader.asked) in ((200, [(Query(text), 100, None)]), (400, []))
    assert reply.status == 200 or not (text.isascii() and text.isprintable())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40))
async def test_any_bytes_in_a_query_give_an_answer_or_a_refusal(client: Client, raw: bytes) -> None:
    raw = bytes(byte for byte in raw if byte > 32 and byte != 127)
    async with client.wire() as wire:
        await wire.send(b"GET /status/requests?q=" + raw + b" HTTP/1.1\r\nHost: " + client.host.encode() + b"\r\n\r\n")
        assert (await wire.reply()).status in (200, 400)
