"""What a running proxy says of itself, for the terminal."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ccproxy_tray.errors import CcproxyError

PATIENCE = 5.0


class NotRunning(CcproxyError):
    """Nobody answers where the proxy should be, or somebody else does."""


def fetch(url: str, token: str) -> dict[str, Any]:
    """The /debug document of the proxy at ``url``. Raises NotRunning."""
    try:
        document = json.loads(_read(url, token))
    except (http.client.HTTPException, ValueError):
        document = None
    if not isinstance(document, dict) or "version" not in document:
        raise NotRunning(f"another program answers at {url}")
    return document


def _read(url: str, token: str) -> bytes:
    headers = {"x-api-key": token} if token else {}
    request = urllib.request.Request(f"{url}/debug", headers=headers)  # noqa: S310 - the scheme is ours
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is never proxied
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            body: bytes = answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        raise NotRunning(f"{url} answers with {error.code}: another program, or another server.token") from error
    except OSError as error:
        raise NotRunning(f"no proxy answers at {url}: start it with `ccproxy-tray serve`") from error
    return body


def summary(document: Mapping[str, Any]) -> str:
    """The same for a person: who serves, who cools and why, what happened lately."""
    return "\n".join(_lines(document))


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    counts = {key: value for key, value in status.get("requests", {}).items() if isinstance(value, int) and value}
    told = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in counts.items()) or "no request yet"
    yield f"ccproxy-tray {status.get('version')} at {', '.join(status.get('urls', ()))}: {told}"
    yield f"serving: {status.get('serving') or 'nobody yet'}" + (" (on fallback)" if status.get("on_fallback") else "")
    if outage := status.get("outage"):
        yield f"simulated outage: {outage['provider']}, {outage['kind']}, for {outage['seconds_left']:.0f} s"
    for name, provider in status.get("providers", {}).items():
        remedy = f" ({provider['remedy']})" if provider.get("remedy") else ""
        yield f"  {name}: credentials {provider.get('credentials')}{remedy}"
    for row in status.get("rate_limits", ()):
        yield f"  cooling: {row['target']} for {row['seconds_left']:.0f} s ({row['reason']})"
    for row in status.get("fallbacks", ()):
        yield f"  {_local(row['time'])} {row['story']}"


def _local(moment: str) -> str:
    """The time on the reader's own clock, as the history shows it; what is no time stays as it is."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return moment
