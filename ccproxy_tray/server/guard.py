"""Who may talk to us: pure checks that come before everything else, on every path.

Loopback is not a border: any web page in the user's browser can send requests there, and DNS rebinding lets it read
the answers. So, in this order: the Host header must name us exactly (rebinding cannot change it), no foreign Origin
and no cross-site fetch, the token when one is set, and a JSON content type on POST, which a page cannot send without
asking first (we never answer such a preflight with permission: no CORS header ever leaves this program).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from multidict import MultiMapping

from ccproxy_tray.errors import RequestError
from ccproxy_tray.redact import shown

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_FOREIGN_SITES = ("cross-site", "same-site")
_READING = ("GET", "HEAD")
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Door:
    """What a request may call us: the port that it came in by, and names beside the loopback ones.

    A name stands for itself and for itself with our port; a name with a port (``localhost:9000``, for a tunnel or a
    published container port) stands for exactly that.
    """

    port: int
    names: frozenset[str] = frozenset(LOOPBACK_NAMES)

    @classmethod
    def of(cls, port: int, names: Iterable[str]) -> Door:
        """A door for the loopback names and these."""
        return cls(port, frozenset((*LOOPBACK_NAMES, *(name.lower() for name in names))))

    def admits(self, authority: str) -> bool:
        """Is this ``host[:port]`` us? Compared whole: ``localhost.evil`` and ``evil@localhost`` are not."""
        parts = _AUTHORITY.fullmatch(authority.lower())
        if parts is None:
            return False
        host, port = parts[1], parts[2]
        ours = port is None or int(port) == self.port
        return (ours and host in self.names) or authority.lower() in self.names


def check_origin(method: str, target: str, headers: MultiMapping[str], door: Door) -> None:
    """Refuse a request that a foreign web page may have sent. ``target`` is the request target as it came.

    Raises RequestError: 400 for a missing Host, 421 for a foreign one (RFC 9110, 7.4), 403 for a foreign page.
    """
    hosts = headers.getall("Host", ())
    if len(hosts) != 1:
        raise RequestError(400, "The request needs exactly one Host header.")
    absolute = _ABSOLUTE.match(target)
    for authority in (hosts[0], *(absolute.groups() if absolute else ())):
        if not door.admits(authority):
            raise RequestError(421, _misdirected(authority, door))
    if not target.startswith("/") and absolute is None and target != "*":
        raise RequestError(400, "The request target must be a path.")
    own = f"http://{hosts[0]}".lower()
    for origin in headers.getall("Origin", ()):
        if method not in _READING or origin.lower() != own:
            raise RequestError(403, f"Requests from web pages are refused (Origin: {shown(origin)}).")
    if headers.get("Sec-Fetch-Site", "").lower() in _FOREIGN_SITES:
        raise RequestError(403, "Requests from other web sites are refused (Sec-Fetch-Site).")


def _misdirected(authority: str, door: Door) -> str:
    return (
        f"This proxy is not {shown(authority) or 'nobody'}: use http://127.0.0.1:{door.port}, "
        "or add the name to server.allowed_hosts."
    )


def token_headers(headers: MultiMapping[str], token: str) -> tuple[str, ...]:
    """The headers that carry the local token: ``x-api-key``, ``authorization``, both or none.

    The comparison takes the same time wherever a wrong token differs.
    """
    expected = token.encode()
    given = {"x-api-key": headers.get("x-api-key", ""), "authorization": bearer(headers.get("Authorization", ""))}
    return tuple(
        name for name, value in given.items() if hmac.compare_digest(value.encode("utf-8", "surrogateescape"), expected)
    )


def check_token(headers: MultiMapping[str], token: str) -> None:
    """Refuse a request without the local token; all is well when none is set.

    The answer is the same for a wrong token and for none. ``x-should-retry: false`` spares the user three minutes of
    the client's retries.
    """
    if token and not token_headers(headers, token):
        message = "Wrong or missing token: send server.token of this proxy as the API key or as a bearer token."
        raise RequestError(401, message, headers={"x-should-retry": "false"})


def bearer(authorization: str) -> str:
    """The credential of ``Authorization: Bearer ...``; empty for any other scheme."""
    scheme, _, credential = authorization.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def check_content_type(headers: MultiMapping[str]) -> None:
    """Refuse a body that is not declared as JSON: a form or plain text could come from any web page."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise RequestError(415, f"Content-Type must be {_JSON}, not {shown(kind) or 'missing'}.")
