"""What a running proxy says of itself, for the terminal."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from ccproxy_tray.errors import CcproxyError

PATIENCE = 5.0


class NotRunning(CcproxyError):
    """Nobody answers where the proxy should be, or somebody else does."""


def fetch(url: str, token: str) -> str:
    """The /debug document of the proxy at ``url``, as JSON text. Raises NotRunning."""
    headers = {"x-api-key": token} if token else {}
    request = urllib.request.Request(f"{url}/debug", headers=headers)  # noqa: S310 - the scheme is ours
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is never proxied
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            text: str = answer.read().decode()
    except urllib.error.HTTPError as error:
        raise NotRunning(f"{url} answers with {error.code}: another program, or another server.token") from error
    except OSError as error:
        raise NotRunning(f"no proxy answers at {url}: start it with `ccproxy-tray serve`") from error
    return text


def summary(document: str) -> str:
    """The same for a person: who serves, who cools and why, what happened lately."""
    return "\n".join(_lines(json.loads(document)))


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    counts = {key: value for key, value in status.get("requests", {}).items() if isinstance(value, int) and value}
    told = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in counts.items()) or "no request yet"
    yield f"ccproxy-tray {status.get('version')} at {', '.join(status.get('urls', ()))}: {told}"
    yield f"serving: {status.get('serving') or 'nobody yet'}" + (" (on fallback)" if status.get("on_fallback") else "")
    for name, provider in status.get("providers", {}).items():
        remedy = f" ({provider['remedy']})" if provider.get("remedy") else ""
        yield f"  {name}: credentials {provider.get('credentials')}{remedy}"
    for row in status.get("rate_limits", ()):
        yield f"  cooling: {row['target']} for {row['seconds_left']:.0f} s ({row['reason']})"
    for row in status.get("fallbacks", ()):
        yield f"  {row['time']} {row['story']}"
