"""How many clients there is room for: each is an open file, and so is the way from each to its provider."""

from __future__ import annotations

import sys
from contextlib import suppress

ENOUGH = 8192
"""Open files that are never all used. macOS gives a program 256 unless it asks for more, Linux 1024."""
_OWN = 32
"""Files of the program itself: its log, its history, its loop."""


def room() -> int:
    """How many may be connected; half of the files that may be open, once the system was asked for more."""
    if sys.platform == "win32":  # which knows no such limit
        return _for(ENOUGH)
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # not allowed
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return _for(ENOUGH if soft == resource.RLIM_INFINITY else min(soft, ENOUGH))


def _for(files: int) -> int:
    return max(files - _OWN, 2) // 2
