"""The commands that serve until they are stopped."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ccproxy_tray import __version__
from ccproxy_tray.cli.invocation import OK, create, loaded_for, path_of
from ccproxy_tray.cli.output import announce, say
from ccproxy_tray.config import files
from ccproxy_tray.config.schema import Config, Loaded
from ccproxy_tray.desktop.instance import AlreadyRunning, Instance
from ccproxy_tray.errors import ConfigError

if TYPE_CHECKING:
    from ccproxy_tray.desk import Desk  # these are imported where they are used: when it serves already,
    from ccproxy_tray.log import Log  # and since most commands write no log

ALLOCATIONS = 20_000
"""Objects that are made and kept before Python looks for cycles among them. A request of 150 KB makes some 2,000, of
which none is in a cycle: at Python's own 700, the search for cycles takes a tenth of what a request costs."""


def tray(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Serve with an icon; a second start shows what runs already."""
    from ccproxy_tray import log, resident  # the tray's libraries are needed by two commands only
    from ccproxy_tray.desktop import opening
    from ccproxy_tray.program import Program

    gc.set_threshold(ALLOCATIONS)
    try:
        instance = Instance.claim(files.data_dir(environ), path_of(args, environ))
    except AlreadyRunning as error:
        say(str(error))
        with suppress(opening.CannotOpen):  # what runs is running, whether or not it can be shown here
            opening.open_url(f"{error.note.url}/status")
        return OK
    with instance, log.setup(_level(args), files.log_dir(environ), environ) as running_log:
        create(args, environ)
        program = Program(
            _reader(args, environ, running_log), path_of(args, environ), environ, files.data_dir(environ),
            files.log_dir(environ) / log.FILE, running_log.redact, time.time, instance.tell,
        )  # fmt: skip
        return resident.run(program, announce)


def serve(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Serve without an icon; a second start says what runs already."""
    from ccproxy_tray import log

    gc.set_threshold(ALLOCATIONS)
    create(args, environ)
    loaded = loaded_for(args, environ)
    try:
        instance = Instance.claim(files.data_dir(environ), path_of(args, environ))
    except AlreadyRunning as error:
        say(str(error))
        return OK
    secrets = loaded.config.secrets()
    with instance, log.setup(_level(args), files.log_dir(environ), environ, secrets=secrets) as running_log:
        _warn(_warnings(loaded))
        from ccproxy_tray.run import serve as run  # libraries that only somebody who may serve has to wait for

        home = _Home(instance, lambda: _desk(args, environ), loaded)

        def ready(urls: Sequence[str]) -> None:
            announce(f"ccproxy-tray {__version__} serves {urls[0]}")
            home.serves_at(urls[0])

        again = _reader(args, environ, running_log, _warnings(loaded))
        with home:
            data_dir, path = files.data_dir(environ), path_of(args, environ)
            return asyncio.run(run(loaded, environ, ready, again, data_dir, path, home.serves_with))


class _Home:
    """Where a program without a tray says that it serves, and has Claude Code's settings follow.

    In a thread of its own, since all of that waits for the disk.
    """

    def __init__(self, instance: Instance, desk: Callable[[], Desk], loaded: Loaded) -> None:
        self._instance = instance
        self._desk = desk
        self._config = loaded.config
        self._url = ""
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="home")

    def serves_at(self, url: str) -> None:
        """It serves."""
        self._url = url
        self._worker.submit(self._settle, self._config)

    def serves_with(self, loaded: Loaded) -> None:
        """Now in force, perhaps with another token than before; it may not serve yet."""
        self._config = loaded.config
        if self._url:
            self._worker.submit(self._settle, self._config)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        """It ends: the settings are the user's again, where that is wanted."""
        self._worker.shutdown(cancel_futures=True)
        self._desk().leave(self._url, self._config)

    def _settle(self, config: Config) -> None:
        self._instance.tell(self._url)
        self._desk().settle(self._url, config.server.token.reveal())


def _desk(args: argparse.Namespace, environ: Mapping[str, str]) -> Desk:
    """The user's desktop, whose libraries no request needs."""
    from ccproxy_tray.desk import Desk

    return Desk.at(path_of(args, environ), environ, files.data_dir(environ))


def demo(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """The whole program on simulated providers."""
    from ccproxy_tray import log
    from ccproxy_tray.demo import demo as run

    with log.setup(_level(args), None, environ) as running_log:  # a log file is the user's own program's
        return run(args.port, environ, running_log.redact, announce)


def _reader(
    args: argparse.Namespace, environ: Mapping[str, str], running_log: Log, known: Iterable[str] = ()
) -> Callable[[], Loaded]:
    """Reads the configuration in force. The log masks its secrets from then on, and tells each new warning once.

    A problem that repeats a known secret, such as a key that was pasted into the wrong line, is masked for the menu.
    """
    told = set(known)

    def read() -> Loaded:
        try:
            fresh = loaded_for(args, environ)
        except ConfigError as error:
            raise ConfigError(tuple(running_log.redact(problem) for problem in error.problems)) from None
        running_log.redact_values(fresh.config.secrets())
        warnings = [warning for warning in _warnings(fresh) if warning not in told]
        told.update(warnings)
        _warn(warnings)
        return fresh

    return read


def _warnings(loaded: Loaded) -> list[str]:
    private = files.permission_warning(Path(loaded.path)) if loaded.path else ""
    return list(filter(None, (*loaded.warnings, private)))


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        logging.getLogger(__name__).warning("%s", warning)


def _level(args: argparse.Namespace) -> int:
    return logging.DEBUG if args.verbose else logging.INFO
