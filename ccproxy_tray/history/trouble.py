"""What to say when the file cannot be used: sentences for people, each with what to do about it."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from ccproxy_tray.history.schema import ForeignFile, NewerFile
from ccproxy_tray.redact import shown

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DENIED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH)
_FAILED = (sqlite3.SQLITE_IOERR,)
"""Also a quota that is used up: SQLite does not tell that apart."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)

NEWER = "History is not kept: its file is of a newer version of ccproxy-tray. Update the program, or move {} away."


def damaged(error: Exception) -> bool:
    """Whether the file itself is at fault, so that it has to be set aside."""
    return isinstance(error, ForeignFile) or (isinstance(error, sqlite3.Error) and _code(error) in _DAMAGED)


def unwritten(error: Exception, path: Path) -> str:
    """Why nothing can be written."""
    if isinstance(error, NewerFile):
        return NEWER.format(path)
    code = _code(error)
    number = error.errno if isinstance(error, OSError) else 0
    if code == sqlite3.SQLITE_FULL or number in _NO_SPACE:
        return f"History is not kept: the disk is full. Make room on the disk of {path}."
    if code in _LOCKED:
        return f"History is not kept: another program holds {path}. Close that program."
    if code in _DENIED or number:
        return f"History is not kept: {path} cannot be written. Check who may write there."
    if code in _FAILED:
        return (
            f"History is not kept: writing to {path} failed. Check its disk, and whether your share of it is used up."
        )
    return f"History is not kept: {shown(str(error))} ({path})."


def unread(error: Exception, path: Path) -> str:
    """Why nothing can be read."""
    if isinstance(error, NewerFile):
        return f"The history is of a newer version of ccproxy-tray. Update the program, or move {path} away."
    if damaged(error):
        return f"The history is damaged: {path}. It is set aside when the next request cannot be written to it."
    if _code(error) in _LOCKED:
        return f"The history cannot be read: another program holds {path}. Close that program."
    if _code(error) in _DENIED or isinstance(error, OSError):
        return f"The history cannot be read: check who may read {path}."
    return f"The history cannot be read: {shown(str(error))} ({path})."


def _code(error: Exception) -> int:
    """SQLite's primary result code; the extended ones carry it in their lowest byte."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
