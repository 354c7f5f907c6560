"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ccproxy_tray import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="ccproxy-tray", description="Keeps Claude Code alive.")
    parser.add_argument("--version", action="version", version=f"ccproxy-tray {__version__}")
    parser.parse_args(argv)
    return 0
