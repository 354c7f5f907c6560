"""What an upstream noted down about each request, for assertions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from ccproxy_tray.simulator.faults import Fault, Route
from ccproxy_tray.simulator.turn import Json, Tokens

_PARSE_IN_THREAD = 1 << 20
"""Bodies above this many bytes are parsed off the loop, which tests share with the program under test."""


@dataclass(slots=True, eq=False)
class Recorded:
    """One request and what became of it. Header names are lower case; repeated headers are joined with commas.

    ``body`` is None when there was none, or no JSON. ``done`` is set when the upstream has finished with the request,
    however it ended.
    """

    number: int
    method: str
    raw_path: str
    headers: Mapping[str, str]
    body: Json = None
    raw: bytes = field(default=b"", repr=False)
    """The bytes of the body, kept only until the request is done."""
    route: Route | None = None
    model: str = ""
    region: str = ""
    stream: bool = False
    status: int = 0
    problem: str = ""
    """Why the upstream refused, in its own words."""
    fault: Fault | None = None
    tokens: Tokens | None = None
    """What the answer cost, once it has gone out whole."""
    finished: bool = False
    """The answer went out whole."""
    disconnected: bool = False
    """The client left before that."""
    cut: bool = False
    """The upstream itself ended the connection."""
    done: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def path(self) -> str:
        """The raw path without the query."""
        return self.raw_path.partition("?")[0]

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path, decoded."""
        return tuple(unquote(part) for part in self.path.split("/")[1:])

    @property
    def query(self) -> dict[str, str]:
        """The query, decoded."""
        return dict(parse_qsl(self.raw_path.partition("?")[2]))


async def receive(request: web.Request, number: int) -> Recorded:
    """Read a request to its end."""
    names = dict.fromkeys(name.lower() for name in request.headers)
    headers = {name: ",".join(request.headers.getall(name)) for name in names}
    record = Recorded(number, request.method, request.raw_path, headers)
    record.raw = await request.read()
    try:
        if len(record.raw) > _PARSE_IN_THREAD:
            record.body = await asyncio.to_thread(json.loads, record.raw)
        elif record.raw:
            record.body = json.loads(record.raw)
    except (ValueError, RecursionError):
        record.body = None
    return record
