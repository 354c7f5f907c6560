"""One reading of a configuration: what it draws from, what it has found out, and how one scalar is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ccproxy_tray.config.document import Listing, Node, Scalar
from ccproxy_tray.config.environment import Overlay
from ccproxy_tray.config.expansion import Expanded, expand
from ccproxy_tray.config.report import Place, Report
from ccproxy_tray.config.schema import Secret
from ccproxy_tray.config.secret import Lookup, remedy, resolve
from ccproxy_tray.config.value import SECRET, Kind, Unfit, unquoted
from ccproxy_tray.redact import shown

T = TypeVar("T")

PLACEHOLDER = "your-api-key-here"
"""What sample files carry where a key belongs; it counts as no key."""
_OTHER_REFERENCE = re.compile(r"\$(?:env:)?[A-Za-z_]\w*|%\w+%|env:\w+|os\.environ/\w+")
"""How shells, Windows and other programs refer to a variable."""


@dataclass(frozen=True, slots=True)
class Given:
    """The text of one value, with where it stands and how a message quotes it."""

    text: str
    place: Place
    quote: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The sources of one reading and its growing results. ``environ`` and ``keyring`` resolve references."""

    report: Report
    environ: Mapping[str, str]
    overlay: Overlay
    keyring: Lookup
    sources: dict[str, str] = field(default_factory=dict)

    def over(self, key: str) -> Given | None:
        """What the command line or the environment says about a dotted key."""
        found = self.overlay.take(key)
        if found is None:
            return None
        source, text = found
        self.sources[key] = source
        return Given(text.strip(), self.overlay.place(key), quoted(text))

    def expanded(self, node: Scalar, place: Place) -> Given | None:
        """A scalar of the file with the environment put in; None, and a problem, when that cannot be done."""
        try:
            found = expand(node.text, self.environ)
        except Unfit as fault:
            self.report.problem(place, str(fault))
            return None
        if found.missing:
            self._missing(found.missing, place)
            return None
        return Given(found.text, place, _quote(node, found))

    def read(self, given: Given, kind: Kind[T], default: T) -> T:
        """The value; the default, and a problem, when the text is not of this kind."""
        try:
            return kind.read(given.text)
        except Unfit as fault:
            self.report.problem(given.place, str(fault))
        except ValueError:
            self.report.problem(given.place, f"expected {kind.what}, got {given.quote}")
        return default

    def text(self, node: Node, place: Place, kind: Kind[str]) -> str:
        """One element of a list or a mapping; empty, and a problem, when it is not usable."""
        given = self.expanded(node, place) if isinstance(node, Scalar) and not node.null else None
        if given is not None:
            return self.read(given, kind, "")
        if not isinstance(node, Scalar) or node.null:
            self.report.problem(place, f"expected {kind.what}, got {shape(node)}")
        return ""

    def secret(self, given: Given, *, optional: bool) -> tuple[Secret, tuple[str, ...]]:
        """A secret and what it refers to in vain; that is a problem unless the secret is ``optional``."""
        if given.text == PLACEHOLDER:
            self.report.warning(given.place, f'the placeholder "{PLACEHOLDER}" counts as not set')
            return Secret(), ()
        try:
            found = resolve(given.text, self.environ, self.keyring)
        except Unfit as fault:
            self.report.problem(given.place, str(fault))
            return Secret(), ()
        if not optional:
            self._missing(found.missing, given.place)
        text = self._bare(found.text, given.place)
        return Secret(self.read(Given(text, given.place, ""), SECRET, "")), found.missing

    def _bare(self, text: str, place: Place) -> str:
        """A key without quotation marks; they are told, and so is what stands there in the place of a key."""
        word = unquoted(text)
        if word != text.strip():
            self.report.warning(place, "has quotation marks around it, which no key has: they are left out")
        if _OTHER_REFERENCE.fullmatch(word):
            text = 'looks like a reference to a variable, but is sent as it stands; write "${NAME}" instead'
            self.report.warning(place, text)
        return word

    def _missing(self, names: tuple[str, ...], place: Place) -> None:
        for name in names:
            self.report.problem(place, remedy(name))


def quoted(text: str) -> str:
    """A text as a message quotes it."""
    return f'"{shown(text, 60)}"'


def shape(node: Node) -> str:
    """A node as a message describes it."""
    if isinstance(node, Scalar):
        return "nothing" if node.null else quoted(node.text)
    return "a list" if isinstance(node, Listing) else "keys"


def _quote(node: Scalar, found: Expanded) -> str:
    """A value from a variable is not quoted: it may be secret, and its name is what the user has to look at."""
    names = " and ".join(f"${{{name}}}" for name in found.names)
    return f"what {names} holds" if names else quoted(node.text)
