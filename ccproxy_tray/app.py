"""The composition root: the one place that knows everybody."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ccproxy_tray import __version__, prices
from ccproxy_tray.config import restart
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.dispatch.chronicle import Clock
from ccproxy_tray.dispatch.loop import Dispatcher
from ccproxy_tray.dispatch.runtime import Runtime, State
from ccproxy_tray.history import recorder
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.recollection import recollect
from ccproxy_tray.history.recorder import Recorder
from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import BodyKept, Event
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.journal.tally import Tally
from ccproxy_tray.lookout import Lookout
from ccproxy_tray.memory import FILE, Memory
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.providers.table import providers
from ccproxy_tray.redact import Redactor, secret_variables, shown
from ccproxy_tray.routing import outage
from ccproxy_tray.routing.outage import Outage, OutageKind
from ccproxy_tray.routing.story import line
from ccproxy_tray.routing.target import Target
from ccproxy_tray.server.app import Endpoint
from ccproxy_tray.server.disclosure import Disclosure
from ccproxy_tray.server.insight import Insight

if TYPE_CHECKING:
    from ccproxy_tray.check import Finding  # imported where it is used: nobody may ever click it

log = logging.getLogger(__name__)


_HISTORY = events.Ended | BodyKept
"""What the history takes."""
SYSTEM_CLOCK = Clock(time.monotonic, time.time)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another port than the configured one, and why, in a sentence for the user."""

    port: int
    why: str


