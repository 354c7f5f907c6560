"""Where an upstream request goes, and the head that is sent before its body (RFC 9112). No I/O."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from ccproxy_tray import __version__
from ccproxy_tray.errors import AttemptFailed, Failure
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.faults import BAD_URL, broken

USER_AGENT = f"ccproxy-tray/{__version__}"
_PORTS = {"http": 80, "https": 443}
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_FIELD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*"
_FIELDS = re.compile(rf"(?:{_FIELD}\r\n)*")
_ONE_FIELD = re.compile(_FIELD)
_DEFAULTS = (
    ("\r\naccept:", "Accept: */*\r\n"),
    ("\r\naccept-encoding:", "Accept-Encoding: identity\r\n"),
    ("\r\nuser-agent:", f"User-Agent: {USER_AGENT}\r\n"),
)
"""What is said unless the request says it itself."""


class Origin(NamedTuple):
    """What a connection leads to. ``host`` is a name in ASCII, or an address without brackets."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Address:
    """A URL taken apart: ``field`` is the Host field, ``target`` path and query as they go into the request line."""

    origin: Origin
    field: str
    target: str
    authorization: str
    """For a URL with a user's name and password; else empty."""


@lru_cache(maxsize=256)
def address(url: str) -> Address:
    """The address of a URL whose path is percent-encoded already. Raises AttemptFailed."""
    try:
        return _address(url)
    except (KeyError, ValueError) as error:  # UnicodeError, from a name that IDNA does not allow, is a ValueError
        raise AttemptFailed(BAD_URL) from error


def _address(url: str) -> Address:
    if _UNSAFE.search(url):
        raise ValueError("white space or a control character")  # urlsplit would leave some of them out
    parts = urlsplit(url)
    usual = _PORTS[parts.scheme]
    host = _ascii(parts.hostname or "")
    if not host:
        raise ValueError("no host")
    port = usual if parts.port is None else parts.port
    field = f"[{host}]" if ":" in host else host
    if port != usual:
        field = f"{field}:{port}"
    target = quote(parts.path or "/", safe=_VISIBLE)
    if parts.query:
        target = f"{target}?{quote(parts.query, safe=_VISIBLE)}"
    return Address(Origin(parts.scheme, host, port), field, target, authorization(parts))


def head(outgoing: Outgoing, to: Address) -> bytes:
    """Request line and fields, up to the empty line. Raises AttemptFailed for a header that HTTP cannot carry."""
    headers = outgoing.headers
    said = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    # A line break within a value would be a field more, and a colon within a name the end of it.
    if not _FIELDS.fullmatch(said) or said.count("\n") != len(headers) or ":" in "".join(headers):
        raise AttemptFailed(_unsendable(headers))
    known = f"\r\n{said.lower()}"
    if "\r\nhost:" not in known:
        said = f"Host: {to.field}\r\n{said}"
    for name, default in _DEFAULTS:
        if name not in known:
            said += default
    if to.authorization and "\r\nauthorization:" not in known:
        said += f"Authorization: {to.authorization}\r\n"
    if outgoing.body or outgoing.method not in ("GET", "HEAD"):
        said += f"Content-Length: {len(outgoing.body)}\r\n"
    return f"{outgoing.method} {to.target} HTTP/1.1\r\n{said}\r\n".encode("latin-1")


def _unsendable(headers: Mapping[str, str]) -> Failure:
    """Names the field, and not its value, which may be a key."""
    fields = headers.items()
    name = next(name for name, value in fields if ":" in name or not _ONE_FIELD.fullmatch(f"{name}: {value}"))
    return broken(f"the header {name!r} cannot be sent: HTTP cannot carry all of its characters", "header")


def _ascii(host: str) -> str:
    return host.encode("idna").decode("ascii")  # Refuses empty and overlong labels, too.


def authorization(parts: SplitResult) -> str:
    """What a URL with a name and a password asks to be sent, in UTF-8 (RFC 7617, 2.1); empty for any other."""
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode('ascii')}"
