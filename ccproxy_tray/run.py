"""Headless serving: from the start to the signal that ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from ccproxy_tray.app import App
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.errors import ConfigError

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How often the configuration file is looked at."""
Ready = Callable[[Sequence[str]], None]


async def serve(
    loaded: Loaded,
    environ: Mapping[str, str],
    ready: Ready,
    read_again: Callable[[], Loaded] | None = None,
    data_dir: Path | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code. Raises CannotListen.

    ``ready`` is told the URLs as soon as connections are accepted. With ``read_again``, a changed configuration
    file takes effect within two seconds. With ``data_dir``, cooldowns survive a restart.
    """
    stop = asyncio.Event()
    _on_signals(stop)
    async with App(loaded, environ, data_dir=data_dir) as app:
        log.info("Serving at %s", " and ".join(app.urls))
        ready(app.urls)
        watching = asyncio.create_task(_watch(app, Path(loaded.path), read_again)) if read_again else None
        await stop.wait()
        log.info("Stopping: running requests may end first")
        if watching is not None:
            watching.cancel()
    return 0


def _on_signals(stop: asyncio.Event) -> None:
    """Both signals mean the same. A second one ends the process at once, as the user then expects."""
    loop = asyncio.get_running_loop()

    def asked(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)


async def _watch(app: App, path: Path, read_again: Callable[[], Loaded]) -> None:
    """Reload the configuration whenever its file changes; a broken one leaves the last good one in force."""
    # The file may have changed since the start: its first look is compared by what it says, not by its stamp.
    seen: tuple[int, ...] = ()
    known = app.loaded
    while True:
        await asyncio.sleep(POLL_SECONDS)
        stamp = await asyncio.to_thread(_stamp, path)
        if stamp == seen:
            continue
        seen = stamp
        try:
            read = await asyncio.to_thread(read_again)
        except ConfigError as error:
            app.reject(error.problems)
            continue
        except Exception as error:  # the last line of defence: a defect in reading must not end the watch
            log.exception("%s cannot be read again", path.name)
            app.reject((f"{path.name}: internal error while reading it: {type(error).__name__}",))
            continue
        if read != known:
            app.reload(read)
            log.info("%s was read again", path.name)
        known = read


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes whenever an editor saves the file; one zero while there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - one call, and the same on every platform
    except OSError:
        return (0,)
    return found.st_mtime_ns, found.st_size, found.st_ino
