"""Settings as the menu and the command line change them: one key of the user's file each."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ccproxy_tray.config import edit, files
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Config, Loaded, Notification
from ccproxy_tray.config.value import flag
from ccproxy_tray.errors import CcproxyError, ConfigError
from ccproxy_tray.redact import shown
from ccproxy_tray.tray.action import MoveFirst, SetNotification, SetRouting, Setting, UseOnly

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
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
    known = loaded.config.providers
    strangers = [name for name in names if name not in known]
    if strangers:
        raise Unchangeable(f"no provider is called {', '.join(strangers)}; there are {', '.join(known)}")
    return _free("routing.order", loaded), tuple(dict.fromkeys(names))


def set_key(path: Path, key: str, words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Set any key of the file to what the words say; False when it is so already.

    The file is read as it would be with the change first: one that could not be used is refused and not written. One
    that cannot be used as it is may be mended so. Raises ConfigError, CannotEdit, Unchangeable.
    """
    content = _content(path)
    before = _usable(path, environ)
    value = _value(words, _current(key, before or Loaded(Config(), "", {})))
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / path.name
        trial.write_bytes(content)
        try:
            edit.change(trial, {key: value})
        except ValueError:
            raise Unchangeable(f'"{shown(key, 60)}" is no key: `config show` prints them, as routing.order') from None
        after = load(trial, environ)
    doubts = _beyond(after.warnings, before.warnings) if before is not None else []
    if doubts:
        raise Unchangeable("; ".join(doubts))
    _free(key, after)
    return edit.change(path, {key: value})


def _content(path: Path) -> bytes:
    """What is in the file, or will be. Raises CannotEdit."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return files.default_text().encode()
    except OSError as fault:
        raise edit.CannotEdit(f"{path} cannot be read: {fault.strerror or fault}") from fault


def _usable(path: Path, environ: Mapping[str, str]) -> Loaded | None:
    """The configuration in force; None when there is a mistake in it."""
    try:
        return load(path if files.stands(path) else None, environ)
    except ConfigError:
        return None


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
        return tuple(filter(None, words))
    with suppress(ValueError):  # then it is a text, which the configuration may take or refuse
        if isinstance(current, bool):
            return flag(text)
        if isinstance(current, int | float) and _NUMBER.fullmatch(text):
            return float(text) if "." in text else int(text)
    return text


def _free(key: str, loaded: Loaded) -> str:
    """The key, if the file decides it. Raises Unchangeable."""
    source = loaded.sources.get(key, "default")
    if source not in ("file", "default"):
        raise Unchangeable(f"{key} is set by {source}, which wins over the file.")
    return key
