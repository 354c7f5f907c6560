"""What ``ccproxy-tray status`` makes of whoever answers at the address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from ccproxy_tray.status import NotRunning, fetch, summary


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives this answer to one connection; its URL, and what it was asked."""
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(65536))
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join(20)


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def test_the_document_of_the_proxy_is_fetched_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(http(b'{"version": "1.0"}')) as (url, asked):
        assert fetch(url, "canary") == {"version": "1.0"}
    assert b"GET /debug " in asked[0]
    assert b"canary" in asked[0]


@pytest.mark.parametrize(
    "answer",
    [http(b"<html>"), http(b"[]"), http(b"{}"), http(b"\xff"), b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["html", "list", "no version", "not text", "another protocol", "empty"],
)
def test_another_program_at_the_address_is_one_clear_sentence(answer: bytes) -> None:
    with answering(answer) as (url, _), pytest.raises(NotRunning, match="another program answers at http"):
        fetch(url, "")


def test_a_refusal_may_be_the_token() -> None:
    with answering(http(b"{}", "401 Unauthorized")) as (url, _), pytest.raises(NotRunning, match=r"401.*server\.token"):
        fetch(url, "wrong")


def test_nobody_at_the_address_is_told_how_to_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(NotRunning, match="ccproxy-tray serve"):
        fetch(url, "")


def test_the_summary_tells_who_serves_who_cools_and_what_happened() -> None:
    text = summary(
        {
            "version": "1.0",
            "urls": ["http://127.0.0.1:8000"],
            "requests": {"total": 3, "served": 2, "fell_back": 1, "refused": 0, "today": {"served": 2}},
            "serving": "openrouter claude",
            "on_fallback": True,
            "providers": {
                "bedrock": {"credentials": "missing", "remedy": "log in"},
                "openrouter": {"credentials": "found"},
            },
            "rate_limits": [{"target": "bedrock east", "seconds_left": 11.6, "reason": "429 throttled"}],
            "fallbacks": [{"time": "2026-11-22T14:02:00Z", "story": "bedrock: 429 -> openrouter: ok"}],
        }
    )
    assert text.splitlines() == [
        "ccproxy-tray 1.0 at http://127.0.0.1:8000: 3 total, 2 served, 1 fell back",
        "serving: openrouter claude (on fallback)",
        "  bedrock: credentials missing (log in)",
        "  openrouter: credentials found",
        "  cooling: bedrock east for 12 s (429 throttled)",
        f"  {datetime.fromtimestamp(1795356120):%m-%d %H:%M:%S} bedrock: 429 -> openrouter: ok",
    ]


@pytest.mark.parametrize("told", ["2026-11-22T14:02:00Z", "2026-11-22T19:02:00+05:00"])
def test_moments_are_told_on_the_reader_s_own_clock(told: str) -> None:
    """One of these is written by another one, wherever the reader is."""
    document = {"version": "1.0", "fallbacks": [{"time": told, "story": "bedrock: 429"}]}
    assert summary(document).splitlines()[-1] == f"  {datetime.fromtimestamp(1795356120):%m-%d %H:%M:%S} bedrock: 429"


def test_a_moment_that_cannot_be_read_is_shown_as_it_came() -> None:
    document = {"version": "1.0", "fallbacks": [{"time": "some day", "story": "bedrock: 429"}]}
    assert summary(document).splitlines()[-1] == "  some day bedrock: 429"


def test_the_summary_of_a_fresh_start_says_that_nothing_has_happened_yet() -> None:
    text = summary({"version": "1.0", "urls": ["u"], "requests": {"total": 0}, "serving": None})
    assert text.splitlines() == ["ccproxy-tray 1.0 at u: no request yet", "serving: nobody yet"]


def test_a_simulated_outage_is_told_as_one() -> None:
    outage = {"provider": "bedrock", "kind": "hang", "until": "2026-11-22T14:02:00Z", "seconds_left": 41.6}
    assert "simulated outage: bedrock, hang, for 42 s" in summary({"version": "1.0", "outage": outage}).splitlines()
