"""Settings as the menu and the command line change them: one key of the user's file each."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ccproxy_tray.config import edit, files
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded, Notification
from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.routing.plan import ordered
from ccproxy_tray.tray.action import MoveFirst, SetNotification, SetRouting, Setting, UseOnly

_LINE = re.compile(r"(?<=:)\d+(?=:)")


class Unchangeable(CcproxyError):
    """A setting that the file does not decide, or that would make no sense; the message says which and why."""


def change(setting: Setting, loaded: Loaded) -> tuple[str, edit.Value]:
    """The dotted key that a setting changes, and its new value. Raises Unchangeable."""
    key, value = _wanted(setting, loaded)
    return _free(key, loaded), value


def _wanted(setting: Setting, loaded: Loaded) -> tuple[str, edit.Value]:
    config = loaded.config
    match setting:
        case SetRouting(enable=enable):
            return "routing.enable", enable
        case MoveFirst(provider=provider):
            others = (name for name in config.routing.order if name != provider)
            return "routing.order", (provider, *others)
        case UseOnly(provider=provider):
            return "routing.only", provider
        case SetNotification(kind=kind, on=on):
            wanted = {*config.tray.notifications, kind} if on else {*config.tray.notifications} - {kind}
            return "tray.notifications", tuple(str(each) for each in Notification if each in wanted)


def order(names: Sequence[str], loaded: Loaded) -> tuple[str, edit.Value]:
    """``routing.order`` for these providers, which have to be known. Raises Unchangeable."""
    known = list(dict.fromkeys(step.name for step in ordered(loaded.config.routing.provider_sequence, ())))
    strangers = [name for name in names if name not in loaded.config.providers]
    if strangers:
        raise Unchangeable(f"no provider is called {', '.join(strangers)}; there are {', '.join(known)}")
    return _free("routing.order", loaded), tuple(dict.fromkeys(names))


def set_key(path: Path, key: str, words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Set any key of the file to what the words say; False when it is so already.

    The file is read as it would be with the change first: one that could not be used is refused and not written.
    Raises ConfigError, CannotEdit, Unchangeable.
    """
    loaded = load(path if path.exists() else None, environ)
    value = _value(words, _current(key, loaded))
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / path.name
        trial.write_bytes(path.read_bytes() if path.exists() else files.default_text().encode())
        edit.change(trial, {key: value})
        doubts = _beyond(load(trial, environ).warnings, loaded.warnings)
    if doubts:
        raise Unchangeable("; ".join(doubts))
    _free(key, loaded)
    return edit.change(path, {key: value})


def _beyond(warnings: Sequence[str], known: Sequence[str]) -> list[str]:
    """The warnings that are new; an old one may have moved to another line."""
    old = {_LINE.sub("", warning) for warning in known}
    return [warning for warning in warnings if _LINE.sub("", warning) not in old]


def _current(key: str, loaded: Loaded) -> object:
    """The value in force; None for a key that has no place in the configuration."""
    value: object = loaded.config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    return value


def _value(words: Sequence[str], current: object) -> edit.Value:
    """The words in the type of what stands there, so that they are written as a person would."""
    text = " ".join(words)
    if isinstance(current, tuple):
        return tuple(words)
    if isinstance(current, int | float) and text.isdecimal():
        return int(text)
    return text


def _free(key: str, loaded: Loaded) -> str:
    """The key, if the file decides it. Raises Unchangeable."""
    source = loaded.sources.get(key, "default")
    if source not in ("file", "default"):
        raise Unchangeable(f"{key} is set by {source}, which wins over the file.")
    return key
