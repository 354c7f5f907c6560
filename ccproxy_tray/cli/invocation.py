"""What all commands share: exit codes, and the configuration that the command line means."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ccproxy_tray.cli.output import complain
from ccproxy_tray.config import files
from ccproxy_tray.config.address import http_url, reachable
from ccproxy_tray.config.environment import DATA_VARIABLE
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.desktop.instance import running
from ccproxy_tray.errors import CcproxyError

OK = 0
FAILED = 1
BAD_CONFIG = 2
INTERRUPTED = 130


class NoAddress(CcproxyError):
    """Nobody knows yet where the proxy will serve."""

    def __init__(self) -> None:
        super().__init__(
            "server.port is 0 (any free one), so the proxy has an address only while it runs: start it first"
        )


Command = Callable[[argparse.Namespace, Mapping[str, str]], int]
"""Runs with its arguments in an environment; returns the exit code. Raises CcproxyError."""


def surroundings(args: argparse.Namespace, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of a command, in which the command line's own data folder stands in the place of a variable's."""
    given: Path | None = getattr(args, "data_dir", None)
    return environ if given is None else {**environ, DATA_VARIABLE: str(files.absolute(given))}


def path_of(args: argparse.Namespace, environ: Mapping[str, str]) -> Path:
    """The configuration file, whether or not it is there."""
    given: Path | None = args.config
    return given if given is not None else files.config_path(environ)


def loaded_for(args: argparse.Namespace, environ: Mapping[str, str]) -> Loaded:
    """The configuration for a command, under what the command line sets. Raises ConfigError."""
    path = path_of(args, environ)
    overrides = {
        f"server.{key}": str(value) for key in ("host", "port") if (value := getattr(args, key, None)) is not None
    }
    return load(path if args.config is not None or files.stands(path) else None, environ, overrides)


def create(args: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Write a configuration with comments where there is none, unless a file was named."""
    if args.config is not None:
        return
    path = path_of(args, environ)
    try:
        files.create_default(path)
    except OSError as error:
        if files.stands(path):  # it cannot be reached, which reading it will say
            return
        complain(f"warning: {path} cannot be written ({error.strerror}); going on with the defaults")
    if path.is_symlink() and not files.stands(path):
        complain(
            f"warning: {path} leads to {files.real(path)}, which is not there; going on with the defaults until it is"
        )


def url_of(loaded: Loaded, args: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Where this machine reaches the proxy: where the running one says, else where it is configured."""
    note = running(files.data_dir(environ), path_of(args, environ))
    if note is not None and note.url:
        return note.url
    server = loaded.config.server
    return http_url(reachable(server.host), server.port)


def address_of(loaded: Loaded, args: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """The same, to be written down. Raises NoAddress for a proxy that takes any free port, and does not run."""
    url = url_of(loaded, args, environ)
    if urlsplit(url).port == 0:
        raise NoAddress
    return url
