"""What one run of the program is about: whose configuration, whose folders, in which environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ccproxy_tray.config.schema import Loaded


@dataclass(frozen=True, slots=True)
class Program:
    """Values and doors to the outside, chosen by the command line.

    ``read`` reads the configuration in force; it may block, and raises ConfigError. ``path`` is the file that clicks
    change. ``redact`` masks every secret that is known by value or shape. ``wall`` is the wall clock in Unix seconds.
    ``announce`` is told where it serves, for whoever looks for a running program; it may block. A program that is not
    ``at_home`` (the demo) leaves the user's own settings alone.
    """

    read: Callable[[], Loaded]
    path: Path
    environ: Mapping[str, str]
    data_dir: Path
    log_path: Path
    redact: Callable[[str], str]
    wall: Callable[[], float]
    announce: Callable[[str], None]
    at_home: bool = True
