"""A server with the page's own files and made-up data, for states that the real program is hard to bring into."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

import ccproxy_tray
from ccproxy_tray.server.page import HEADERS, TYPES

WEB = Path(ccproxy_tray.__file__).parent / "web"
Document = dict[str, Any]
NO_STORE = {"cache-control": "no-store"}


def row(number: int, **fields: Any) -> Document:
    """A request that was served; the higher the number, the later."""
    return {
        "id": f"req_{number:05}",
        "time": 1_700_000_000.0 + number,
        "session": f"5e551011-{number % 7:04}",
        "agent": "",
        "kind": "main",
        "client": "claude-cli/2.1.330",
        "requested": "claude-sonnet-4-5",
        "provider": "bedrock",
        "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "region": "us-east-1",
        "stream": True,
        "outcome": "served",
        "status": 200,
        "stop_reason": "end_turn",
        "first_event_ms": 340,
        "total_ms": 4200,
        "input": 1200,
        "output": 340,
        "cache_read": 45000,
        "cache_write": 900,
        "estimated": False,
        "cost": 0.0312,
        "tools": ["Read", "Bash"],
        "tries": 1,
        "story": "bedrock us-east-1 claude-sonnet-4-5: ok in 4.2 s",
        "error": "",
        **fields,
    }


def attempt(**fields: Any) -> Document:
    """An attempt that served."""
    return {
        "target": "bedrock us-east-1 us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "provider": "bedrock",
        "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "region": "us-east-1",
        "started_ms": 0,
        "first_event_ms": 340,
        "total_ms": 4200,
        "status": 200,
        "fault": None,
        "reason": "",
        "cooling_seconds": None,
        "simulated": False,
        **fields,
    }


def target(provider: str, state: str, **fields: Any) -> Document:
    """A target of the chain."""
    model = "claude-sonnet-4-5"
    empty = {"model": model, "region": "", "remedy": "", "cooling": None}
    return {"target": f"{provider} {model}", "provider": provider, "state": state, **empty, **fields}


def cooling(name: str, seconds: float, **fields: Any) -> Document:
    """What keeps a target out."""
    until = time.time() + seconds
    told = {"target": name, "reason": "Too many requests, please wait", "lasting": False, "simulated": False}
    return {**told, "seconds_left": seconds, "until": until, **fields}


def status(**fields: Any) -> Document:
    """The document of /debug."""
    counts = dict.fromkeys(("total", "served", "fell_back", "exhausted", "refused", "broke_off", "abandoned"), 0)
    return {
        "version": "0.1.0",
        "time": "2026-11-22T14:02:00Z",
        "uptime_seconds": 4210,
        "urls": ["http://127.0.0.1:8000"],
        "headline": {"state": "serving", "text": "● bedrock us-east-1 · claude-sonnet-4-5"},
        "chain": [{"model": "claude-sonnet-4-5", "targets": [target("bedrock", "serving", region="us-east-1")]}],
        "serving": "bedrock us-east-1 us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "on_fallback": False,
        "offline": False,
        "outage": None,
        "config": {"path": "/home/user/.config/ccproxy-tray/config.yaml", "warnings": [], "problems": []},
        "rate_limits": [],
        "routing": {},
        "providers": {"bedrock": {"type": "bedrock", "credentials": "found", "remedy": ""}},
        "fallbacks": [],
        "requests": {**counts, "today": counts},
        "settings": [{"key": "server.port", "value": 8000, "source": "default", "note": ""}],
        "history": "",
        **fields,
    }


def setting(key: str, value: object, source: str = "file", note: str = "") -> Document:
    """A value of the configuration in force."""
    return {"key": key, "value": value, "source": source, "note": note}


class Fake:
    """Say what it answers by its attributes, and what happens by :meth:`push`. ``rows`` stand latest first."""

    def __init__(self) -> None:
        self.status = status()
        self.rows: list[Document] = []
        self.details: dict[str, Document] = {}
        self.sessions: list[Document] = []
        self.usage: Document = {"slots": [], "providers": [], "totals": {}}
        self.token = ""
        self.enabled = True
        self.problem = ""
        self.seen: list[str | None] = []
        """The Last-Event-ID of every connection to /events."""
        self.url = ""
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._streams: set[asyncio.Queue[bytes | None]] = set()
        self._told = 0

    def push(self, kind: str, data: Document) -> None:
        """An event for every page that is open."""
        self._told += 1
        event = self._event(kind, data)
        for queue in self._streams:
            queue.put_nowait(event)

    async def start(self) -> None:
        """Listen; a second start takes the same port."""
        app = web.Application(middlewares=[self._guard])
        paths: Mapping[str, Callable[[web.Request], Document]] = {
            "/debug": lambda _request: self.status,
            "/status/requests": self._requests,
            "/status/facets": lambda _request: facets(self.rows),
            "/status/sessions": self._pages,
            "/status/usage": lambda request: {**self._told_of("period", request.query["period"]), **self.usage},
        }
        for path, answer in paths.items():
            app.router.add_get(path, _json(answer))
        app.router.add_get("/status/requests/{id}", self._request)
        app.router.add_get("/events", self._events)
        app.router.add_get("/status", _file)
        app.router.add_get("/status/{name}", _file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Close every connection and the port."""
        for queue in self._streams:
            queue.put_nowait(None)
        if self._runner is not None:
            await self._runner.cleanup()

    def _told_of(self, name: str, value: Any) -> Document:
        return {"enabled": self.enabled, "problem": self.problem, name: value}

    def _event(self, kind: str, data: Document) -> bytes:
        return f"id: a-{self._told}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        static = request.path == "/status" or Path(request.path).suffix in TYPES
        if self.token and not static and request.headers.get("authorization") != f"Bearer {self.token}":
            return _error(401, "Wrong or missing token")
        response: web.StreamResponse = await handler(request)
        return response

    def _requests(self, request: web.Request) -> Document:
        query = request.query
        found = [each for each in self.rows if matches(each, query)]
        start, limit = int(query.get("before", 0)), int(query.get("limit", 100))
        page = found[start : start + limit]
        following = str(start + limit) if start + limit < len(found) else None
        total = len(found) if not set(query) - {"limit", "before"} else None
        return {**self._told_of("requests", page), "next": following, "total": total}

    def _pages(self, request: web.Request) -> Document:
        start, limit = int(request.query.get("before", 0)), int(request.query["limit"])
        following = str(start + limit) if start + limit < len(self.sessions) else None
        return {**self._told_of("sessions", self.sessions[start : start + limit]), "next": following}

    async def _request(self, request: web.Request) -> web.StreamResponse:
        found = next((each for each in self.rows if each["id"] == request.match_info["id"]), None)
        if found is None:
            return _error(404, "No such request")
        told = {"attempts": [attempt()], "skipped": [], "body": None, **self.details.get(found["id"], {})}
        return web.json_response({**found, **told}, headers=NO_STORE)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.headers.get("last-event-id"))
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **NO_STORE})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        queue.put_nowait(self._event("status", self.status))
        self._streams.add(queue)
        try:
            while (event := await queue.get()) is not None:
                await response.write(event)
        finally:
            self._streams.discard(queue)
        return response


def matches(told: Document, query: Mapping[str, str]) -> bool:
    """Whether a row is asked for."""
    names = ("provider", "model", "outcome", "kind", "session")
    return query.get("q", "") in json.dumps(told) and all(told[name] == query[name] for name in names if name in query)


def facets(rows: Sequence[Document]) -> Document:
    """The values that occur."""
    names = ("provider", "model", "outcome", "kind")
    return {f"{name}s": sorted({each[name] for each in rows}) for name in names}


def _json(answer: Callable[[web.Request], Document]) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(answer(request), headers=NO_STORE)

    return handle


def _error(code: int, message: str) -> web.Response:
    return web.json_response({"type": "error", "error": {"type": "x", "message": message}}, status=code)


async def _file(request: web.Request) -> web.StreamResponse:
    path = WEB / request.match_info.get("name", "index.html")
    headers = {**HEADERS, "content-type": TYPES[path.suffix]}
    return web.Response(body=await asyncio.to_thread(path.read_bytes), headers=headers)


@asynccontextmanager
async def fake() -> AsyncIterator[Fake]:
    """A running one."""
    server = Fake()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
