"""Where the session bus listens (D-Bus Specification, "Server Addresses")."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes


def sockets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The Unix sockets that may lead to the session bus, best first; one in the abstract namespace starts with NUL.

    ``DBUS_SESSION_BUS_ADDRESS`` goes first and, behind it, the place where systemd's user bus listens: the variable is
    missing in many a shell, and wrong in one that outlived its session. Other transports are left out.
    """
    found = list(_sockets(environ.get("DBUS_SESSION_BUS_ADDRESS", "")))
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        found.append(f"{runtime}/bus")
    return tuple(dict.fromkeys(found))


def _sockets(addresses: str) -> Iterator[str]:
    for address in addresses.split(";"):
        transport, _, rest = address.strip().partition(":")
        if transport != "unix":
            continue
        values = dict(part.partition("=")[::2] for part in rest.split(","))
        if path := _unescaped(values.get("path", "")):
            yield path
        elif name := _unescaped(values.get("abstract", "")):
            yield "\0" + name


def _unescaped(value: str) -> str:
    """The value with its ``%xx`` bytes; empty if it cannot be the name of a socket."""
    name = os.fsdecode(unquote_to_bytes(value))
    return "" if "\0" in name else name
