"""Whether an HTTP proxy of the environment catches what Claude Code sends to a loopback address.

As Claude Code 2.1.330 was seen to do it: every proxy variable counts for plain HTTP too, a ``no_proxy`` in lower case
that is not empty wins over ``NO_PROXY``, and neither wildcards within an entry nor another spelling of the same host
match.
"""

from __future__ import annotations

import ipaddress
import re

PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
BYPASSES = ("no_proxy", "NO_PROXY")
"""The first that is not empty counts."""


def bypassed(entries: str, host: str, port: int) -> bool:
    """Whether the value of NO_PROXY lets requests for this host and port go directly."""
    return any(_matches(entry.lower(), host.lower(), port) for entry in re.split(r"[\s,]+", entries) if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    plain = entry.strip("[]")
    return entry in ("*", f"{host}:{port}", f"[{host}]:{port}") or plain == host or _contains(plain, host)


def _contains(network: str, host: str) -> bool:
    """Whether an entry such as 127.0.0.0/8 holds the address."""
    try:
        return "/" in network and ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
