"""A client on a raw socket, for what no HTTP library would send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.faults.checker import Answered
from tests.faults.stage import ASK, CLIENT_KEY, Stage


def request(
    body: bytes, *, method: str = "POST", path: str = "/v1/messages", headers: Mapping[str, str] | None = None
) -> bytes:
    """A request as Claude Code would send it, but for what ``headers`` says otherwise."""
    fields = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-api-key": CLIENT_KEY,
        **(headers or {}),
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join((*lines, "", "")).encode() + body


def asking(**fields: Any) -> bytes:
    """The body of the usual request."""
    return json.dumps({**ASK, **fields}).encode()


@dataclass(slots=True)
class Raw:
    """A connection to the program."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        """Write; waits while the program does not read."""
        self.writer.writelines(parts)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """The next status line and its headers, with names in lower case."""
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        fields = (line.partition(":") for line in lines)
        return int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in fields}

    async def answer(self) -> Answered:
        """The next answer, whole."""
        status, headers = await self.head()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        else:
            body = await self.reader.readexactly(int(headers["content-length"]))
        return Answered(status, {"Content-Type": headers["content-type"], **headers}, body)

    async def closed(self) -> bytes:
        """Everything until the program closes the connection."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""


@asynccontextmanager
async def connected(stage: Stage) -> AsyncIterator[Raw]:
    """Open a connection, and close it in the end."""
    stage.unjudged = True
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
