"""A JSON text with some keys set or removed, in the style of the text: every other character of it stays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ccproxy_tray.desktop.json_text import BOM, BREAK, LEVELS, Document, Member, NotEditable, Value, read

Path = tuple[str, ...]
Members = Iterable[tuple[str, str]]
"""Keys, and the JSON texts of their values."""

INDENT = "  "
"""What Claude Code indents its own settings by; used where the text shows no other habit."""


def edit(text: str, changes: Mapping[Path, str | None], hollow: Mapping[Path, str] = MappingProxyType({})) -> str:
    """The text with the keys at these paths (of one or two keys) set to JSON texts, or removed where the value is None.

    A key is put behind the last one of its object, and an object that is not there is made. Setting a string that
    stands there already in another spelling changes nothing. ``hollow`` says what to leave between the braces of an
    object whose last key goes; with what :meth:`Document.hollow` said before, removing undoes inserting exactly.
    Raises NotEditable when the text is not JSON, a parent is not an object, or a key in question stands twice.
    """
    if any(not 1 <= len(path) <= LEVELS for path in changes):
        raise ValueError("a path has one or two keys")
    for parent in dict.fromkeys(path[:-1] for path in changes):
        wanted = {path[-1]: value for path, value in changes.items() if path[:-1] == parent}
        text = _set(text, parent, {key: value for key, value in wanted.items() if value is not None})
        for key in (key for key, value in wanted.items() if value is None):
            text = _removed(text, parent, key, hollow.get(parent, ""))
    return text


def same(spelling: str | None, other: str | None) -> bool:
    """Whether two JSON texts are the same, or spell the same string."""
    if spelling is None or other is None or spelling == other:
        return spelling == other
    return spelling[0] == other[0] == '"' and bool(json.loads(spelling) == json.loads(other))


def _set(text: str, parent: Path, wanted: Mapping[str, str]) -> str:
    document = read(text)
    check(document, parent)
    if not wanted:
        return text
    if document.root is None:
        layout = _DEFAULT if not parent else _nested(_DEFAULT)
        made = _rendered(wanted.items(), layout)
        whole = made if not parent else _rendered([(parent[0], made)], _DEFAULT)
        return text[: len(BOM) if text.startswith(BOM) else 0] + whole + "\n"
    target = document.value(parent)
    if target is None:
        layout = _layout(text, document.root, None)
        return _inserted(text, document.root, [(parent[0], _rendered(wanted.items(), _nested(layout)))], layout)
    return _changed(document, target, wanted, _layout(text, target, document.root if parent else None))


def check(document: Document, parent: Path) -> None:
    """Raises NotEditable unless the root, and what stands at the parent's path, are objects or not there."""
    if document.root is not None and document.root.members is None:
        raise NotEditable(document.text, document.root.start, "the settings are not an object in braces")
    value = document.value(parent)
    if value is not None and value.members is None:
        raise NotEditable(document.text, value.start, f'"{parent[0]}" is not an object in braces')


def _changed(document: Document, target: Value, wanted: Mapping[str, str], layout: _Layout) -> str:
    text = document.text
    found = {key: document.member(target, key) for key in wanted}
    new = [(key, wanted[key]) for key, member in found.items() if member is None]
    if new:
        text = _inserted(text, target, new, layout)
    old = [(member.value, wanted[key]) for key, member in found.items() if member is not None]
    for value, spelling in sorted(old, key=lambda pair: -pair[0].start):  # from the end: earlier places stay valid
        if not same(document.text[value.start : value.end], spelling):
            text = text[: value.start] + spelling + text[value.end :]
    return text


def _inserted(text: str, target: Value, members: Members, layout: _Layout) -> str:
    """The text with new members behind the last one; all places before the end of that one stay valid."""
    if not target.members:
        return text[: target.start] + _rendered(members, layout) + text[target.end :]
    end = target.members[-1].value.end
    return text[:end] + "".join(f",{layout.lead}{_member(member, layout)}" for member in members) + text[end:]


def _removed(text: str, parent: Path, key: str, hollow: str) -> str:
    document = read(text)
    target = document.value(parent)
    member = document.member(target, key) if target else None
    if target is None or member is None:
        return text
    siblings = target.members or ()
    place = siblings.index(member)
    if len(siblings) == 1:
        return text[: target.start + 1] + hollow + text[target.end - 1 :]
    if place:
        return text[: siblings[place - 1].value.end] + text[member.value.end :]
    return text[: member.start] + text[siblings[1].start :]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How an object is written: the white space before its first member, before the others, and before its end."""

    first: str
    lead: str
    close: str
    colon: str
    unit: str | None
    """One step of indentation; None for an object on one line."""


_DEFAULT = _Layout("\n" + INDENT, "\n" + INDENT, "\n", ": ", INDENT)


def _nested(layout: _Layout) -> _Layout:
    """The layout of an object within an object of this layout."""
    if layout.unit is None:
        return layout
    deeper = layout.lead + layout.unit
    return replace(layout, first=deeper, lead=deeper, close=layout.lead)


def _layout(text: str, target: Value, root: Value | None) -> _Layout:
    """The habits of an object's last member; of an empty object those of the root around it, or Claude Code's own."""
    if target.members:
        return _observed(text, target, target.members)
    if root is not None:
        return _nested(_layout(text, root, None))
    found = BREAK.search(text)
    newline = found[0] if found else "\n"
    return replace(_DEFAULT, first=newline + INDENT, lead=newline + INDENT, close=newline)


def _observed(text: str, target: Value, members: tuple[Member, ...]) -> _Layout:
    last = members[-1]
    first = text[target.start + 1 : members[0].start]
    lead = first if len(members) == 1 else text[members[-2].value.end : last.start].partition(",")[2]
    close = text[last.value.end : target.end - 1]
    colon = text[last.key_end : last.value.start]
    if BREAK.search(colon):
        colon = ": "
    if not BREAK.search(lead):
        gap = lead or (" " if len(members) == 1 and colon.endswith(" ") else "")
        pad = "" if BREAK.search(first) else first
        return _Layout(pad, gap, pad, colon, None)
    lead = _last_line(lead)
    indent, outer = BREAK.sub("", lead), BREAK.sub("", _last_line(close))
    unit = indent[len(outer) :] if indent.startswith(outer) else INDENT
    return _Layout(lead, lead, close, colon, unit)


def _last_line(space: str) -> str:
    """White space from its last line break on; all of it where it has none."""
    breaks = list(BREAK.finditer(space))
    return space[breaks[-1].start() :] if breaks else space


def _rendered(members: Members, layout: _Layout) -> str:
    body = f",{layout.lead}".join(_member(member, layout) for member in members)
    return f"{{{layout.first}{body}{layout.close}}}"


def _member(member: tuple[str, str], layout: _Layout) -> str:
    return f"{json.dumps(member[0])}{layout.colon}{member[1]}"
