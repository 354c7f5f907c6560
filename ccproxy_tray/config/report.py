"""Everything that is wrong with a configuration, collected so that it is said at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from ccproxy_tray.redact import escape, redact


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a value came from, as the user would look for it.

    ``source`` is the file's name, an environment variable or ``command line``. Line and column count from 1
    and are 0 where there is none.
    """

    line: int
    source: str
    key: str = ""
    column: int = 0

    def __str__(self) -> str:
        """``config.yaml:14: routing.only``, ``config.yaml:3:7`` or ``PORT``."""
        numbers = "".join(f":{number}" for number in (self.line, self.column) if number)
        return f"{self.source}{numbers}" + (f": {self.key}" if self.key else "")


class Report:
    """Collects problems, which prevent the configuration from being used, and warnings, which do not."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._problems: list[tuple[Place, str]] = []
        self._warnings: list[tuple[Place, str]] = []

    def file(self, line: int = 0, key: str = "", column: int = 0) -> Place:
        """A place in the configuration file."""
        return Place(line, self._name, key, column)

    def problem(self, place: Place, text: str) -> None:
        """Note what keeps the configuration from being used."""
        self._problems.append((place, text))

    def warning(self, place: Place, text: str) -> None:
        """Note what the user should know but can live with."""
        self._warnings.append((place, text))

    @property
    def problems(self) -> tuple[str, ...]:
        """One line each, in the order of the file; secrets that stand where they do not belong are masked."""
        return _lines(self._problems)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line each, in the order of the file."""
        return _lines(self._warnings)

    @property
    def notes(self) -> tuple[str, ...]:
        """Problems and warnings, one line each, in the order of the file."""
        return _lines([*self._problems, *self._warnings])


def _lines(notes: list[tuple[Place, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(escape(redact(f"{place}: {text}")) for place, text in sorted(notes)))


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean "port"?`` for a near miss, else nothing."""
    close = difflib.get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
