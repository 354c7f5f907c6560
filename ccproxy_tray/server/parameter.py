"""The parameters of a reading request, read strictly: a mistake is told, not passed over.

Everything here raises RequestError 400, which names the parameter and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from multidict import MultiMapping

from ccproxy_tray.errors import RequestError
from ccproxy_tray.redact import escape, shown

MAX_TEXT = 200
_MOMENT = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?")
_CURSOR = re.compile(r"[A-Za-z0-9._:~-]{1,200}")


class Parameters:
    """The query of a request, in which each of the ``known`` names may stand once and no other."""

    def __init__(self, query: MultiMapping[str], known: Collection[str]) -> None:
        for name in query:
            if name not in known:
                raise RequestError(400, f"{shown(name, 50)}: no such parameter; there are {', '.join(known) or 'none'}")
            if len(query.getall(name)) > 1:
                raise RequestError(400, f"{name}: expected once, got several times")
        self._query = query

    def text(self, name: str) -> str | None:
        """A text as it was given, None when it was not."""
        given = self._query.get(name)
        if given is not None and (len(given) > MAX_TEXT or escape(given) != given):
            raise _unexpected(name, f"at most {MAX_TEXT} printable characters", given)
        return given

    def number(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number within bounds."""
        given = self._query.get(name)
        if given is None:
            return default
        if not (given.isascii() and given.isdigit() and len(given) <= len(str(high)) and low <= int(given) <= high):
            raise _unexpected(name, f"a whole number from {low} to {high}", given)
        return int(given)

    def moment(self, name: str) -> float | None:
        """Unix seconds, None when none were given."""
        given = self._query.get(name)
        if not given:
            return None
        if _MOMENT.fullmatch(given) is None:
            raise _unexpected(name, "Unix seconds", given)
        return float(given)

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """One of these words."""
        given = self._query.get(name, default) or default
        if given not in choices and given != default:
            raise _unexpected(name, " or ".join(choices), given)
        return given

    def cursor(self, name: str) -> str | None:
        """What an earlier answer gave to go on from, None for the beginning."""
        given = self._query.get(name)
        if not given:
            return None
        if _CURSOR.fullmatch(given) is None:
            raise no_cursor(name, given)
        return given


def no_cursor(name: str, given: str) -> RequestError:
    """Nothing that an answer gave as ``next``."""
    return _unexpected(name, "the next of an earlier answer", given)


def _unexpected(name: str, expected: str, given: str) -> RequestError:
    return RequestError(400, f"{name}: expected {expected}, got {shown(given, 60) or 'nothing'}")
