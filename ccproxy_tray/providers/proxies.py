"""Which HTTP proxy an upstream is reached through.

The operating system's settings and ``HTTPS_PROXY``/``NO_PROXY`` decide, as for any other program. Loopback is
never proxied, nor a name under ``localhost`` (RFC 6761, 6.3). aiohttp's own ``trust_env`` is not used: it would also
read ``~/.netrc`` and add credentials.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from ccproxy_tray.aside import apart
from ccproxy_tray.config.address import is_loopback

MAX_ORIGINS = 256
"""So many are remembered: an ARN names a region, and with it a host, and clients choose ARNs."""
_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str) -> str | None:
    """The proxy's URL, or None for a direct connection. May block: some systems ask their resolver."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or host.endswith(".localhost"):
        return None
    from urllib.request import getproxies, proxy_bypass  # brings a whole HTTP client

    proxies = getproxies()
    port = parts.port or _PORTS.get(parts.scheme, 0)
    if proxy_bypass(host) or proxy_bypass(f"{host}:{port}") or _within(host, proxies.get("no", "")):
        return None
    found = proxies.get(parts.scheme) or proxies.get("all") or ""
    if "://" not in found and found:
        found = f"http://{found}"  # as everybody else understands it
    return found if found.startswith(("http://", "https://")) else None


def _within(host: str, networks: str) -> bool:
    """Whether this is an address in one of the networks (``10.0.0.0/8``), which Python itself leaves out."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _networks(networks))


def _networks(listed: str) -> Iterator[IPv4Network | IPv6Network]:
    for entry in listed.split(","):
        if "/" in entry:
            with suppress(ValueError):
                yield ip_network(entry.strip(), strict=False)


class Proxies:
    """Remembers the answer for each origin, so that the operating system is asked once.

    Who asks for the same origin meanwhile shares the answer, and the thread, should the system not answer.
    """

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}
        self._asked: dict[str, asyncio.Task[str | None]] = {}

    async def find(self, url: str) -> str | None:
        """The proxy for this URL's origin; asked for in a thread the first time."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin in self._known:
            return self._known[origin]
        asked = self._asked.get(origin)
        if asked is None:
            asked = self._asked[origin] = asyncio.create_task(apart(partial(proxy_for, origin), "proxies"))
            asked.add_done_callback(partial(self._answered, origin))
        return await asyncio.shield(asked)

    def _answered(self, origin: str, asked: asyncio.Task[str | None]) -> None:
        del self._asked[origin]
        if asked.cancelled() or asked.exception() is not None:  # which is told to whoever still waits
            return
        if len(self._known) >= MAX_ORIGINS:
            self._known.clear()
        self._known[origin] = asked.result()
