"""One simulated upstream: an HTTP server that asks its wire for an answer, spoils it as told, and notes everything."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from aiohttp import web

from ccproxy_tray.simulator.account import Account
from ccproxy_tray.simulator.brain import Ask, Brain, Source, answer
from ccproxy_tray.simulator.faults import (
    Corrupt,
    Cut,
    Fail,
    Fault,
    Faults,
    How,
    Phase,
    Place,
    Reply,
    Route,
    Scope,
    Slow,
    Stall,
    Timeline,
)
from ccproxy_tray.simulator.play import Close, Hang, Pause, Send, play
from ccproxy_tray.simulator.record import Recorded, receive
from ccproxy_tray.simulator.refusal import Refused
from ccproxy_tray.simulator.reply import Streamed, Whole
from ccproxy_tray.simulator.turn import Json, Tokens, Turn

HOST = "127.0.0.1"
_BODY_LIMIT = 256 << 20
DefaultBrain = Callable[[], Brain]


def usual_brain() -> Brain:
    """The brain of an upstream that was given none."""
    return answer


@dataclass(frozen=True, slots=True)
class Settings:
    """How the upstreams run. ``delay`` is the seconds before each delta of a healthy answer.

    ``keep`` is how many requests each upstream remembers. ``ports`` fixes ports by upstream name; others are free ones.
    """

    delay: float = 0.0
    keep: int = 256
    region: str = "us-east-1"
    """What answers a Bedrock bearer key, which names no region."""
    ports: Mapping[str, int] = field(default_factory=dict)


class Upstream(ABC):
    """A server on loopback that speaks one provider's wire. Start it, or use it with ``async with``.

    ``script`` is its brain; None means the one that ``default_brain`` names.
    """

    def __init__(self, name: str, settings: Settings, default_brain: DefaultBrain = usual_brain) -> None:
        self.name = name
        self.account = Account(name)
        self.script: Brain | None = None
        self.served = Tokens()
        """The sum of what every whole answer cost."""
        self.port = settings.ports.get(name, 0)
        self.thinking_first = True
        """Refuse a tool loop under manual thinking whose assistant turn does not start with thinking."""
        self.settings = settings
        self._default_brain = default_brain
        self._faults = Faults()
        self._records: deque[Recorded] = deque(maxlen=settings.keep)
        self._count = 0
        self._arrived = asyncio.Condition()
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None

    # Life.

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """Listen; a later start takes the same port again."""
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port: clients are refused from now on."""
        self.release()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    # What it is told.

    def fail_next(
        self, count: int, fault: Fault, *, model: str = "", region: str = "", route: Route = Route.ANSWER
    ) -> None:
        """The next ``count`` requests fail so; ``model`` and ``region`` are parts of the names that are meant."""
        self._faults.push(count, fault, Scope(model, region, route))

    def fail_until_cleared(
        self, fault: Fault, *, model: str = "", region: str = "", route: Route = Route.ANSWER
    ) -> None:
        """All such requests fail so, until :meth:`clear`."""
        self._faults.hold(fault, Scope(model, region, route))

    def schedule(self, *phases: Phase, repeat: bool = False) -> None:
        """Fail by a timetable; it starts with the next request."""
        self._faults.timeline = Timeline(phases, repeat=repeat)

    def clear(self) -> None:
        """Healthy again; whoever is stalled goes on."""
        self._faults.clear()
        self.release()

    def release(self) -> None:
        """Let every stalled answer go on."""
        self._released.set()
        self._released = asyncio.Event()

    @property
    def fault(self) -> Fault | None:
        """What every answer fails with; setting it clears everything else that the upstream was told."""
        return self._faults.standing

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self.clear()
        if fault is not None:
            self.fail_until_cleared(fault)

    # What it noted.

    @property
    def requests(self) -> list[Recorded]:
        """The latest requests, oldest first."""
        return list(self._records)

    @property
    def answers(self) -> list[Recorded]:
        """Those of them that asked for an answer (not counts, lists or nonsense)."""
        return [record for record in self._records if record.route is Route.ANSWER]

    def forget(self) -> None:
        """Start the notes afresh."""
        self._records.clear()
        self.served = Tokens()

    async def arrived(self, count: int) -> Recorded:
        """Wait until there have been this many requests in all; returns the latest."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self._count >= count)
        return self._records[-1]

    # The wire, which subclasses know.

    @abstractmethod
    def answer(self, record: Recorded) -> Whole | Streamed:
        """Serve a request or raise the refusal; notes the route, model, region and stream in the record."""

    @abstractmethod
    def refusal(self, refused: Refused, record: Recorded) -> Whole:
        """A refusal as an HTTP error."""

    def think(self, record: Recorded, body: Mapping[str, Json], provider: str, model: str) -> tuple[Turn, Ask]:
        """Ask the brain, and settle what it says. ``body`` is in Messages form."""
        ask = Ask(body, Source(provider, model, record.region), record.headers, record.number)
        return self.account.settle((self.script or self._default_brain())(ask), ask), ask

    # Performing.

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._count += 1
        record = await receive(request, self._count)
        self._records.append(record)
        async with self._arrived:
            self._arrived.notify_all()
        try:
            return await self._perform(request, record, self._decide(record))
        except (asyncio.CancelledError, ConnectionError):
            record.disconnected = not record.cut
            raise
        finally:
            record.raw = b""
            record.done.set()

    def _decide(self, record: Recorded) -> Whole | Streamed:
        try:
            reply = self.answer(record)
        except Refused as refused:
            return self._refuse(refused, record)
        scope = Scope(record.model, record.region, record.route or Route.ANSWER)
        record.fault = self._faults.take(scope, time.monotonic())
        return reply

    def _refuse(self, refused: Refused, record: Recorded) -> Whole:
        reply = self.refusal(refused, record)
        record.problem = refused.message or refused.cause.value
        return reply

    async def _perform(self, request: web.Request, record: Recorded, reply: Whole | Streamed) -> web.StreamResponse:
        match record.fault:
            case Reply(status, body, headers):
                return self._whole(record, Whole(status, headers, body))
            case Fail(at=at) as fail if at.place is Place.HEADERS or isinstance(reply, Whole):
                refused = self._refuse(refusal_of(fail), record)
                return self._whole(record, self._inside(refused) if at.place is Place.BODY else refused)
            case Fail(at=at) as fail if at.place is Place.BODY:
                return self._whole(record, self._inside(self._refuse(refusal_of(fail), record)))
            case Cut(at=at, how=how) if at.place is Place.HEADERS:
                await self._cut(request, record, how)
            case Stall(at=at, seconds=seconds) if at.place is Place.HEADERS or isinstance(reply, Whole):
                await self._hang(seconds)
                record.fault = None
            case _:
                pass
        if isinstance(reply, Streamed):
            return await self._stream(request, record, reply)
        return await self._spoil_whole(request, record, reply)

    @staticmethod
    def _inside(refused: Whole) -> Whole:
        return Whole(200, refused.headers, refused.body)

    def _whole(self, record: Recorded, reply: Whole) -> web.Response:
        record.status = reply.status
        if reply.tokens is not None or (reply.status == 200 and record.fault is None):
            self._finish(record, reply.tokens)
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    def _finish(self, record: Recorded, tokens: Tokens | None) -> None:
        record.finished = True
        record.tokens = tokens
        self.served += tokens or Tokens()

    async def _spoil_whole(self, request: web.Request, record: Recorded, reply: Whole) -> web.StreamResponse:
        half = reply.body[: len(reply.body) // 2]
        match record.fault:
            case Corrupt() | Cut(how=How.CLEAN):
                return self._whole(record, Whole(reply.status, reply.headers, half))
            case Cut(how=how):
                response = web.StreamResponse(status=reply.status, headers=reply.headers)
                response.content_length = len(reply.body)
                await response.prepare(request)
                await response.write(half)
                await self._cut(request, record, how)
            case Slow(seconds):
                await asyncio.sleep(seconds)
            case _:
                pass
        return self._whole(record, reply)

    async def _stream(self, request: web.Request, record: Recorded, reply: Streamed) -> web.StreamResponse:
        response = web.StreamResponse(status=200, headers=reply.headers)
        response.enable_chunked_encoding()
        record.status = 200
        await response.prepare(request)
        actions = list(play(reply.frames, record.fault, self.settings.delay, reply.spoiler))
        healthy = record.fault is None or isinstance(record.fault, Slow | Stall)
        for left, action in zip(range(len(actions) - 1, -1, -1), actions, strict=True):
            if healthy and not left:
                # Noted before the last byte goes out: a client may look as soon as it has that byte.
                self._finish(record, reply.tokens)
            match action:
                case Send(data):
                    await response.write(data)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Hang():
                    await self._hang(None)
                case Close(How.CLEAN):
                    return response
                case Close(how):
                    await self._cut(request, record, how)
        await response.write_eof()
        return response

    async def _hang(self, seconds: float | None) -> None:
        await (self._released.wait() if seconds is None else asyncio.sleep(seconds))

    async def _cut(self, request: web.Request, record: Recorded, how: How) -> NoReturn:
        record.cut = True
        if (transport := request.transport) is not None:
            if how is How.RST:
                # Linger for no time: the kernel answers with a reset instead of an orderly end.
                linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                transport.abort()
            else:
                transport.close()
        while True:  # The server cancels this handler as soon as it sees that the connection is gone.
            await asyncio.Event().wait()


def refusal_of(fail: Fail) -> Refused:
    """The refusal that a fault asks for."""
    retry = {} if fail.retry_after is None else {"retry-after": str(fail.retry_after)}
    return Refused(fail.cause, fail.message, headers=retry)
