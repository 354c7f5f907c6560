"""The whole program between a client and scripted upstreams, with the invariants checked around every row."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import aiohttp

from ccproxy_tray import log
from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.journal.events import BrokeOff, Ended, Event, Exhausted, FellBack
from ccproxy_tray.journal.snapshot import RECENT, Snapshot
from tests.faults import checker
from tests.faults.checker import PATIENCE, Answered, settled
from tests.faults.faultd import Call, Faultd
from tests.faults.lag import watched
from tests.faults.wire import MESSAGES, TOKEN, Wire, good

SECRET = "canary"
"""Stands in every key, and in the prompt: whatever contains it must not turn up anywhere."""
PROMPT = "canary-of-the-prompt"
CLIENT_KEY = "canary-of-the-client"
ASK: Mapping[str, Any] = {
    "model": "claude-sonnet-4-5", "max_tokens": 10, "stream": True, "messages": [{"role": "user", "content": PROMPT}],
}  # fmt: skip
BACKUP_ONLY = "claude-haiku-4-5"
"""The model whose route leads to the backup alone."""
IMPATIENT = "connect_timeout: 200ms, first_event_timeout: 200ms, idle_timeout: 200ms"
"""For rows in which one of these has to trip."""
AT_ONCE = "max_wait_seconds: 0"
"""Nobody is waited for: what does not serve in the first pass is told to the client."""

CONFIG = """
server: {{ port: 0 {server} }}
providers:
  primary: {{ {primary}, api_key: {keys[primary]} }}
  backup: {{ {backup}, api_key: {keys[backup]} }}
routing:
  {routing}
  provider_sequence: [ {sequence} ]
  models: [ {{ model: haiku, provider_sequence: [ {{ name: backup }} ] }} ]
upstream: {{ {patience} }}
"""
_LINE = re.compile(r"(INFO|WARNING|ERROR) +ccproxy_tray\.app: (req_\w+): ")


class FakeClock:
    """Both clocks of the program. They stand still unless they are moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def clock(self) -> Clock:
        """As the program wants it."""
        return Clock(lambda: self.now, lambda: 1_800_000_000.0 + self.now)


@dataclass(slots=True)
class Opened:
    """An answer that is being read."""

    stage: Stage
    response: aiohttp.ClientResponse
    body: bytearray = field(default_factory=bytearray)

    async def tokens(self, count: int) -> None:
        """Read until so many tokens have come."""
        while len(TOKEN.findall(self.body.decode("utf-8", "ignore"))) < count:
            data = await self.response.content.readany()
            assert data, f"the answer ended after {bytes(self.body)!r}"
            self.body += data

    async def rest(self, without: bytes = b"") -> Answered:
        """Read to the end. ``without`` must stand in the answer, and is taken out before it is checked."""
        self.body += await self.response.content.read()
        assert without in self.body
        body = bytes(self.body).replace(without, b"") if without else bytes(self.body)
        return await self.stage.checked(Answered(self.response.status, self.response.headers, body))

    def leave(self) -> None:
        """Close the client's connection."""
        self.response.close()


@dataclass(slots=True)
class Stage:
    """A running program, its two upstreams, and what happened so far."""

    app: App
    primary: Faultd
    backup: Faultd
    clock: FakeClock
    client: aiohttp.ClientSession
    ends: list[Ended] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    lines: io.StringIO = field(default_factory=io.StringIO)
    """The program's log."""
    unjudged: bool = False

    @property
    def url(self) -> str:
        """Where the program listens."""
        return self.app.urls[0]

    @property
    def port(self) -> int:
        """The port of that."""
        return int(self.url.rpartition(":")[2])

    @property
    def calls(self) -> list[Call]:
        """What the upstreams were asked."""
        return [*self.primary.calls, *self.backup.calls]

    async def ask(self, without: bytes = b"", **fields: Any) -> Answered:
        """One request, answered to the end and checked."""
        async with self.opened(**fields) as opened:
            return await opened.rest(without)

    async def whole(self, **fields: Any) -> Answered:
        """The same, not streamed."""
        return await self.ask(stream=False, **fields)

    @asynccontextmanager
    async def opened(self, headers: Mapping[str, str] | None = None, **fields: Any) -> AsyncIterator[Opened]:
        """A request whose answer is read step by step."""
        self.unjudged = True
        sent = {"x-api-key": CLIENT_KEY, **(headers or {})}
        async with self.client.post(f"{self.url}/v1/messages", json={**ASK, **fields}, headers=sent) as response:
            yield Opened(self, response)

    async def checked(self, answered: Answered) -> Answered:
        """Hold an answer against the invariants; in a thread, because some are long."""
        await asyncio.to_thread(checker.check_answer, answered, self.calls)
        self.texts.append(("an answer", f"{answered.headers} {answered.body[:100_000].decode(errors='replace')}"))
        return answered

    async def debug(self) -> dict[str, Any]:
        """What /debug says."""
        async with self.client.get(f"{self.url}/debug") as response:
            text = await response.text()
            self.texts.append(("/debug", text))
            found: dict[str, Any] = await response.json()
            return found

    async def cooling(self) -> dict[str, float]:
        """I5: what cools, and for how many seconds."""
        return _seconds_left(await self.debug())

    async def expect(
        self,
        *,
        primary: int,
        backup: int,
        story: Sequence[str],
        cooling: Mapping[str, float] | None = None,
    ) -> None:
        """I4, I5 and I6 of the latest request.

        ``primary`` and ``backup`` count the calls since the start. ``story`` has a word for each attempt, such as
        ``primary throttled`` or ``backup ok``.
        """
        self.unjudged = False
        assert (len(self.primary.calls), len(self.backup.calls)) == (primary, backup), "calls"
        assert self.told() == list(story)
        debug = await self.debug()
        assert _seconds_left(debug) == dict(cooling or {})
        assert debug["requests"]["total"] == len(self.ends)
        rough = [end.story.request_id for end in self.ends if isinstance(end, FellBack | Exhausted | BrokeOff)]
        assert [row["request_id"] for row in debug["fallbacks"]] == rough[: -RECENT - 1 : -1]

    def told(self, number: int = -1) -> list[str]:
        """The story of a request as short words."""
        attempts = self.ends[number].story.attempts
        return [f"{attempt.target.provider} {attempt.fault or 'ok'}" for attempt in attempts]

    def forget(self) -> None:
        """End every cooling, as the menu does."""
        self.app._dispatcher.state.cooldowns.clear()

    def record(self, event: Event, _snapshot: Snapshot) -> None:
        """Keep how requests ended."""
        if isinstance(event, get_args(Ended)):
            self.ends.append(event)


