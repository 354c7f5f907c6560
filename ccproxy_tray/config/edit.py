"""The user's file with some keys set anew: every other character of it stays.

A change is verified before it is written: the new text must mean what the old one meant, except for the keys in
question, and these must mean their new values.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from ccproxy_tray.config.document import MAX_BYTES, Listing, Node, Scalar, Table, find, parse
from ccproxy_tray.config.files import PRIVATE_FILE, default_text, real, remedy, write_atomically
from ccproxy_tray.config.report import Report
from ccproxy_tray.config.source import BY_HAND, CannotEdit, Source
from ccproxy_tray.config.spelling import Value, plain
from ccproxy_tray.config.splice import spliced
from ccproxy_tray.config.value import flag

__all__ = ["CannotEdit", "Value", "change", "edit"]

ATTEMPTS = 3
"""How often a change is tried while somebody else keeps saving the file."""

_BOM = "\ufeff"
_KEY = re.compile(r'(?:"([^"]*)"|([^".]+))(?:\.(?=.)|\Z)')


def change(path: Path, changes: Mapping[str, Value]) -> bool:
    """Set keys in the user's file; False when they are set so already, and the file is not touched then.

    A file that is gone starts again from the default one. Raises CannotEdit, with the file as it was. Blocks.
    """
    for _ in range(ATTEMPTS):
        try:
            done = _attempt(path, changes)
        except OSError as fault:
            what = f"{path} cannot be changed: {fault.strerror or fault}"
            raise CannotEdit(f"{what}; {remedy(fault, 'check who may write to it and to its directory')}") from fault
        if done is not None:
            return done
    raise CannotEdit(f"{path} is being changed by another program; try again when that has finished")


def _attempt(path: Path, changes: Mapping[str, Value]) -> bool | None:
    """None when the file has changed meanwhile."""
    before = _read(path)
    # What is not UTF-8 goes through as surrogates, which edit() refuses with their line.
    text = default_text() if before is None else before.decode("utf-8", "surrogateescape")
    after = edit(text, changes, path.name)
    if after == text:
        return False
    mode = PRIVATE_FILE if before is None else stat.S_IMODE(path.stat().st_mode)
    if before is not None and not (mode & stat.S_IWUSR and os.access(path, os.W_OK)):
        raise CannotEdit(f"{path} is read-only; make it writable, or {BY_HAND}")
    if not real(path).parent.is_dir():
        raise CannotEdit(f"the directory of {path} is gone; bring it back, or start again to have a new file")
    return write_atomically(path, after, mode=mode, ready=lambda: _read(path) == before) or None


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None


def edit(text: str, changes: Mapping[str, Value], name: str = "config.yaml") -> str:
    """The text with keys set: ``{"routing.only": "bedrock"}``. The same text when they mean that already.

    A key is a path of names with dots between them; a name that has dots itself stands in quotation marks
    (``providers."my.team".region``). ``name`` is what messages call the file. Raises CannotEdit when the text cannot
    be read, or cannot be changed without changing something else; ValueError for keys and values that make no sense.
    """
    paths = _paths(changes, name)
    body = text.removeprefix(_BOM)
    tree = _tree(body, name)
    for path, value in paths.items():
        if not _means(find(tree, path), value):
            body = spliced(Source(body, name), tree, path, value)
            tree = _verified(tree, body, path, value, name)
    return text[: len(text) - len(text.removeprefix(_BOM))] + body


def _paths(changes: Mapping[str, Value], name: str) -> dict[tuple[str, ...], Value]:
    for key, value in changes.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{key} cannot be {value}")
        if any("${" in text for text in (value if isinstance(value, tuple) else (value,)) if isinstance(text, str)):
            raise CannotEdit(f'{name}: {key} cannot be set to a text with "${{", which would mean a variable')
    paths = [_path(key) for key in changes]
    for one, other in combinations(sorted(paths), 2):
        if other[: len(one)] == one:
            raise ValueError(f"{'.'.join(other)} cannot be set together with {'.'.join(one)}")
    return dict(zip(paths, changes.values(), strict=True))


def _path(key: str) -> tuple[str, ...]:
    found = list(_KEY.finditer(key))
    path = tuple(match[1] if match[1] is not None else match[2] for match in found)
    if not key or "".join(match[0] for match in found) != key or "<<" in path:
        raise ValueError(f"not a path of names: {key!r}")
    return path


def _tree(text: str, name: str) -> Table:
    report = Report(name)
    tree = parse(text.encode("utf-8", "surrogatepass"), report)
    if report.problems:
        raise CannotEdit(report.problems[0])
    return tree


def _verified(before: Table, text: str, path: tuple[str, ...], value: Value, name: str) -> Table:
    """What the new text means, if that is exactly what was wanted."""
    report = Report(name)
    after = parse(text.encode("utf-8", "surrogatepass"), report)
    if report.problems or not _means(find(after, path), value) or _rest(after, path) != _rest(before, path):
        raise CannotEdit(f"{name}: {'.'.join(path)} stands where it cannot be changed safely; {BY_HAND}")
    return after


def _means(node: Node | None, value: Value) -> bool:
    """Whether a value that stands in the file is read as this one."""
    if isinstance(value, tuple):
        items = node.items if isinstance(node, Listing) else (node,)
        return [item.text for item in items if isinstance(item, Scalar) and not item.null] == [*value] and (
            len(items) == len(value)
        )
    if not isinstance(node, Scalar) or node.null:
        return False
    if isinstance(value, bool):
        try:
            return flag(node.text) is value
        except ValueError:
            return False
    return node.text == plain(value)


def _rest(node: Node, path: tuple[str, ...]) -> object:
    """What a tree means apart from the key at a path, and from sections on the way to it that hold nothing else."""
    if isinstance(node, Scalar):
        return None if node.null else node.text
    if isinstance(node, Listing):
        return tuple(_rest(item, ()) for item in node.items)
    rest = {}
    for key, inner in node.entries.items():
        here = path[:1] == (key,)
        value = _rest(inner, path[1:] if here else ())
        if not here or (len(path) > 1 and value not in (None, {})):
            rest[key] = value
    return rest
