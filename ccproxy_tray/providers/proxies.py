"""Which HTTP proxy an upstream is reached through.

The operating system's settings and ``HTTPS_PROXY``/``NO_PROXY`` decide, as for any other program. Loopback is
never proxied, nor a name under ``localhost`` (RFC 6761, 6.3). aiohttp's own ``trust_env`` is not used: it would also
read ``~/.netrc`` and add credentials.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from ccproxy_tray.config.address import is_loopback


def proxy_for(url: str) -> str | None:
    """The proxy's URL, or None for a direct connection. May block: some systems ask their resolver."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or host.endswith(".localhost"):
        return None
    from urllib.request import getproxies, proxy_bypass  # brings a whole HTTP client

    if proxy_bypass(host):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    return found if found and found.startswith(("http://", "https://")) else None


class Proxies:
    """Remembers the answer for each origin, so that the operating system is asked once."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}

    async def find(self, url: str) -> str | None:
        """The proxy for this URL's origin; asked for in a thread the first time."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._known:
            self._known[origin] = await asyncio.to_thread(proxy_for, origin)
        return self._known[origin]
