"""One simulated upstream: an HTTP server that asks its wire for an answer, spoils it as told, and notes everything."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from ccproxy_tray.simulator.account import Account
from ccproxy_tray.simulator.brain import Ask, Brain, Source
from ccproxy_tray.simulator.delivery import Delivery
from ccproxy_tray.simulator.faults import Cut, Fail, Fault, Faults, Phase, Place, Reply, Route, Scope, Stall, Timeline
from ccproxy_tray.simulator.record import Recorded, receive
from ccproxy_tray.simulator.refusal import Refused
from ccproxy_tray.simulator.reply import Streamed, Whole
from ccproxy_tray.simulator.turn import Json, Tokens, Turn

HOST = "127.0.0.1"
_BODY_LIMIT = 256 << 20


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

    ``script`` is its brain; while that is None, ``brain`` is.
    """

    def __init__(self, name: str, settings: Settings, brain: Brain) -> None:
        self.name = name
        self.account = Account(name)
        self.script: Brain | None = None
        self.served = Tokens()
        """The sum of what every whole answer cost."""
        self.port = settings.ports.get(name, 0)
        self.thinking_first = True
        """Refuse a tool loop under manual thinking whose assistant turn does not start with thinking."""
        self.settings = settings
        self._brain = brain
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
        return self.account.settle((self.script or self._brain)(ask), ask), ask

    # Performing.

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._count += 1
        record = await receive(request, self._count)
        self._records.append(record)
        async with self._arrived:
            self._arrived.notify_all()
        delivery = Delivery(request, record, self.settings.delay, lambda: self._released, self._pay)
        try:
            return await self._perform(delivery, self._decide(record))
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

    async def _perform(self, delivery: Delivery, reply: Whole | Streamed) -> web.StreamResponse:
        record = delivery.record
        match record.fault:
            case Reply(status, body, headers):
                return delivery.whole(Whole(status, headers, body))
            case Fail(at=at) as fail if at.place is Place.BODY:
                refused = self._refuse(_refusal_of(fail), record)
                return delivery.whole(Whole(200, refused.headers, refused.body))
            case Fail(at=at) as fail if at.place is Place.HEADERS or isinstance(reply, Whole):
                return delivery.whole(self._refuse(_refusal_of(fail), record))
            case Cut(at=at, how=how) if at.place is Place.HEADERS:
                await delivery.cut(how)
            case Stall(at=at, seconds=seconds) if at.place is Place.HEADERS or isinstance(reply, Whole):
                await delivery.hang(seconds)
                record.fault = None
            case _:
                pass
        return await (delivery.stream(reply) if isinstance(reply, Streamed) else delivery.spoiled(reply))

    def _pay(self, tokens: Tokens) -> None:
        self.served += tokens


def _refusal_of(fail: Fail) -> Refused:
    """The refusal that a fault asks for."""
    retry = {} if fail.retry_after is None else {"retry-after": str(fail.retry_after)}
    return Refused(fail.cause, fail.message, headers=retry)
