from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Self

import psutil
import pytest

from ccproxy_tray.desktop import port_owner
from ccproxy_tray.desktop.instance import since_when
from ccproxy_tray.desktop.port_owner import Kind, Owner, Process, free_port, health, listener, owner, sentence, serves
from tests.server.harness import serving

SINCE = 1_763_800_000.0
ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it
OURS = {"status": "ok", "service": "ccproxy-tray", "version": "1.2.3"}


def ok(body: object, head: bytes = b"HTTP/1.0 200 OK\r\ncontent-type: application/json") -> bytes:
    return head + b"\r\n\r\n" + json.dumps(body).encode()


@contextmanager
def answering(*parts: bytes, host: str = "127.0.0.1") -> Iterator[tuple[int, list[bytes]]]:
    """A server for one connection, which writes these bytes; gives its port and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        server.settimeout(20)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(65536))
                try:
                    for part in parts:
                        connection.sendall(part)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:
                    pass  # the asker has enough

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            thread.join(20)


async def test_our_own_endpoint_says_who_it_is() -> None:
    import asyncio

    async with serving() as client:
        assert await asyncio.to_thread(health, "127.0.0.1", client.port) == "1.2.3"
        found = await asyncio.to_thread(owner, "127.0.0.1", client.port)
    assert (found.kind, found.pid, found.version) == (Kind.US, os.getpid(), "1.2.3")
    assert found.url == f"http://127.0.0.1:{client.port}"
    assert found.since == psutil.Process().create_time()


def test_one_plain_request_is_made() -> None:
    with answering(ok(OURS)) as (port, asked):
        assert health("127.0.0.1", port) == "1.2.3"
    assert asked == [f"GET /health HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}", "http://localhost:{}/"])
def test_an_address_where_one_of_ours_answers_is_served(url: str) -> None:
    with answering(ok(OURS)) as (port, _asked):
        assert serves(url.format(port))


def test_an_address_where_somebody_else_or_nobody_answers_is_not_served() -> None:
    with answering(ok({"service": "other"})) as (port, _asked):
        assert not serves(f"http://127.0.0.1:{port}")
    assert not any(map(serves, (f"http://127.0.0.1:{port}", "http://127.0.0.1", "http://127.0.0.1:x", "", "http://[")))


def test_the_second_loopback_is_asked_in_its_own_writing() -> None:
    with answering(ok(OURS), host="::1") as (port, asked):
        assert health("::1", port) == "1.2.3"
    assert f"Host: [::1]:{port}".encode() in asked[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        ok(OURS, b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/health"),
        ok(OURS, b"HTTP/1.1 500 Oops"),
        ok({"status": "ok"}),
        ok(["ccproxy-tray"]),
        b"HTTP/1.0 200 OK\r\n\r\n{",
        b"HTTP/1.0 200 OK\r\n\r\n\xff",
        b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 8000,
        ok({**OURS, "padding": "x" * 100_000}),
    ],
)
def test_anybody_elses_answer_is_not_ours(answer: bytes) -> None:
    with answering(answer) as (port, _):
        assert health("127.0.0.1", port) is None


def test_nobody_there_is_not_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert health("127.0.0.1", port) is None


def test_a_server_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, the answer never does."""
    now = iter([0.0, 0.5, 0.9, 1.5])
    monkeypatch.setattr(port_owner, "time", SimpleNamespace(monotonic=lambda: next(now)))
    one, other = socket.socketpair()
    timeouts: list[float] = []

    class Dripping:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def sendall(self, _data: bytes) -> None:
            return

        def settimeout(self, seconds: float) -> None:
            timeouts.append(seconds)

        def recv(self, _count: int) -> bytes:
            if timeouts[-1] <= 0.001:
                raise TimeoutError
            return b"H"

    monkeypatch.setattr(socket, "create_connection", lambda *_: Dripping())
    with one, other:
        assert health("127.0.0.1", 1) is None
    assert timeouts == pytest.approx([0.5, 0.1, 0.001])


LISTEN = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


