"""``${NAME}`` inside a value: the environment's text in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ccproxy_tray.config.value import Unfit

_REFERENCE = re.compile(r"\$\{([^{}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Expanded:
    """The text with every reference replaced; ``missing`` names the variables that are not set.

    ``names`` are all variables that took part: a message quotes them and not what they hold.
    """

    text: str
    names: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def expand(text: str, environ: Mapping[str, str]) -> Expanded:
    """Replace each ``${NAME}``. An empty variable counts as not set. Unfit for a reference that is none."""
    names: list[str] = []

    def value(match: re.Match[str]) -> str:
        name, closed = match.groups()
        if not closed or not _NAME.fullmatch(name):
            raise Unfit('a reference to a variable is written "${NAME}"')
        names.append(name)
        return environ.get(name, "")

    expanded = _REFERENCE.sub(value, text)
    missing = tuple(dict.fromkeys(name for name in names if not environ.get(name)))
    return Expanded(expanded, tuple(dict.fromkeys(names)), missing)
