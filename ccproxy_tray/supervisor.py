"""Runs the proxy in a thread of its own, and starts it again whatever ended it.

A taken port, a broken configuration and a defect are states that the user sees and can mend, never the end of the
program. The thread is the journal's one writer, from the first event to the last.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.desktop import port_owner
from ccproxy_tray.errors import CcproxyError, ConfigError
from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import Event
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.snapshot import Phase
from ccproxy_tray.journal.tally import Tally

if TYPE_CHECKING:
    from ccproxy_tray.app import App, Elsewhere  # imported in the thread: the icon does not wait for these libraries
    from ccproxy_tray.run import Follower, Read
    from ccproxy_tray.server.listener import PortTaken

log = logging.getLogger(__name__)

T = TypeVar("T")
_Telling = Callable[[float], Event]

RETRY_SECONDS = 10.0
"""How often a port that is taken is tried again: the program that has it may end."""
FIRST_BACKOFF = 1.0
MAX_BACKOFF = 60.0
"""Seconds before the proxy is started again after a defect ended it, doubling from the first to the longest."""
STEADY_SECONDS = 300.0
"""After so long a run, a defect counts as the first one again."""
STOPPING_SECONDS = 15.0
"""The endpoint stops within 10 s; then it is left to the process's own end."""


class NotServing(CcproxyError):
    """The proxy does not run at the moment, so nobody can do what was asked."""

    def __init__(self) -> None:
        super().__init__("The proxy is not running at the moment; the first line of the menu says why.")


class Blocked(CcproxyError):
    """The port cannot be had, and no other one may be taken; the message says who has it and what to do."""


