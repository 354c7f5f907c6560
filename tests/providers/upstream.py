"""Raw servers that do to a connection whatever a script says."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.http import Transport

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def scripted(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A raw server; the script is told how many connections there have been."""
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await script(reader, writer, len(writers))
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:  # From Python 3.12 on it waits for them.
            writer.transport.abort()
        await server.wait_closed()


async def failed(transport: Transport, outgoing: Outgoing) -> AttemptFailed:
    async def exchange() -> None:
        response = await transport.open(outgoing)
        try:
            await response.read_whole()
        finally:
            response.close()

    with pytest.raises(AttemptFailed) as caught:
        await exchange()
    return caught.value


class Server:
    """Answers each request on each connection; what is asked as ``/slow`` in two halves."""

    def __init__(self) -> None:
        self.connections: list[int] = []
        """The connection of each request."""
        self.asked = asyncio.Event()
        """Something is asked as ``/slow``."""
        self.go_on = asyncio.Event()
        self.gone: dict[int, asyncio.Event] = {}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.gone[number] = asyncio.Event()
        try:
            while request := await head(reader):
                self.connections.append(number)
                if b"/slow " in request:
                    writer.write(OK[:-1])
                    self.asked.set()
                    await self.go_on.wait()
                    writer.write(OK[-1:])
                elif b"/late " in request:
                    self.asked.set()
                    await self.go_on.wait()
                    writer.write(OK)
                else:
                    writer.write(OK)
        finally:
            self.gone[number].set()


async def fetch(transport: Transport, url: str) -> bytes:
    response = await transport.open(Outgoing(url, {}))
    try:
        return await response.read_whole()
    finally:
        response.close()