def test_another_program_of_the_users_is_named() -> None:
    with subprocess.Popen(
        [sys.executable, "-ISEc", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        port = int(program.stdout.readline())
        found = owner("127.0.0.1", port, ask=lambda *_: None)
        assert (found.kind, found.pid) == (Kind.KNOWN, program.pid)
        assert found.name.lower().startswith("python")
        assert sentence(found, port) == (
            f"Port {port} is taken by {found.name} (pid {program.pid}): stop that program, or "
            "choose another port with --port, PORT or server.port."
        )
        assert listener("::1", port) is None
        assert listener("localhost", port) is not None
        assert listener(ANYWHERE, port) is not None
        assert program.stdin is not None
        program.stdin.close()


def row(pid: int | None, address: str = ANYWHERE, port: int = 80, status: str = psutil.CONN_LISTEN) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, laddr=(address, port) if address else (), status=status)


def table(monkeypatch: pytest.MonkeyPatch, *rows: SimpleNamespace) -> None:
    monkeypatch.setattr(psutil, "net_connections", lambda _kind: list(rows))


def test_a_socket_of_another_user_has_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, row(None))
    assert listener("127.0.0.1", 80) is None


@pytest.mark.parametrize(
    "other", [row(1, "192.0.2.7"), row(1, port=81), row(1, status=psutil.CONN_ESTABLISHED), row(1, "")]
)
def test_only_a_listener_at_this_address_and_port_counts(
    monkeypatch: pytest.MonkeyPatch, other: SimpleNamespace
) -> None:
    table(monkeypatch, other, row(os.getpid(), "::"))
    found = listener("127.0.0.1", 80)
    assert found is not None
    assert found.pid == os.getpid()


def test_a_process_that_has_just_ended_keeps_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int) -> None:
        raise psutil.NoSuchProcess(pid)

    table(monkeypatch, row(4711))
    monkeypatch.setattr(psutil, "Process", gone)
    assert listener("127.0.0.1", 80) == Process(4711)


def test_where_only_own_processes_may_be_looked_at_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> list[SimpleNamespace]:
        raise psutil.AccessDenied

    ours = SimpleNamespace(pid=os.getpid(), net_connections=lambda _kind: [row(None, "127.0.0.1"), row(None, "")])
    monkeypatch.setattr(psutil, "net_connections", refused)
    monkeypatch.setattr(psutil, "process_iter", lambda: [SimpleNamespace(pid=1, net_connections=refused), ours])
    found = listener("127.0.0.1", 80)
    assert found is not None
    assert found.pid == os.getpid()
    assert listener("127.0.0.1", 81) is None


@pytest.mark.parametrize(
    ("host", "asked"),
    [("localhost", "127.0.0.1"), (ANYWHERE, "127.0.0.1"), ("::", "::1"), ("::1", "::1"), ("192.0.2.1", "192.0.2.1")],
)
def test_the_port_is_asked_where_it_can_be_reached(host: str, asked: str) -> None:
    hosts: list[str] = []

    def ask(each: str, _port: int) -> str:
        hosts.append(each)
        return ""

    found = owner(host, 80, ask=ask, look=lambda *_: None)
    assert hosts == [asked]
    assert found == Owner(Kind.US, "ccproxy-tray", url=f"http://[{asked}]:80" if ":" in asked else f"http://{asked}:80")


def test_who_cannot_be_found_is_a_stranger() -> None:
    assert owner("127.0.0.1", 80, ask=lambda *_: None, look=lambda *_: None) == Owner(Kind.STRANGER)


REST = "choose another port with --port, PORT or server.port."


