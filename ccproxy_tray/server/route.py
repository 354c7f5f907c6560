"""Which handler answers which method and path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from ccproxy_tray.errors import RequestError
from ccproxy_tray.redact import shown
from ccproxy_tray.server.exchange import Exchange

Handler = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path with a handler for each method; HEAD is GET without the body. ``open``: no token is asked for.

    A path that ends in ``/`` (other than ``/`` itself) stands for everything below it that no longer path stands for.
    """

    path: str
    handlers: Mapping[str, Handler]
    open: bool = False

    def handler(self, method: str) -> Handler:
        """The handler for a method. Raises RequestError 405 with ``allow``."""
        found = self.handlers.get("GET" if method == "HEAD" else method)
        if found is None:
            raise _not_allowed(method, self.handlers)
        return found


class Table:
    """All routes, looked up by the exact path: no trailing slash is forgiven, no double slash merged."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._exact = {route.path: route for route in routes}
        below = (route for route in routes if route.path.endswith("/") and route.path != "/")
        self._below = sorted(below, key=lambda route: -len(route.path))

    def find(self, path: str) -> Route | None:
        """The route of a path."""
        return self._exact.get(path) or next((each for each in self._below if path.startswith(each.path)), None)


def not_found(method: str, path: str) -> RequestError:
    """What is said of a path without a route: 404; but 405 to OPTIONS, which is never answered (no CORS)."""
    if method == "OPTIONS":
        return _not_allowed(method, ())
    message = f"Not found: {shown(method, 20)} {shown(path)}"
    if path.startswith("/v1/v1/"):
        message += ". The base URL of this proxy has no /v1 at its end"
    return RequestError(404, message)


def _not_allowed(method: str, handled: Iterable[str]) -> RequestError:
    """405 with what would be allowed (RFC 9110, 15.5.6)."""
    allowed = [name for each in handled for name in ((each, "HEAD") if each == "GET" else (each,))]
    return RequestError(405, f"Method not allowed: {shown(method, 20)}", headers={"allow": ", ".join(allowed)})
