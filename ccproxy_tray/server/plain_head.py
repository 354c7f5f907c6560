"""The heads of plain requests, and of the answers to them (see :mod:`ccproxy_tray.server.plain`)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from multidict import CIMultiDict, MultiDict, MultiMapping

MAX_HEAD = 16 * 1024
"""Bytes of a plain head; Claude Code's have some 1,500."""
NOT_MODIFIED = 304

_HEAD = re.compile(
    rb"(?P<method>GET|HEAD|POST) (?P<path>/|(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*+)++/?+)"
    rb"(?:\?(?P<query>[A-Za-z0-9._~=&:,-]*+))?+ HTTP/1\.1\r\n"
    rb"(?P<fields>(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++: ?+(?:[!-~]++(?: [!-~]++)*+)?+\r\n)++)\r\n"
)
"""RFC 9112, 3 and 5, less: other methods and versions; targets in which anything is encoded, empty, or a dot; white
space but for single spaces; obsolete text."""
_LENGTH = re.compile(r"0|[1-9][0-9]{0,11}")
_ODD = frozenset({"transfer-encoding", "expect", "upgrade", "trailer", "http2-settings"})
"""Headers that ask for more than a plain exchange."""


class Plain:
    """A plain request without its body. ``last``: the client wants no other answer on this connection."""

    __slots__ = ("_query", "content_length", "headers", "last", "method", "path", "raw_path")

    def __init__(self, method: str, path: str, query: str | None, headers: CIMultiDict[str], length: int) -> None:
        self.last = headers.get("connection", "").lower() == "close"
        self.method = method
        self.path = path
        self.raw_path = path if query is None else f"{path}?{query}"
        self.headers: MultiMapping[str] = headers
        self.content_length: int | None = length
        self._query = query

    @property
    def query(self) -> MultiMapping[str]:
        """What stands behind the question mark. Nothing in it is encoded."""
        pairs = (part.partition("=") for part in (self._query or "").split("&") if part)
        return MultiDict((name, value) for name, _, value in pairs)


def read_head(data: bytes) -> tuple[Plain, int] | None:
    """The request in ``data``, and where its body begins; None when it is not plain, or followed by something."""
    match = _HEAD.match(data, 0, MAX_HEAD)
    if match is None:
        return None
    pairs = [line.split(":", 1) for line in match["fields"][:-2].decode().split("\r\n")]
    fields = {name.lower(): value.strip() for name, value in pairs}
    method, path, query = match["method"].decode(), match["path"].decode(), match["query"]
    length = _LENGTH.fullmatch(fields.get("content-length", "" if method == "POST" else "0"))
    if length is None or (method != "POST" and length[0] != "0") or len(fields) < len(pairs):
        return None
    if len(data) - match.end() > int(length[0]):
        return None
    usual = fields.get("connection", "keep-alive").lower() in ("keep-alive", "close")
    if not usual or "host" not in fields or not _ODD.isdisjoint(fields):
        return None
    asked = Plain(method, path, None if query is None else query.decode(), CIMultiDict(fields), int(length[0]))
    return asked, match.end()


def answer_head(status: int, headers: Mapping[str, str], length: int | None, *, last: bool) -> bytes:
    """The head of an answer of so many bytes; None: of a stream in chunks. ``last``: the connection ends with it."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if length is None:
        fields += "transfer-encoding: chunked\r\n"
    elif status != NOT_MODIFIED:  # whose length would be that of the page (RFC 9110, 8.6)
        fields += f"content-length: {length}\r\n"
    if last:
        fields += "connection: close\r\n"
    return f"HTTP/1.1 {status} {_reason(status)}\r\n{fields}date: {_date(int(time.time()))}\r\n\r\n".encode()


@lru_cache(maxsize=64)
def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