@pytest.mark.parametrize(
    ("found", "platform", "told"),
    [
        (
            Owner(Kind.US, "ccproxy-tray", 12, "1.2.3", SINCE, "http://127.0.0.1:80"),
            "linux",
            (
                f"Port 80 is taken by ccproxy-tray 1.2.3 (pid 12, {since_when(SINCE)}), "
                f"which already serves http://127.0.0.1:80: use that one, or {REST}"
            ),
        ),
        (
            Owner(Kind.US, "ccproxy-tray", url="http://127.0.0.1:80"),
            "linux",
            f"Port 80 is taken by ccproxy-tray, which already serves http://127.0.0.1:80: use that one, or {REST}",
        ),
        (
            Owner(Kind.KNOWN, "python3", 123),
            "linux",
            f"Port 80 is taken by python3 (pid 123): stop that program, or {REST}",
        ),
        (
            Owner(Kind.KNOWN, "", 123),
            "linux",
            f"Port 80 is taken by the program with pid 123: stop that program, or {REST}",
        ),
        (
            Owner(Kind.KNOWN, "a\n" + "b" * 80, 1),
            "linux",
            f"Port 80 is taken by a\\n{'b' * 56}… (pid 1): stop that program, or {REST}",
        ),
        (
            Owner(Kind.STRANGER),
            "linux",
            (
                "Port 80 is taken by a program of another user or of the system: "
                f"`sudo ss -ltnp 'sport = :80'` names it, or {REST}"
            ),
        ),
        (
            Owner(Kind.STRANGER),
            "darwin",
            (
                "Port 80 is taken by a program of another user or of the system: "
                f"`sudo lsof -nP -iTCP:80 -sTCP:LISTEN` names it, or {REST}"
            ),
        ),
        (
            Owner(Kind.STRANGER),
            "win32",
            (
                "Port 80 is taken by a program of the system, or kept back by Windows for Hyper-V, WSL or Docker "
                f"(`netsh interface ipv4 show excludedportrange protocol=tcp`): {REST}"
            ),
        ),
    ],
)
def test_each_kind_of_owner_has_its_own_sentence_and_remedy(found: Owner, platform: str, told: str) -> None:
    assert sentence(found, 80, platform) == told


@contextmanager
def taken(host: str, port: int = 0) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as server:
        yield server.getsockname()[1]


Free = Callable[[str, int], bool]


def test_a_port_that_is_free_on_both_loopbacks_is_bindable_there() -> None:
    with taken("127.0.0.1") as first:
        found = free_port("127.0.0.1", first)
        assert found is not None
        assert first < found < first + 10
        with taken("127.0.0.1", found), taken("::1", found):
            assert not port_owner._free("127.0.0.1", found)
            assert not port_owner._free("::1", found)


def test_a_port_that_is_taken_on_one_loopback_only_is_not_free() -> None:
    with taken("::1") as port:
        assert free_port("::1", port, tries=1) is None
        assert free_port("127.0.0.1", port, tries=1) is None
        assert free_port("localhost", port, tries=1) is None


def test_ports_are_tried_in_order_and_not_beyond_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, int]] = []

    def free(host: str, port: int) -> bool:
        tried.append((host, port))
        return (host, port) in {("127.0.0.1", 8001), ("127.0.0.1", 8002), ("::1", 8002)}

    monkeypatch.setattr(port_owner, "_free", free)
    assert free_port("127.0.0.1", 8000) == 8002
    assert [port for host, port in tried if host == "127.0.0.1"] == [8000, 8001, 8002]
    assert free_port("127.0.0.1", 8003) is None
    tried.clear()
    assert free_port("192.0.2.1", 65534) is None
    assert tried == [("192.0.2.1", 65534), ("192.0.2.1", 65535)]


def test_windows_keeps_whole_blocks_of_ports_back_which_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def free(_host: str, port: int) -> bool:
        tried.append(port)
        return port >= 8180

    monkeypatch.setattr(port_owner, "_free", free)
    monkeypatch.setattr(sys, "platform", "win32")
    assert free_port("192.0.2.1", 8001) == 8201
    assert tried == [*range(8001, 8011), 8101, 8201]
    assert free_port("192.0.2.1", 8200) == 8200
    tried.clear()
    assert free_port("192.0.2.1", 7000) is None
    assert tried == [*range(7000, 7010), *range(7100, 8000, 100)]


def test_a_machine_without_ipv6_has_one_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    made = socket.socket

    def only_old(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return made(family, kind)

    monkeypatch.setattr(socket, "socket", only_old)
    with taken("127.0.0.1") as port:
        pass
    assert free_port("127.0.0.1", port, tries=1) == port
