"""Where the program listens and where it sends to: hosts and base URLs, checked before anything is sent there."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from ccproxy_tray.config.value import Unfit

_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_LOGIN = "a user name or password does not belong in a URL; use api_key"
"""Said of whatever looks as if it held one, since everything else that is wrong is said by quoting the text."""
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\]")


def host(text: str) -> str:
    """A host name or an address; an IPv6 address loses its brackets. ValueError for anything else."""
    word = text.strip()
    if "@" in word:
        raise Unfit("expected a host name or an address, without user name and password")
    if not _HOST.fullmatch(word):
        raise ValueError
    name = word.strip("[]")
    if ":" in name and _address(name) is None:
        raise Unfit("expected a host name or an address alone; a port has a key of its own")
    return name


def is_loopback(name: str) -> bool:
    """Whether only this machine can reach the host."""
    address = _address(name)
    return address.is_loopback if address else name.lower().rstrip(".") == "localhost"


def is_private(name: str) -> bool:
    """Whether the host is on this machine or in a network of the user's own, as far as its name tells."""
    address = _address(name)
    if address:
        return not address.is_global
    lower = name.lower().rstrip(".")
    return "." not in lower or lower.endswith(_PRIVATE_SUFFIXES)


def http_url(name: str, port: int) -> str:
    """The URL of a plain HTTP server at a host and port; an IPv6 address gets its brackets."""
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def reachable(name: str) -> str:
    """The address at which this machine reaches what listens at a host; all addresses are not one to ask."""
    # A socket at ``::`` takes IPv6 connections only.
    return {"localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)  # noqa: S104 - compared only


def leads_to(url: str, name: str, port: int) -> bool:
    """Whether a base URL is where a server at a host and port answers; a port of 0 is not known yet."""
    parts = urlsplit(url)
    there, known = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    near = is_loopback(there) and (is_loopback(name) or name != reachable(name))
    return bool(port) and port == known and (near or there == name.lower())


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def base_url(text: str, *, allow_http: bool = False) -> str:
    """A base URL without its trailing slash. Raises ValueError, and Unfit where there is more to say."""
    word = text.strip()
    if any(character <= " " or character == "\x7f" for character in word):
        raise Unfit("a URL has no blanks inside")
    parts = _parts(word)
    if parts is None:
        raise Unfit(_LOGIN) if "@" in word else ValueError
    scheme, name = parts.scheme.lower(), parts.hostname or ""
    if "@" in parts.netloc:
        raise Unfit(_LOGIN)
    if "?" in word or "#" in word:
        raise Unfit("a base URL ends before any ? or #")
    if scheme == "http" and not (allow_http or is_private(name)):
        raise Unfit("plain http shows the key to everybody on the way; use https or set allow_http: true")
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _parts(word: str) -> SplitResult | None:
    """What an address of a web server consists of; None for anything else."""
    try:
        parts = urlsplit(word)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme.lower() in {"http", "https"} and parts.hostname else None


def openrouter_url(text: str, *, allow_http: bool = False) -> str:
    """OpenRouter's root, whether the user gave it bare, with ``/api``, with ``/api/v1`` or as a whole endpoint."""
    url = openai_url(text, allow_http=allow_http).removesuffix("/messages")
    return url.removesuffix("/api/v1").removesuffix("/api")


def anthropic_url(text: str, *, allow_http: bool = False) -> str:
    """A Messages server's root: ``/v1/messages`` is added to it, so that what is given here of that goes."""
    return base_url(text, allow_http=allow_http).removesuffix("/messages").removesuffix("/v1")


def openai_url(text: str, *, allow_http: bool = False) -> str:
    """What ``/chat/completions`` is added to, also of somebody who copied the whole endpoint."""
    return base_url(text, allow_http=allow_http).removesuffix("/chat/completions")
