"""An answer on its way to the client: whole or in frames, healthy or spoiled as the record's fault says."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from aiohttp import web

from ccproxy_tray.simulator.faults import Corrupt, Cut, How, Slow, Stall
from ccproxy_tray.simulator.play import Close, Hang, Pause, Send, play
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.reply import Streamed, Whole
from ccproxy_tray.simulator.turn import Tokens


@dataclass(frozen=True, slots=True)
class Delivery:
    """What happens to one request from the answer on; the record notes it.

    ``delay`` is the seconds before each delta. ``released`` gives the event that ends a stall. ``paid`` hears what a
    whole answer cost.
    """

    request: web.Request
    record: Recorded
    delay: float
    released: Callable[[], asyncio.Event]
    paid: Callable[[Tokens], None]

    def whole(self, reply: Whole) -> web.Response:
        """An answer in one piece, unspoiled."""
        self.record.status = reply.status
        if reply.tokens is not None or (reply.status == 200 and self.record.fault is None):
            self._finish(reply.tokens)
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async def spoiled(self, reply: Whole) -> web.StreamResponse:
        """The same, spoiled."""
        half = reply.body[: len(reply.body) // 2]
        match self.record.fault:
            case Corrupt() | Cut(how=How.CLEAN):
                return self.whole(Whole(reply.status, reply.headers, half))
            case Cut(how=how):
                response = web.StreamResponse(status=reply.status, headers=reply.headers)
                response.content_length = len(reply.body)
                await response.prepare(self.request)
                await response.write(half)
                await self.cut(how)
            case Slow(seconds):
                await asyncio.sleep(seconds)
            case _:
                pass
        return self.whole(reply)

    async def stream(self, reply: Streamed) -> web.StreamResponse:
        """An answer in frames, as the fault has it."""
        response = web.StreamResponse(status=200, headers=reply.headers)
        response.enable_chunked_encoding()
        self.record.status = 200
        await response.prepare(self.request)
        fault = self.record.fault
        actions = list(play(reply.frames, fault, self.delay, reply.spoiler))
        healthy = fault is None or isinstance(fault, Slow | Stall)
        for left, action in zip(range(len(actions) - 1, -1, -1), actions, strict=True):
            if healthy and not left:
                # Noted before the last byte goes out: a client may look as soon as it has that byte.
                self._finish(reply.tokens)
            match action:
                case Send(data):
                    await response.write(data)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Hang():
                    await self.hang(None)
                case Close(How.CLEAN):
                    return response
                case Close(how):
                    await self.cut(how)
        await response.write_eof()
        return response

    async def hang(self, seconds: float | None) -> None:
        """Say nothing for so long; None: until it is released."""
        await (self.released().wait() if seconds is None else asyncio.sleep(seconds))

    async def cut(self, how: How) -> NoReturn:
        """End the connection in the middle of the answer."""
        self.record.cut = True
        if (transport := self.request.transport) is not None:
            if how is How.RST:
                # Linger for no time: the kernel answers with a reset instead of an orderly end.
                linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                transport.abort()
            else:
                transport.close()
        while True:  # The server cancels this handler as soon as it sees that the connection is gone.
            await asyncio.Event().wait()

    def _finish(self, tokens: Tokens | None) -> None:
        self.record.finished = True
        self.record.tokens = tokens
        self.paid(tokens or Tokens())
