"""Who has a port that this program wants, in words; and the next port that is free. Nobody is ever stopped for one."""

from __future__ import annotations

import errno
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from ccproxy_tray.config.address import http_url, reachable
from ccproxy_tray.desktop.instance import since_when
from ccproxy_tray.redact import shown

PATIENCE_SECONDS = 1.0
"""For a whole answer: a program on the same machine that takes longer is none of ours, or of no use."""
SERVICE = "ccproxy-tray"
_MAX_BYTES = 8192
_LOOPBACKS = ("127.0.0.1", "::1")
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared only
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_ELSEWHERE = "choose another port with --port, PORT or server.port"
_WAYS_TO_LOOK = {
    "darwin": "sudo lsof -nP -iTCP:{port} -sTCP:LISTEN",
    "linux": "sudo ss -ltnp 'sport = :{port}'",
}
_KEPT_BACK = (
    "Port {port} is taken by a program of the system, or kept back by Windows for Hyper-V, WSL or Docker "
    "(`netsh interface ipv4 show excludedportrange protocol=tcp`):"
)
_BLOCK, _BLOCKS = 100, 9
"""Windows keeps ports back by the hundred."""


class Kind(StrEnum):
    """What is known of whoever listens at a port."""

    US = "us"
    """This very program, started before."""
    KNOWN = "known"
    """Another program, whose process can be looked at."""
    STRANGER = "stranger"
    """A program of another user or of the system, or of nobody who could be found."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who listens. ``since`` is in Unix seconds; what is not known is empty or 0."""

    kind: Kind
    name: str = ""
    pid: int = 0
    version: str = ""
    since: float = 0.0
    url: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that listens."""

    pid: int
    name: str = ""
    since: float = 0.0


def health(host: str, port: int) -> str | None:
    """The version of the ccproxy-tray that answers ``GET /health`` there; None when anybody else, or nobody, does.

    One request on one connection, within :data:`PATIENCE_SECONDS` and 8 KiB: whoever listens may be anybody.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    request = f"GET /health HTTP/1.0\r\nHost: {http_url(host, port).removeprefix('http://')}\r\n\r\n"
    received = b""
    try:
        with socket.create_connection((host, port), PATIENCE_SECONDS) as connection:
            connection.sendall(request.encode("ascii"))
            while len(received) < _MAX_BYTES:
                connection.settimeout(max(0.001, until - time.monotonic()))
                chunk = connection.recv(_MAX_BYTES - len(received))
                if not chunk:
                    break
                received += chunk
        return _version(received)
    except (OSError, ValueError, RecursionError):
        return None


def serves(url: str) -> bool:
    """Whether a ccproxy-tray answers at this URL. Blocks for a second at worst."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    return host is not None and port is not None and health(host, port) is not None


def _version(answer: bytes) -> str | None:
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ")[1:2] != [b"200"]:
        return None
    told = json.loads(body)
    return str(told.get("version", "")) if isinstance(told, dict) and told.get("service") == SERVICE else None


def listener(host: str, port: int) -> Process | None:
    """The process that listens there, if this user may look at it. Takes some hundredths of a second on most systems.

    Linux and Windows show the user's own processes and more; macOS shows the user's own one by one.
    """
    import psutil  # needed only when a port is taken, and slow to load

    for pid, (address, taken), status in _connections(psutil):
        if pid and status == psutil.CONN_LISTEN and taken == port and _concerns(address, host):
            try:
                process = psutil.Process(pid)
                return Process(pid, process.name(), process.create_time())
            except psutil.Error:
                return Process(pid)
    return None


def _connections(psutil: Any) -> Iterator[tuple[int | None, tuple[str, int], str]]:
    try:
        for row in psutil.net_connections("tcp"):
            yield row.pid, row.laddr or ("", 0), row.status
    except (psutil.Error, OSError):  # macOS shows the whole table to root only
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                for row in process.net_connections("tcp"):
                    yield process.pid, row.laddr or ("", 0), row.status


def _concerns(address: str, host: str) -> bool:
    """Whether a socket at this address stands in the way of one for the host."""
    wanted = _LOOPBACKS if host == "localhost" else (host,)
    return address in wanted or address in _WILDCARDS or host in _WILDCARDS


def owner(
    host: str,
    port: int,
    ask: Callable[[str, int], str | None] = health,
    look: Callable[[str, int], Process | None] = listener,
) -> Owner:
    """Who listens at the port. Blocks for a second or two at worst: call it in a thread."""
    address = reachable(host)
    version = ask(address, port)
    process = look(host, port)
    if version is not None:
        pid, since = (process.pid, process.since) if process else (0, 0.0)
        return Owner(Kind.US, SERVICE, pid, version, since, http_url(address, port))
    if process is not None:
        return Owner(Kind.KNOWN, process.name, process.pid, since=process.since)
    return Owner(Kind.STRANGER)


def sentence(found: Owner, port: int, platform: str = sys.platform) -> str:
    """Who has the port, and what to do."""
    name = shown(found.name, 60)
    if found.kind is Kind.US:
        details = ", ".join(filter(None, (f"pid {found.pid}" if found.pid else "", since_when(found.since))))
        told = f"{name} {shown(found.version, 30)}".rstrip() + (f" ({details})" if details else "")
        return f"Port {port} is taken by {told}, which already serves {found.url}: use that one, or {_ELSEWHERE}."
    if found.kind is Kind.KNOWN:
        told = f"{name} (pid {found.pid})" if name else f"the program with pid {found.pid}"
        return f"Port {port} is taken by {told}: stop that program, or {_ELSEWHERE}."
    if platform == "win32":  # which shows the programs of all users, and nobody where it keeps a port back
        return f"{_KEPT_BACK.format(port=port)} {_ELSEWHERE}."
    way = _WAYS_TO_LOOK.get(platform, _WAYS_TO_LOOK["linux"]).format(port=port)
    return f"Port {port} is taken by a program of another user or of the system: `{way}` names it, or {_ELSEWHERE}."


def free_port(host: str, first: int, tries: int = 10) -> int | None:
    """The first port from ``first`` on that can be bound, on both loopbacks where both would be; None within ``tries``.

    On Windows some further ones are tried, beyond the blocks that it keeps back. Somebody else may be quicker than
    whoever uses the answer.
    """
    hosts = _LOOPBACKS if host in ("localhost", _LOOPBACKS[0]) else (host,)
    candidates = [*range(first, first + tries)]
    if sys.platform == "win32":
        candidates += [first + number * _BLOCK for number in range(1, _BLOCKS + 1)]
    return next((port for port in candidates if port < 65536 and all(_free(each, port) for each in hosts)), None)


def _free(host: str, port: int) -> bool:
    """Whether a server could listen there. A machine without IPv6 has no second loopback in the way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if sys.platform != "win32":  # as the server does; on Windows it would share the port with its owner
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as fault:
        return host == _LOOPBACKS[1] and fault.errno in _ABSENT
    return True
