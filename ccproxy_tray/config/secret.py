"""Where a secret comes from: the value itself, ``${NAME}``, or ``keyring:NAME``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ccproxy_tray.config.expansion import expand
from ccproxy_tray.config.value import Unfit
from ccproxy_tray.redact import shown

KEYRING = "keyring:"
"""Starts a value that names an entry of the operating system's keyring."""
SERVICE = "ccproxy-tray"
"""The keyring's service name under which entries are looked up."""

Lookup = Callable[[str], str]
"""The keyring: an entry's name to its secret, empty when there is none. Raises Unfit when it cannot be asked."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The secret, and what it refers to but is not there: names of variables, or ``keyring:NAME``."""

    text: str
    missing: tuple[str, ...]


def resolve(text: str, environ: Mapping[str, str], keyring: Lookup) -> Resolved:
    """Follow the reference in the text. Raises Unfit for a malformed one and for a keyring that cannot be asked."""
    if text.startswith(KEYRING):
        found = keyring(text.removeprefix(KEYRING))
        return Resolved(found, () if found else (text,))
    expanded = expand(text, environ)
    return Resolved("" if expanded.missing else expanded.text, expanded.missing)


def remedy(missing: str) -> str:
    """What to do about one of the names in :attr:`Resolved.missing`, as a sentence."""
    if missing.startswith(KEYRING):
        name = missing.removeprefix(KEYRING)
        return f'the keyring has no entry "{name}"; store it with: keyring set {SERVICE} {name}'
    return f"the environment variable {missing} is not set"


def from_keyring(name: str) -> str:
    """Ask the operating system's keyring. The package that does is optional and takes long to import: on use only."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        raise Unfit("reading the keyring needs one more package: pip install 'ccproxy-tray[keyring]'") from None
    try:
        return keyring.get_password(SERVICE, name) or ""
    except Exception as fault:  # the last line of defence: back ends are plug-ins and raise whatever they like
        raise Unfit(f"the keyring did not answer: {shown(str(fault)) or type(fault).__name__}") from fault
