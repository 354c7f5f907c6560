"""What stood in Claude Code's settings before the first byte of them was changed: the way back.

The record is written before the settings are, and removed after they are restored, so that at every moment either
the settings are the user's or the record says how they become so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ccproxy_tray.config.files import PRIVATE_DIRECTORY, sync_directory, write_atomically

VERSION = 1
MAX_OURS = 16
"""How many values of ours are remembered for a key; a port changes rarely, and old ones may come back from a backup."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key: the JSON text that stood there before (None for none), and what this program put there since.

    The newest of ``ours`` comes last.
    """

    former: str | None
    ours: tuple[str, ...]

    def renewed(self, value: str) -> Entry:
        """The same with one more value of ours."""
        return replace(self, ours=(*(old for old in self.ours if old != value), value)[-MAX_OURS:])


@dataclass(frozen=True, slots=True)
class Origin:
    """What the file was like before, as far as the former values do not say it."""

    folders: tuple[str, ...] = ()
    """Folders that were not there, outermost first."""
    blank: str | None = None
    """The whole text where it was nothing but white space; None where it was more, or there was no file."""
    file: bool = True
    env: bool = True
    """Whether the file, and ``env`` in it, were there."""
    hollow_root: str = ""
    hollow_env: str = ""
    """White space between the braces of objects that were empty."""


@dataclass(frozen=True, slots=True)
class Record:
    """The settings file of a hookup, and the way back. ``leaving``: the way back has been begun.

    ``owner`` is the configuration file of the program to which the settings lead; empty when nobody said.
    """

    settings: str
    origin: Origin
    entries: Mapping[str, Entry]
    leaving: bool = False
    owner: str = ""


def load(path: Path) -> Record | None:
    """The record, None where there is none or none that can be understood. Raises OSError."""
    try:
        content = json.loads(path.read_bytes())
        return _decoded(content) if content["version"] == VERSION else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # somebody else wrote into it
        return None


def save(path: Path, record: Record) -> None:
    """Write the record durably, readable by its owner only: former values may be keys. Raises OSError."""
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    write_atomically(path, json.dumps({"version": VERSION, **asdict(record)}, indent=2) + "\n")


def drop(path: Path) -> None:
    """Remove the record. Raises OSError."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def _decoded(content: dict[str, Any]) -> Record:
    """Raises ValueError, KeyError, TypeError or AttributeError for another shape."""
    origin = content["origin"]
    entries = {
        key: Entry(_text_or_none(entry["former"]), tuple(_text(value) for value in entry["ours"]))
        for key, entry in content["entries"].items()
    }
    return Record(
        settings=_text(content["settings"]),
        origin=Origin(
            folders=tuple(_text(folder) for folder in origin["folders"]),
            blank=_text_or_none(origin["blank"]),
            file=bool(origin["file"]),
            env=bool(origin["env"]),
            hollow_root=_text(origin["hollow_root"]),
            hollow_env=_text(origin["hollow_env"]),
        ),
        entries=entries,
        leaving=bool(content["leaving"]),
        owner=_text(content.get("owner", "")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
