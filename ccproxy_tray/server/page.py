"""The status page: the static files of ``web/``, by their exact names and nothing else.

They hold no data and need no token: what the page shows it asks for by itself. A strict policy (Content Security
Policy, Level 3) lets it run its own scripts only and talk to nobody but us. A link on another site does not open it:
``guard`` refuses what other sites ask for, on this path as on all.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ccproxy_tray.server.exchange import Exchange
from ccproxy_tray.server.route import not_found

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PATH = "/status"
BELOW = "/status/"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
"""The kinds of files that are served. Browsers take modules only under a JavaScript type (HTML, "Fetching scripts")."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_INDEX = "index.html"
_TAG = re.compile(r'(?:W/)?("[^"]*")')


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent. ``etag`` changes with every byte of it."""

    content: bytes
    media_type: str
    etag: str


class Page:
    """Reads every file once, when the first is asked for; a newer version of the program is a new start of it."""

    def __init__(self) -> None:
        self._files: Mapping[str, StaticFile] | None = None

    async def index(self, exchange: Exchange) -> None:
        """``GET /status``: the page."""
        await self._send(exchange, _INDEX)

    async def file(self, exchange: Exchange) -> None:
        """``GET /status/{file}``: what the page loads; for ``/status/``, which people type, the way to the page."""
        name = exchange.request.path.removeprefix(BELOW)
        await (self._send(exchange, name) if name else self.redirect(exchange))

    async def redirect(self, exchange: Exchange) -> None:
        """The way to the page, for a browser that came elsewhere."""
        headers = {"location": PATH, "cache-control": "no-store", "content-type": "text/plain", "vary": "accept"}
        await exchange.respond(303, b"", headers)

    async def _send(self, exchange: Exchange, name: str) -> None:
        if self._files is None:
            self._files = await asyncio.to_thread(_own)
        found = self._files.get(name)
        if found is None:
            raise not_found(exchange.request.method, exchange.request.path)
        headers = {**HEADERS, "content-type": found.media_type, "etag": found.etag}
        if _is_known(found.etag, exchange.request.headers.get("If-None-Match", "")):
            await exchange.respond(304, b"", headers)
        else:
            await exchange.respond(200, found.content, headers)


def _own() -> Mapping[str, StaticFile]:
    from importlib.resources import files  # nobody may ever open the page

    return _read(files("ccproxy_tray") / "web")


def _read(folder: Traversable) -> Mapping[str, StaticFile]:
    """Every file of a served kind that lies directly in the folder; none when there is no folder."""
    if not folder.is_dir():
        return {}
    return {each.name: _file(each) for each in folder.iterdir() if _suffix(each.name) in TYPES and each.is_file()}


def wants_page(accept: str) -> bool:
    """Whether an Accept header is a browser's that opens a page: everybody else asks for anything, or for JSON."""
    return "text/html" in accept.lower()


def _is_known(etag: str, condition: str) -> bool:
    """Whether an If-None-Match names this version (RFC 9110, 13.1.2: compared weakly)."""
    return condition.strip() == "*" or etag in _TAG.findall(condition)


def _file(source: Traversable) -> StaticFile:
    content = source.read_bytes()
    return StaticFile(content, TYPES[_suffix(source.name)], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _suffix(name: str) -> str:
    return f".{name.rpartition('.')[2]}"
