"""What Claude Code's settings are to say, and how they become the user's again. Writes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ccproxy_tray.desktop.claude_record import Entry, Origin, Record
from ccproxy_tray.desktop.claude_settings import AUTH_KEYS, BASE_URL, ENV, Reading
from ccproxy_tray.desktop.environment import PLACEHOLDER_TOKEN
from ccproxy_tray.desktop.json_edit import Path, edit, same
from ccproxy_tray.desktop.json_text import read

_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\]):\d{1,5}/?")


def holds_ours(reading: Reading, known: Record | None, key: str) -> bool:
    """Whether a key is set to what this program put there, by the record."""
    entry = known.entries.get(key) if known else None
    return entry is not None and reading.value(key) in entry.ours


def strays(reading: Reading, token: str = PLACEHOLDER_TOKEN) -> tuple[str, ...]:
    """Keys with the pair of values that only this program writes; ``token`` is what it writes now."""
    tokens = [key for key in AUTH_KEYS if reading.value(key) in (PLACEHOLDER_TOKEN, token)]
    ours = tokens and _LOOPBACK.fullmatch(reading.value(BASE_URL) or "")
    return (BASE_URL, *tokens) if ours else ()


def auth_key(reading: Reading, known: Record | None) -> str:
    """The one key for the token: ours, else what stands there already, else the usual one."""
    ours = [key for key in AUTH_KEYS if holds_ours(reading, known, key)]
    there = [key for key in AUTH_KEYS if key in reading.spellings]
    return [*ours, *there, *AUTH_KEYS][0]


def settled(reading: Reading, wanted: Mapping[str, str]) -> str:
    """The settings with these keys of ``env`` set."""
    return edit(reading.text, {(ENV, key): json.dumps(value) for key, value in wanted.items()})


def recorded(reading: Reading, known: Record | None, wanted: Mapping[str, str]) -> Record:
    """The way back from what is wanted: a value of ours never counts as what stood there before."""
    entries = dict(known.entries) if known else {}
    entries = {key: entry for key, entry in entries.items() if holds_ours(reading, known, key)}
    origin = known.origin if known and entries else _origin(reading)
    placeholders = (key for key in AUTH_KEYS if reading.value(key) == PLACEHOLDER_TOKEN)
    own = {*placeholders, *strays(reading, *(wanted[key] for key in AUTH_KEYS if key in wanted))}
    for key, value in wanted.items():
        entry = entries.get(key) or Entry(None if key in own else reading.spellings.get(key), ())
        entries[key] = entry.renewed(value)
    return Record(str(reading.path), origin, entries)


def _origin(reading: Reading) -> Origin:
    document = reading.document
    missing: list[str] = []
    folder = reading.path.parent
    while not folder.is_dir() and not reading.path.is_symlink():
        missing.insert(0, str(folder))
        folder = folder.parent
    return Origin(
        folders=tuple(missing),
        blank=reading.text if reading.content is not None and document.root is None else None,
        file=reading.content is not None,
        env=document.value((ENV,)) is not None,
        hollow_root=document.hollow(()) or "",
        hollow_env=document.hollow((ENV,)) or "",
    )


def restored(reading: Reading, known: Record) -> str | None:
    """The user's text: former values where ours stand, and nothing left of what only we needed. None for no file."""
    formers: dict[Path, str | None] = {
        (ENV, key): entry.former
        for key, entry in known.entries.items()
        if holds_ours(reading, known, key) and not same(reading.spellings[key], entry.former)
    }
    if not formers:
        return reading.text
    origin = known.origin
    hollow = {(): origin.hollow_root, (ENV,): origin.hollow_env}
    text = edit(reading.text, formers, hollow)
    if not origin.env and read(text).hollow((ENV,)) is not None:
        text = edit(text, {(ENV,): None}, hollow)
    if origin.file and origin.blank is None:
        return text
    return origin.blank if read(text).hollow(()) is not None else text