class App:
    """The running program without any user interface. Everything happens on the loop that enters it.

    With ``data_dir``, cooldowns survive a restart there, and the history is kept. A ``journal`` and a ``tally``
    from outside go on where they were. With ``elsewhere`` it listens there instead of at ``server.port``.
    """

    def __init__(
        self,
        loaded: Loaded,
        environ: Mapping[str, str],
        clock: Clock = SYSTEM_CLOCK,
        *,
        data_dir: Path | None = None,
        journal: Journal | None = None,
        tally: Tally | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.loaded = loaded
        self._started = loaded.config
        self._environ = environ
        self._clock = clock
        self._state = State()
        self._redactor = Redactor((*loaded.config.secrets(), *secret_variables(environ)))
        self._memory = Memory(data_dir / FILE, self._remembered, self._redactor.known) if data_dir is not None else None
        self._recorder = self._reader = None
        if data_dir is not None:
            path = data_dir / recorder.FILE
            self._recorder = Recorder(path, loaded.config.history, self._redactor.known, self._history_told)
            self._reader = Reader(path)
        self._tally = tally or Tally()
        self.journal = journal or Journal(__version__, self._clock.wall())
        self.urls: Sequence[str] = ()
        self._elsewhere = elsewhere
        self._subscriptions: list[Callable[[], None]] = []
        self._warming: asyncio.Task[None] | None = None
        self._recollecting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Listen. Raises CannotListen; nothing is left open then."""
        try:
            await self._begin()
        except BaseException:  # whatever it is: whoever tries again does so on the same journal
            self._unsubscribe()
            raise
        return self

    async def _begin(self) -> None:
        config = self.loaded.config
        self._subscriptions.append(self.journal.subscribe(tell_log))
        recalled, _ = await asyncio.gather(self._recalled(), asyncio.to_thread(prices.load))
        if self._memory is not None:
            self._recall(recalled)
            self._subscriptions.append(self.journal.subscribe(self._remember))
        self._subscriptions.append(self.journal.subscribe(self._tally.take))
        self._subscriptions.append(self.journal.subscribe(self._keep))
        runtime = Runtime(config, providers(config.providers, self._environ))
        self._transport = Transport(config.upstream.connect_timeout)
        self._dispatcher = Dispatcher(runtime, self._transport, self.journal, self._state, self._clock, prices.price)
        server = config.server if self._elsewhere is None else replace(config.server, port=self._elsewhere.port)
        told = Disclosure(self._redactor.known)
        insight = Insight(self.journal, self._tally, self._reader, self._clock.wall, told)
        self._endpoint = Endpoint(self._dispatcher, server, insight, self._greeted)
        self._record(lambda at: events.ConfigChanged(at, self.loaded))
        try:
            self.urls = await self._endpoint.start()
        except BaseException:  # also a cancellation
            await self._transport.close()
            raise
        note = "" if self._elsewhere is None else self._elsewhere.why
        self._record(lambda at: events.Listened(at, tuple(self.urls), note))
        self._dispatcher.begin()
        self._lookout = Lookout(self._dispatcher, self._transport, self._record)
        self._lookout.begin(runtime)
        if self._reader is not None and config.history.enabled:
            self._recollecting = asyncio.create_task(self._recollect(self._reader))

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Accept nothing more, let running requests end, close every connection; within 10 s, or 15 on a dead drive."""
        self._lookout.end()
        for task in filter(None, (self._warming, self._recollecting)):
            task.cancel()
        self._dispatcher.simulate(None)  # A request in a simulated silence could not end.
        await self._endpoint.stop()
        await self._transport.close()
        if self._memory is not None:
            await self._memory.close()
        if self._recorder is not None:
            await self._recorder.close()
        self._unsubscribe()

    def reload(self, loaded: Loaded) -> None:
        """Put another configuration in force. Running requests keep theirs, open sockets what they were opened with."""
        waiting = restart.waiting(self._started, loaded.config)
        if waiting:
            log.warning("Changed, but in force only after a restart: %s", ", ".join(waiting))
        self.loaded = loaded = restart.guarded(self._started, self.loaded, loaded)
        self._redactor.add(loaded.config.secrets())
        if self._recorder is not None:
            self._recorder.settings = loaded.config.history
        self._endpoint.settings = loaded.config.server
        self._record(lambda at: events.ConfigChanged(at, loaded, waiting))
        self._reconfigure()

    def reject(self, problems: tuple[str, ...]) -> None:
        """A changed configuration cannot be used; the one in force stays."""
        self._record(lambda at: events.ConfigRejected(at, problems))

    def clear_cooldowns(self, target: Target | None = None) -> None:
        """Let one cooling target, or all of them, be tried again at once."""
        self._dispatcher.clear(target)

    def simulate(self, provider: str, kind: OutageKind | None) -> None:
        """Break a provider of the running chain for :data:`outage.SECONDS`; without a kind, end that."""
        until = self._clock.wall() + outage.SECONDS
        self._dispatcher.simulate(None if kind is None else Outage(provider, kind, until))

    def resumed(self, seconds: float) -> None:
        """The machine slept for so long, or its clock was set (0): old connections are dead, coolings over sooner."""
        log.info("The machine slept for %.0f s, or its clock was set", seconds)
        self._dispatcher.resumed(seconds)
        self._transport.renew(seconds)

    async def check_providers(self, model: str) -> list[Finding]:
        """Look at every target of the route for ``model`` now. Coolings that waited for the user to act end."""
        from ccproxy_tray.check import check

        findings = await check(self.loaded.config, self._environ, model)
        self._reconfigure()
        return findings

    def _greeted(self) -> None:
        """A client has started: its first request finds a connection to the first choice ready."""
        runtime = self._dispatcher.runtime
        routing = runtime.config.routing
        able = (step for step in routing.provider_sequence if not runtime.providers[step.name].missing())
        step = next((step for step in able if routing.only in ("", step.name)), None)
        if step is not None and (self._warming is None or self._warming.done()):
            url = runtime.providers[step.name].address(step.variants[0].region)
            self._warming = asyncio.create_task(self._transport.warm(url))

    def _unsubscribe(self) -> None:
        for unsubscribe in self._subscriptions:
            unsubscribe()

    def _reconfigure(self) -> None:
        """New requests run under new providers, which look for their credentials afresh."""
        runtime = Runtime(self.loaded.config, providers(self.loaded.config.providers, self._environ))
        self._dispatcher.reconfigure(runtime)
        self._lookout.begin(runtime)

    def _remembered(self) -> dict[str, Any]:
        return self._state.cooldowns.dump(self._clock.monotonic(), self._clock.wall())

    async def _recollect(self, reader: Reader) -> None:
        ended = await recollect(reader, self.journal.snapshot.started)
        if ended:
            self._record(lambda at: events.DayRecalled(at, ended))

    async def _recalled(self) -> object:
        return None if self._memory is None else await self._memory.load()

    def _recall(self, saved: object) -> None:
        self._state.cooldowns.load(saved, self._clock.monotonic(), self._clock.wall())

    def _remember(self, event: Event, _snapshot: Snapshot) -> None:
        if self._memory is not None and isinstance(event, events.Cooled):
            self._memory.touch()

    def _keep(self, event: Event, _snapshot: Snapshot) -> None:
        if self._recorder is not None and isinstance(event, _HISTORY):
            self._recorder.take(event)

    def _history_told(self, problem: str) -> None:
        self._record(lambda at: events.HistoryTold(at, problem))

    def _record(self, event: Callable[[float], Event]) -> None:
        self.journal.record(event(self._clock.wall()))


def tell_log(event: Event, _snapshot: Snapshot) -> None:
    """One line for each request, with its story; a line for each change that a user wants to know of."""
    match event:
        case events.Served() | events.FellBack():
            log.info("%s: %s", event.story.request_id, shown(line(event.story), 1000))
        case events.Exhausted() | events.Refused():
            story = shown(line(event.story), 1000)
            log.warning("%s: %d, %s [%s]", event.story.request_id, event.status, shown(event.message), story)
        case events.BrokeOff():
            story = shown(line(event.story), 1000)
            log.warning("%s: broke off: %s [%s]", event.story.request_id, shown(event.reason), story)
        case events.Abandoned():
            log.info("%s: the client left [%s]", event.story.request_id, shown(line(event.story), 1000))
        case events.WentOffline():
            log.warning("Offline: no provider can be reached")
        case events.CameBack():
            log.info("Online again")
        case events.OutageSimulated(outage=None):
            log.info("The simulated outage is over")
        case events.OutageSimulated(at=at, outage=Outage() as played):
            log.warning("Simulated outage of %s: %s, for %.0f s", played.provider, played.kind, played.until - at)
        case events.ConfigRejected():
            log.error("The changed configuration is not used: %s", shown("; ".join(event.problems), 1000))
        case _:
            return
