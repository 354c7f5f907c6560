"""The proxy from its start to its end: with the configuration file followed, headless or under a supervisor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ccproxy_tray.app import App
from ccproxy_tray.aside import apart
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.errors import ConfigError
from ccproxy_tray.journal.events import ConfigChanged, Event
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.server.listener import CannotListen, PortTaken
from ccproxy_tray.signals import Signals
from ccproxy_tray.watch import Watch

log = logging.getLogger(__name__)

Ready = Callable[[Sequence[str]], None]
Read = Callable[[], Loaded]
"""Reads the configuration in force; may block. Raises ConfigError."""


async def serve(
    loaded: Loaded,
    environ: Mapping[str, str],
    ready: Ready,
    read_again: Read | None = None,
    data_dir: Path | None = None,
    path: Path | None = None,
    changed: Callable[[Loaded], None] = lambda _loaded: None,
) -> int:
    """Serve until a signal ends it (see ``signals``); returns the exit code.

    ``ready`` is told the URLs as soon as connections are accepted. With ``read_again``, a changed configuration
    file takes effect within two seconds, also one that comes to its ``path`` only then. With ``data_dir``, cooldowns
    survive a restart. ``changed`` is told each configuration that comes into force, on the loop, the first one before
    ``ready``. Raises CannotListen, which says who has a taken port.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = Signals(lambda: loop.call_soon_threadsafe(stop.set))
    signals.install()
    try:
        program = App(loaded, environ, data_dir=data_dir)
        program.journal.subscribe(partial(_tell, changed))
        return await _serve(program, ready, read_again or (lambda: loaded), stop, path or Path(loaded.path))
    except PortTaken as taken:
        told = await asyncio.to_thread(who_has, taken)
        raise CannotListen(taken.host, taken.port, told) from taken
    finally:
        signals.restore()


def _tell(changed: Callable[[Loaded], None], event: Event, _snapshot: Snapshot) -> None:
    if isinstance(event, ConfigChanged):
        changed(event.loaded)


def who_has(taken: PortTaken) -> str:
    """Who has the port, and what to do, in a sentence. Blocks for a second or two at worst."""
    from ccproxy_tray.desktop import port_owner  # few starts meet a taken port

    return port_owner.sentence(port_owner.owner(taken.host, taken.port), taken.port)


async def _serve(program: App, ready: Ready, read: Read, stop: asyncio.Event, path: Path) -> int:
    async with program as app:
        log.info("Serving at %s", " and ".join(app.urls))
        ready(app.urls)
        follower = Follower(app, read)
        following = asyncio.create_task(follower.run())
        loop = asyncio.get_running_loop()

        def changed() -> None:
            loop.call_soon_threadsafe(follower.look)

        def resumed(seconds: float) -> None:
            loop.call_soon_threadsafe(app.resumed, seconds)

        with Watch({path: changed}, resumed):
            await stop.wait()
        log.info("Stopping: running requests may end first")
        following.cancel()
    return 0


class Follower:
    """Keeps a running configuration like its file; the last good one stays while that is broken, empty or gone."""

    def __init__(self, app: App, read: Read) -> None:
        self._app = app
        self._read = read
        self._known = app.loaded
        self._asked = asyncio.Event()

    def look(self) -> None:
        """Read the file soon; on the loop's thread."""
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._look()

    async def _look(self) -> None:
        try:
            read = await apart(self._read, "configuration")  # from a drive or a keyring that may not answer
            _refuse_defaults(read, self._known)
            if read != self._known or self._app.journal.snapshot.problems:
                self._app.reload(read)
                log.info("The configuration was read again")
            self._known = read
        except ConfigError as error:
            self._app.reject(error.problems)
        except Exception as error:  # the last line of defence: a defect in one file must not end the following
            log.exception("The configuration cannot be taken over")
            self._app.reject((f"internal error while taking over the configuration: {type(error).__name__}",))


def _refuse_defaults(read: Loaded, known: Loaded) -> None:
    """Raises ConfigError where the file is gone, or is empty because somebody saves it or the disk is full.

    The defaults in its place could send requests to other accounts.
    """
    name = Path(known.path).name
    if name and not read.path:
        gone = "is gone; what it said stays in force until it is back or the proxy starts again"
        raise ConfigError((f"{name}: {gone}",))
    if name and read.blank and not known.blank:
        empty = "is empty; what it said stays in force until there is something in it or the proxy starts again"
        raise ConfigError((f"{name}: {empty}",))
