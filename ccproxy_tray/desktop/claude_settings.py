"""Claude Code's user settings: read with the places of our keys, and written back only if nobody else wrote meanwhile.

Of the whole file only three keys of ``env`` are of interest (Claude Code settings, "Environment variables"): the
gateway's URL, and the two that a token for it may stand in. Claude Code 2.1 reads the file as strict JSON behind an
optional byte order mark, takes an empty file for no settings, and ignores a broken one as a whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from json import loads
from pathlib import Path

from ccproxy_tray.config.files import PRIVATE_FILE, real, remedy, sync_directory, write_atomically
from ccproxy_tray.desktop import json_edit
from ccproxy_tray.desktop.json_text import Document, NotEditable, read
from ccproxy_tray.errors import CcproxyError

DIRECTORY_VARIABLE = "CLAUDE_CONFIG_DIR"
BASE_URL = "ANTHROPIC_BASE_URL"
AUTH_KEYS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")
"""The first is the usual one. Claude Code warns when both are set."""
ENV = "env"
MAX_BYTES = 4 * 1024 * 1024
"""Real ones have some kilobytes. The places in a text of this size are found within seconds."""


class CannotConnect(CcproxyError):
    """The settings stay as they are; the message is one sentence with the file, what is wrong, and what to do."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The settings as they were read. ``content`` is None where there is no file; ``mode`` holds its permissions.

    ``spellings`` has the JSON texts of those of our keys that are there.
    """

    path: Path
    content: bytes | None
    mode: int
    document: Document
    spellings: Mapping[str, str]

    @property
    def text(self) -> str:
        """What is in the file; empty where there is none."""
        return self.document.text

    def value(self, key: str) -> str | None:
        """The text that a key is set to; None where it is not there, or is something else than a text."""
        spelling = self.spellings.get(key, "")
        return str(loads(spelling)) if spelling.startswith('"') else None


def settings_path(environ: Mapping[str, str], home: Path) -> Path:
    """The user's settings; ``CLAUDE_CONFIG_DIR`` names another folder than ``~/.claude``."""
    given = environ.get(DIRECTORY_VARIABLE)
    return (Path(given) if given else home / ".claude").absolute() / "settings.json"


def load(path: Path) -> Reading:
    """Read the settings. Raises CannotConnect for what cannot be read, or could not be changed safely."""
    with explained(path, "read"):
        content, mode = _content(path), PRIVATE_FILE
        if content is not None:
            mode = stat.S_IMODE(path.stat().st_mode)
    try:
        document = read((content or b"").decode("utf-8"))
        json_edit.check(document, (ENV,))
        found = {key: document.spelling((ENV, key)) for key in (BASE_URL, *AUTH_KEYS)}
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CannotConnect(f"{path} is not UTF-8 (line {line}); save it as UTF-8, then try again") from None
    except NotEditable as error:
        raise CannotConnect(f"{path} has a mistake: {error}; correct it, then try again") from None
    return Reading(path, content, mode, document, {key: value for key, value in found.items() if value is not None})


def obstacle(reading: Reading) -> str:
    """Why the file could not be changed, as one sentence; empty when it can, as far as one can know without trying."""
    path = reading.path
    target = real(path)
    if reading.content is None:
        if path.is_symlink() and not target.parent.is_dir():
            return f"{path} leads to {target}, whose folder is not there; bring it back, or remove the link"
        return ""
    # Replacing a file asks its folder only; that the user may not write to it says what the user wants.
    if not (reading.mode & stat.S_IWUSR and os.access(path, os.W_OK)):
        return f"{path} is read-only; make it writable, then try again"
    return ""


def store(reading: Reading, text: str) -> bool:
    """Replace the settings that were read by this text; False when somebody else has changed them since.

    Behind a symbolic link its target is replaced; the permissions stay. Raises CannotConnect.
    """
    with explained(reading.path, "changed"):
        return write_atomically(reading.path, text, mode=reading.mode, ready=lambda: _unchanged(reading))


def remove(reading: Reading) -> bool:
    """Remove the settings file that was read; False when somebody else has changed it since. Raises CannotConnect."""
    with explained(reading.path, "removed"):
        target = real(reading.path)
        if not _unchanged(reading):
            return False
        target.unlink()
        sync_directory(target.parent)
        return True


def _unchanged(reading: Reading) -> bool:
    return _content(reading.path) == reading.content


def _content(path: Path) -> bytes | None:
    """Raises OSError, and CannotConnect for what is no file of a sensible size."""
    try:
        # Looked at before it is opened: opening a pipe would wait for its other end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise CannotConnect(f"{path} is not a file; move it away, then try again")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(content) > MAX_BYTES:
        raise CannotConnect(f"{path} is larger than {MAX_BYTES // 1024 // 1024} MB, too large to be settings")
    return content


@contextmanager
def explained(path: Path, done: str) -> Iterator[None]:
    """Turn an OSError into the sentence of CannotConnect: this file cannot be read, changed, removed."""
    try:
        yield
    except OSError as fault:
        what = f"{path} cannot be {done}: {fault.strerror or fault}"
        raise CannotConnect(f"{what}; {remedy(fault, 'check who owns it and its folder, then try again')}") from fault