@asynccontextmanager
async def staged(
    tmp_path: Path,
    wire: Wire = MESSAGES,
    *,
    routing: str = AT_ONCE,
    patience: str = "",
    server: str = "",
    limit: float = PATIENCE,
    primary: Faultd | None = None,
    url: str = "",
    alone: bool = False,
    environ: Mapping[str, str] | None = None,
    keys: Mapping[str, str] | None = None,
) -> AsyncIterator[Stage]:
    """The program with ``primary`` before ``backup``, which always serves unless it is told otherwise.

    ``url`` is where the configuration says that the primary is, when that is somewhere else. ``alone``: there is no
    backup in the route. ``limit`` is how long the whole may take, in seconds.
    """
    primary = primary or Faultd("primary", good(wire))
    keys = dict(keys) if keys else {"primary": "canary-of-the-primary", "backup": "canary-of-the-backup"}
    before, sockets = checker.tasks(), checker.sockets()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(limit))
        await stack.enter_async_context(primary)
        backup = await stack.enter_async_context(Faultd("backup", good(MESSAGES)))
        path = tmp_path / "config.yaml"
        sequence = "{ name: primary }" if alone else "{ name: primary }, { name: backup }"
        path.write_text(
            CONFIG.format(
                server=f", {server}" if server else "",
                primary=wire.settings.format(url=url or primary.url),
                backup=MESSAGES.settings.format(url=backup.url),
                keys=keys,
                routing=routing,
                sequence=sequence,
                patience=patience,
            ),
            encoding="utf-8",
        )
        environ = environ or {}
        loaded = await asyncio.to_thread(load, path, environ)
        clock = FakeClock()
        lines = io.StringIO()
        async with _logging(lines, loaded.config.secrets()), App(loaded, environ, clock.clock()) as app:
            with watched() as lag:
                async with _client() as client:
                    stage = Stage(app, primary, backup, clock, client, lines=lines)
                    app.journal.subscribe(stage.record)
                    assert app._lookout.looking is not None
                    await asyncio.wait((app._lookout.looking,))
                    running = checker.tasks()
                    yield stage
                    await stage.debug()
                await _at_rest(running)
    assert not stage.unjudged, "a row must say what it expects"
    await _at_rest(before)
    await settled(lambda: checker.sockets() <= sockets, lambda: f"{checker.sockets()} sockets, {sockets} before")
    _check_log(lines.getvalue(), stage)
    assert lag.worst < checker.LONGEST_TURN, f"the loop was held up for {lag.worst:.3f} s by {lag.culprit}"


def _seconds_left(debug: Mapping[str, Any]) -> dict[str, float]:
    return {row["provider"]: row["seconds_left"] for row in debug["rate_limits"]}


def _client() -> aiohttp.ClientSession:
    """A client without limits of its own."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None))


async def _at_rest(before: set[asyncio.Task[Any]]) -> None:
    """I4: nothing runs that did not run before."""
    await settled(lambda: checker.tasks() <= before, lambda: checker.tasks() - before)


def _check_log(lines: str, stage: Stage) -> None:
    """I6: each request that reached a target has one line, whatever became of it; no secret in any."""
    logged = [found[2] for found in map(_LINE.search, lines.splitlines()) if found]
    ended = [end.story.request_id for end in stage.ends]
    assert sorted(request for request in logged if request in ended) == sorted(ended)
    events = [("the journal", repr(end)) for end in stage.ends]
    checker.check_secrets([("the log", lines), *stage.texts, *events], SECRET)


@asynccontextmanager
async def _logging(lines: io.StringIO, secrets: Sequence[str]) -> AsyncIterator[None]:
    """The program's own log, at its most talkative."""
    levels = {name: logging.getLogger(name).level for name in ("", *log._TALKATIVE)}
    running = log.setup(logging.DEBUG, None, {}, secrets=secrets, stream=lines)
    try:
        yield
    finally:
        await asyncio.to_thread(running.close)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
