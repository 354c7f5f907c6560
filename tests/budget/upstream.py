"""An upstream and a client that cost the proxy's thread nothing: both live in threads of their own, on sockets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ccproxy_tray.simulator import bedrock_frame, chunk, event
from ccproxy_tray.simulator.turn import Text, Tokens, Turn

WHOLE = "application/json"
SSE = "text/event-stream"
FRAMES = "application/vnd.amazon.eventstream"


def turn(deltas: int) -> Turn:
    """An answer of so many deltas, each with a text of its own."""
    pieces = tuple(f"piece {n} of the answer " for n in range(deltas))
    return Turn((Text("".join(pieces), pieces=pieces),), "end_turn", tokens=Tokens(10, 20))


def answer(lane: str, *, deltas: int, stream: bool) -> bytes:
    """The whole HTTP response of an upstream of this lane."""
    said, head = turn(deltas), event.Head("msg_1", "claude-sonnet-4-5-20250929")
    chat_head = chunk.ChatHead("chatcmpl-1", "model", chunk.Style())
    usage = chunk.usage_of(Tokens(10, 20))
    if lane == "chat":
        whole = json.dumps(chunk.completion(said, chat_head, usage)).encode()
        parts = chunk.chunks(said, chat_head, usage)
    else:
        whole = json.dumps(event.message(said, head)).encode()
        parts = bedrock_frame.stream(said, head, late=False) if lane == "bedrock" else event.sse_frames(said, head)
    body = b"".join(part.data for part in parts) if stream else whole
    kind = WHOLE if not stream else FRAMES if lane == "bedrock" else SSE
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def paced(lane: str, *, deltas: int) -> tuple[bytes, ...]:
    """The same for a streaming request, one delta at a time; with the first one comes all that is before them."""
    whole = answer(lane, deltas=deltas, stream=True)
    head, end, body = whole.partition(b"\r\n\r\n")
    events = _frames(body) if lane == "bedrock" else [event + b"\n\n" for event in body.split(b"\n\n")[:-1]]
    return head + end + b"".join(events[:4]), *events[4:deltas], b"".join(events[deltas:])


def _frames(body: bytes) -> list[bytes]:
    frames = []
    while body:
        length = int.from_bytes(body[:4], "big")  # of the whole frame
        frames.append(body[:length])
        body = body[length:]
    return frames


@dataclass(slots=True)
class Canned:
    """Answers every request with ``response``, or with ``pieces``: each when ``taken`` says that the client has got
    the one before it. ``connections`` were accepted, and ``connected`` says each; ``requests`` were answered.
    """

    url: str
    response: bytes = b""
    pieces: tuple[bytes, ...] = ()
    taken: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    connected: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    connections: int = 0
    requests: int = 0
    open: list[socket.socket] = field(default_factory=list)


@contextmanager
def upstream() -> Iterator[Canned]:
    """A running upstream."""
    listener = socket.create_server(("127.0.0.1", 0))
    canned = Canned(f"http://127.0.0.1:{listener.getsockname()[1]}")
    thread = threading.Thread(target=_accept, args=(listener, canned), daemon=True)
    thread.start()
    try:
        yield canned
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in canned.open:
            connection.close()
        thread.join()


def _accept(listener: socket.socket, canned: Canned) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        _at_once(connection)
        canned.connections += 1
        canned.connected.release()
        canned.open.append(connection)
        threading.Thread(target=_answer, args=(connection, canned), daemon=True).start()


def _answer(connection: socket.socket, canned: Canned) -> None:
    try:
        while _read_message(connection):
            canned.requests += 1
            if not canned.pieces:
                connection.sendall(canned.response)
            for piece in canned.pieces:
                connection.sendall(piece)
                canned.taken.acquire()
    except OSError:
        return


def ask(url: str, body: bytes, times: int, taken: threading.Semaphore | None = None) -> list[bytes]:
    """Send the same request again and again on one connection; gives the answers, heads included.

    ``taken`` is told whenever events have come.
    """
    host, _, port = url.removeprefix("http://").partition(":")
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection((host, int(port))) as connection:
        return [_exchange(connection, head + body, taken) for _ in range(times)]


def greet(url: str) -> None:
    """What Claude Code does when it starts."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"HEAD /api/hello HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def _exchange(connection: socket.socket, request: bytes, taken: threading.Semaphore | None) -> bytes:
    connection.sendall(request)
    return _read_message(connection, taken)


def _read_message(connection: socket.socket, taken: threading.Semaphore | None = None) -> bytes:
    """One HTTP message with a length, or chunked; empty when the other side has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(1 << 20)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = _length(head)
    _tell(taken, body)
    while len(body) < length if length is not None else not body.endswith(b"0\r\n\r\n"):
        more = connection.recv(1 << 20)
        _tell(taken, more)
        body += more
    return head + b"\r\n\r\n" + body


def _tell(taken: threading.Semaphore | None, data: bytes) -> None:
    if taken is not None and b"\n\n" in data:
        taken.release()


def _at_once(connection: socket.socket) -> None:
    """Send small writes as they come, without waiting for the acknowledgement of the last one."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _length(head: bytes) -> int | None:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return None
