"""The loop that asyncio runs on Windows, over sockets of any system.

Its transports and its way of accepting are Python's own (``asyncio.proactor_events``). Only what the system does for
them, to finish reads, writes and connections by itself, is done here by a selector. As there, nobody can be told of a
descriptor or a signal: ``add_reader``, ``add_writer`` and ``add_signal_handler`` raise NotImplementedError.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from asyncio.proactor_events import BaseProactorEventLoop
from collections.abc import Callable
from typing import Any

Attempt = Callable[[], Any]


class Operation(asyncio.Future[Any]):
    """One that the system has been asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, forget: Callable[[Operation], None]) -> None:
        super().__init__(loop=loop)
        self._forget = forget

    def cancel(self, msg: object = None) -> bool:
        """Before its socket is closed, whose number may be another's at once."""
        self._forget(self)
        return super().cancel(msg)


class Proactor:
    """Does one operation of each kind at a time on a socket, when its time has come."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[tuple[int, int], tuple[Operation, Attempt]] = {}
        self._loop: Any = None

    def set_loop(self, loop: object) -> None:
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[object]:
        for key, ready in self._selector.select(timeout):
            for event in (selectors.EVENT_READ, selectors.EVENT_WRITE):
                if ready & event and (waiting := self._waiting.pop((key.fd, event), None)):
                    self._register(key.fd)
                    self._finish(key.fd, event, *waiting)
        return []

    def recv(self, sock: socket.socket, size: int, _flags: int = 0) -> Operation:
        return self._begin(sock, selectors.EVENT_READ, lambda: sock.recv(size))

    def recv_into(self, sock: socket.socket, buffer: bytearray, _flags: int = 0) -> Operation:
        return self._begin(sock, selectors.EVENT_READ, lambda: sock.recv_into(buffer))

    def send(self, sock: socket.socket, data: bytes, _flags: int = 0) -> Operation:
        """All of it, as WSASend does."""
        rest = memoryview(data)

        def attempt() -> int:
            nonlocal rest
            while rest:
                rest = rest[sock.send(rest) :]
            return len(data)

        return self._begin(sock, selectors.EVENT_WRITE, attempt)

    def accept(self, listener: socket.socket) -> Operation:
        def attempt() -> tuple[socket.socket, Any]:
            sock, _ = listener.accept()
            sock.setblocking(False)
            try:
                return sock, sock.getpeername()  # which fails for a client that has gone, as AcceptEx itself does
            except OSError:
                sock.close()
                raise

        return self._begin(listener, selectors.EVENT_READ, attempt)

    def connect(self, sock: socket.socket, address: Any) -> Operation:
        sock.connect_ex(address)

        def attempt() -> None:
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "cannot connect")

        return self._begin(sock, selectors.EVENT_WRITE, attempt)

    def close(self) -> None:
        self._selector.close()

    def _stop_serving(self, _listener: socket.socket) -> None:
        pass

    def _begin(self, sock: socket.socket, event: int, attempt: Attempt) -> Operation:
        number = sock.fileno()
        assert (number, event) not in self._waiting
        operation = Operation(self._loop, self._forget)
        self._waiting[number, event] = (operation, attempt)
        self._register(number)
        return operation

    def _finish(self, number: int, event: int, operation: Operation, attempt: Attempt) -> None:
        try:
            operation.set_result(attempt())
        except BlockingIOError:
            self._waiting[number, event] = (operation, attempt)
            self._register(number)
        except OSError as fault:
            operation.set_exception(fault)

    def _forget(self, operation: Operation) -> None:
        for key, (waiting, _) in list(self._waiting.items()):
            if waiting is operation:
                del self._waiting[key]
                self._register(key[0])

    def _register(self, number: int) -> None:
        wanted = sum(event for fd, event in self._waiting if fd == number)
        known = number in self._selector.get_map()
        if known and wanted:
            self._selector.modify(number, wanted)
        elif known:
            self._selector.unregister(number)
        elif wanted:
            self._selector.register(number, wanted)


class ProactorLoop(BaseProactorEventLoop):
    """See the head of this module."""

    def __init__(self) -> None:
        super().__init__(Proactor())

    def run_forever(self) -> None:
        """As on Windows, where waiting for one's own calls begins and ends with the loop."""
        own: Any = self
        self.call_soon(own._loop_self_reading)
        try:
            super().run_forever()
        finally:
            if own._self_reading_future is not None:
                own._self_reading_future.cancel()
                own._self_reading_future = None

    def go_deaf(self) -> None:
        """Lose the socket by which other threads wake the loop, as when Windows has reset it."""
        own: Any = self
        waiting: Operation = own._self_reading_future
        own._proactor._forget(waiting)
        waiting.set_exception(ConnectionResetError(10054, "An existing connection was forcibly closed"))
