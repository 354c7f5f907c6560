"""Every level that Claude Code takes environment variables and settings from, as it finds them in one folder.

The order, weakest first, was seen in runs of Claude Code 2.1.330, and ``tests/clients/test_precedence.py`` sees it
again: the shell's environment, ``env`` of ``~/.claude.json``, user settings, the folder's project settings, the
folder's local settings, those of its git root, managed settings, and their drop-ins by name. A file that is not strict
JSON is ignored as a whole.
"""

from __future__ import annotations

import json
import stat
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ccproxy_tray.config.files import real
from ccproxy_tray.desktop.claude_settings import DIRECTORY_VARIABLE, ENV, settings_path
from ccproxy_tray.desktop.json_text import BOM, BREAK, NotEditable, read

MANAGED: Mapping[str, str] = MappingProxyType(
    {"win32": r"C:\Program Files\ClaudeCode", "darwin": "/Library/Application Support/ClaudeCode"}
)
"""The administrator's folder by ``sys.platform``; on Linux it is /etc/claude-code (Claude Code settings)."""
MAX_BYTES = 16 * 1024 * 1024
"""``~/.claude.json`` also holds a history and may have some megabytes."""


class Level(StrEnum):
    """Who says something, in the words that a report uses."""

    SHELL = "environment"
    STATE = "state file"
    USER = "user settings"
    PROJECT = "project settings"
    LOCAL = "local settings"
    MANAGED = "managed settings"


@dataclass(frozen=True, slots=True)
class Source:
    """What one level says. ``path`` is empty for the shell.

    ``lines`` tells the line (from 1) of each key, by ``KEY`` for settings and ``env.KEY`` for variables. ``problem``
    says why the file counts for nothing, without a word of its content; empty when it can be used.
    """

    level: Level
    path: str = ""
    content: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    problem: str = ""

    def where(self, place: str = "") -> str:
        """The file with the line of ``KEY`` or ``env.KEY``; for the shell what a reader knows it by."""
        if not self.path:
            return "the environment"
        line = self.lines.get(place)
        return f"{self.path}:{line}" if line else self.path


@dataclass(frozen=True, slots=True)
class Setting:
    """What a key or a variable is set to, by the level that wins. ``where`` is file and line, or the shell."""

    key: str
    value: Any
    source: Source
    where: str


@dataclass(frozen=True, slots=True)
class World:
    """Every level that there is, the weakest first. ``user`` is where the user's settings lie, file or not."""

    sources: tuple[Source, ...]
    user: str
    windows: bool = False

    def variable(self, name: str) -> Setting | None:
        """The environment variable as Claude Code gets it; None where nobody sets it. An empty value is a value."""
        found = [source for source in self.sources if name in source.env]
        return Setting(name, found[-1].env[name], found[-1], found[-1].where(f"{ENV}.{name}")) if found else None

    def setting(self, key: str, *levels: Level) -> Setting | None:
        """A key of the settings files themselves; of these levels only, if any are given."""
        found = [s for s in self.sources if key in s.content and (not levels or s.level in levels)]
        return Setting(key, found[-1].content[key], found[-1], found[-1].where(key)) if found else None


def look(
    environ: Mapping[str, str], home: Path, folder: Path | None, platform: str, managed: Path | None = None
) -> World:
    """What stands at every level for Claude Code in ``folder``; without one, for any folder. Reads files, never raises.

    ``managed`` replaces the administrator's folder. Policies that an administrator hands out by other ways than files
    (the registry, configuration profiles, a server) are not seen.
    """
    user = settings_path(environ, home)
    configured = bool(environ.get(DIRECTORY_VARIABLE))
    state = user.with_name(".claude.json") if configured else home / ".claude.json"
    places = [(Level.STATE, state), (Level.USER, user), *_folder_places(folder, user)]
    places += [(Level.MANAGED, path) for path in _managed(managed or Path(MANAGED.get(platform, "/etc/claude-code")))]
    found = [_source(level, path) for level, path in places]
    shell = Source(Level.SHELL, env=dict(environ))
    return World((shell, *(source for source in found if source)), str(user), windows=platform == "win32")


def _folder_places(folder: Path | None, user: Path) -> Iterator[tuple[Level, Path]]:
    if folder is None:
        return
    project = folder / ".claude" / "settings.json"
    if real(project) != real(user):  # in the home folder they are one file, also behind a link to it
        yield Level.PROJECT, project
    root = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)
    for each in dict.fromkeys((folder, root)):
        yield Level.LOCAL, each / ".claude" / "settings.local.json"


def _managed(folder: Path) -> list[Path]:
    """The administrator's file, and the drop-ins beside it in the order in which they are laid over it."""
    try:
        extra = sorted(path for path in (folder / "managed-settings.d").iterdir() if _is_drop_in(path.name))
    except OSError:
        extra = []
    return [folder / "managed-settings.json", *extra]


def _is_drop_in(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def _source(level: Level, path: Path) -> Source | None:
    """What a file says; None where there is none."""
    try:
        # Looked at before it is opened: opening a pipe would wait for its other end.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            return Source(level, str(path), problem="it is not a file of a sensible size")
        content = path.read_bytes()
        if level is Level.STATE and f'"{ENV}"'.encode() not in content:  # the usual case, in what may be megabytes
            return None
        return parsed(level, str(path), content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        return Source(level, str(path), problem=f"it cannot be read ({fault.strerror or fault})")


def parsed(level: Level, path: str, content: bytes) -> Source:
    """What the bytes of a settings file say."""
    try:
        text = content.decode("utf-8")
        plain = text.removeprefix(BOM)
        document = json.loads(plain, parse_constant=_refuse) if plain.strip() else {}
    except (ValueError, RecursionError):
        return Source(level, path, problem=_mistake(content))
    if not isinstance(document, dict):
        return Source(level, path, problem="it holds no JSON object")
    env = document.get(ENV, {})
    lines: Mapping[str, int] = {}
    if level is Level.STATE:  # of which only the variables matter, and in which there is much else
        document = {}
    else:
        lines = _lines(text)
    if not isinstance(env, dict):
        return Source(level, path, problem=f'line {lines.get(ENV, 1)}: "{ENV}" is not an object')
    return Source(level, path, document, {key: _text(value) for key, value in env.items()}, lines)


def _text(value: object) -> str:
    """A variable's value as Claude Code takes it: whatever is no text is spelled out."""
    return value if isinstance(value, str) else json.dumps(value)


def _refuse(word: str) -> None:
    """NaN and infinity, which Python would take."""
    raise ValueError(word)


def _mistake(content: bytes) -> str:
    """The first mistake in what is not JSON, by line and column; never any of its text."""
    try:
        read(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        return f"line {content.count(bytes([10]), 0, error.start) + 1}: it is not UTF-8"
    except NotEditable as error:
        return str(error)
    return "it is not JSON that Claude Code can read"


def _lines(text: str) -> dict[str, int]:
    """The line of each key of the file, and of each variable in ``env``; the last one counts, as for every parser."""
    try:
        root = read(text).root
    except NotEditable:  # Python's parser is not quite as strict
        return {}
    breaks = [match.start() for match in BREAK.finditer(text)]
    found: dict[str, int] = {}
    for member in (root and root.members) or ():
        found[member.key] = bisect(breaks, member.start) + 1
        if member.key == ENV:
            found |= {f"{ENV}.{each.key}": bisect(breaks, each.start) + 1 for each in member.value.members or ()}
    return found