@dataclass(frozen=True, slots=True)
class _Serving:
    """A running proxy, as other threads reach it. ``over`` ends it."""

    loop: asyncio.AbstractEventLoop
    app: App
    follower: Follower
    over: asyncio.Event

    def call(self, function: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # its loop was closed in this moment: the next one looks what was asked
            self.loop.call_soon_threadsafe(function, *args)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why nothing is served. It may be ``passing``, without anybody doing something, or our own ``defect``."""

    problems: tuple[str, ...]
    passing: bool = False
    defect: bool = False


class Supervisor:
    """The proxy's thread. Its methods may be called on any thread.

    ``read`` reads the configuration and may block; ``wall`` is the wall clock (Unix seconds).
    """

    def __init__(
        self, read: Read, environ: Mapping[str, str], journal: Journal, data_dir: Path, wall: Callable[[], float]
    ) -> None:
        self._read = read
        self._environ = environ
        self._journal = journal
        self._tally = Tally()  # counts go on over restarts: they are the program's
        self._data_dir = data_dir
        self._wall = wall
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._wake = threading.Event()
        # Shared between threads without a lock, which whatever ends the proxy might leave held. Who asks for something
        # says so and then looks whether it serves; the proxy says that it serves and then looks what was asked: one of
        # them sees the other.
        self._stopping = False
        self._again = False
        self._asked = True  # whether somebody waits for the next try, so that it is told
        self._untold: deque[_Telling] = deque()
        self._serving: _Serving | None = None

    def start(self) -> None:
        """Begin; the journal tells what becomes of it. Does nothing when it was called before."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> bool:
        """End it: running requests may end first. False when that took too long."""
        self._stopping = True
        self.restart()
        if self._thread.ident is not None:
            self._thread.join(STOPPING_SECONDS)
        return not self._thread.is_alive()

    def restart(self) -> None:
        """Close the endpoint, if it is open, read the configuration, and open it again."""
        self._again = self._asked = True
        self._wake.set()
        if (serving := self._serving) is not None:
            serving.call(serving.over.set)

    def changed(self) -> None:
        """The configuration file may say something else: read it soon. A failure that is still the same is not told."""
        self._again = True
        self._wake.set()
        if (serving := self._serving) is not None:
            serving.call(self._reread, serving.follower)

    def tell(self, event: _Telling) -> None:
        """Have an event recorded, with the moment at which that is done: this thread is the journal's only writer."""
        self._untold.append(event)
        self._wake.set()
        if (serving := self._serving) is not None:
            serving.call(self._catch_up)

    def resumed(self, seconds: float) -> None:
        """The machine slept for so long, or its clock was set (0)."""
        if (serving := self._serving) is not None:
            serving.call(serving.app.resumed, seconds)

    def ask(self, question: Callable[[App], Awaitable[T]]) -> concurrent.futures.Future[T]:
        """Have the running program do something on its loop. Raises NotServing."""
        serving = self._serving
        if serving is None:
            raise NotServing

        async def asked() -> T:
            return await question(serving.app)

        asking = asked()
        try:
            return asyncio.run_coroutine_threadsafe(asking, serving.loop)
        except RuntimeError:  # its loop was closed in this moment
            asking.close()
            raise NotServing from None

    def _run(self) -> None:
        defects = 0
        while not self._stopping:
            asked, self._again, self._asked = self._asked, False, False
            if asked:
                self._record(events.Starting)
            began = time.monotonic()
            failure = self._attempt()
            if failure is not None:
                steady = time.monotonic() - began > STEADY_SECONDS
                defects = defects + 1 if failure.defect and not steady else 0
                self._tell(failure)
                self._wait(_pause(failure, defects))
        self._record(events.Stopped)

    def _wait(self, seconds: float | None) -> None:
        """Until somebody asks for another try, or for so long; what is told meanwhile is recorded."""
        until = None if seconds is None else time.monotonic() + seconds
        while not (self._again or self._stopping):
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return
            self._wake.wait(left)
            self._wake.clear()
            self._catch_up()

    def _reread(self, follower: Follower) -> None:
        self._again = False
        follower.look()

    def _record(self, event: _Telling) -> None:
        self._journal.record(event(self._wall()))

    def _catch_up(self) -> None:
        while self._untold:
            self._record(self._untold.popleft())

    def _tell(self, failure: _Failure) -> None:
        """Once for as long as nothing changes: not at every try."""
        snapshot = self._journal.snapshot
        if snapshot.phase is not Phase.FAILED or snapshot.failure != failure.problems:
            log.error("Nothing is served: %s", "; ".join(failure.problems))
            self._record(lambda at: events.StartFailed(at, failure.problems))

    def _attempt(self) -> _Failure | None:
        """Serve until told to stop or to start afresh (None), or until something prevents it."""
        try:
            asyncio.run(self._serve())
        except ConfigError as error:
            return _Failure(error.problems)
        except CcproxyError as error:
            return _Failure((str(error),), passing=True)
        except BaseException as error:  # the last line of defence: whatever ends the proxy, it comes back
            log.exception("The proxy ended unexpectedly")
            text = (
                f"The proxy ended unexpectedly ({type(error).__name__}); it starts again by itself. The log tells more."
            )
            return _Failure((text,), defect=True)
        return None

    async def _serve(self) -> None:
        from ccproxy_tray.server.listener import PortTaken

        loaded = await asyncio.to_thread(self._read)
        try:
            await self._serve_at(loaded, None)
        except PortTaken as taken:
            elsewhere = await asyncio.to_thread(_elsewhere, loaded, taken)
            log.warning("%s", elsewhere.why)
            await self._serve_at(loaded, elsewhere)

    async def _serve_at(self, loaded: Loaded, elsewhere: Elsewhere | None) -> None:
        from ccproxy_tray.app import App
        from ccproxy_tray.run import Follower

        program = App(
            loaded,
            self._environ,
            journal=self._journal,
            tally=self._tally,
            data_dir=self._data_dir,
            elsewhere=elsewhere,
        )
        async with program as app:
            over = asyncio.Event()
            follower = Follower(app, self._read)
            following = asyncio.create_task(follower.run())
            log.info("Serving at %s", " and ".join(app.urls))
            try:
                self._serving = _Serving(asyncio.get_running_loop(), app, follower, over)
                if self._stopping or self._asked:
                    over.set()
                if self._again:  # what was asked while it began: the file may have been read before that
                    self._reread(follower)
                self._catch_up()
                await over.wait()
            finally:
                self._serving = None
                following.cancel()
            log.info("Stopping: running requests may end first")


def _elsewhere(loaded: Loaded, taken: PortTaken) -> Elsewhere:
    """The next free port within ten, if the user has not insisted on this one. Blocks. Raises Blocked."""
    from ccproxy_tray.app import Elsewhere
    from ccproxy_tray.run import who_has

    told = who_has(taken)
    if loaded.sources.get("server.port", "default") not in ("file", "default"):
        raise Blocked(told)
    port = port_owner.free_port(taken.host, taken.port + 1)
    if port is None:
        raise Blocked(f"{told} The ten ports after it are taken, too.")
    return Elsewhere(
        port, f'{told} For now the proxy serves at {port}; "Restart proxy" takes the port back once it is free.'
    )


def _pause(failure: _Failure, defects: int) -> float | None:
    """Seconds until it is tried again unasked; None when time alone mends nothing."""
    if failure.defect:
        return min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(max(0, defects - 1), 10))
    return RETRY_SECONDS if failure.passing else None
