from __future__ import annotations

import socket
import ssl

import pytest

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.faults import from_connecting, from_loss, without


@pytest.mark.parametrize(
    ("error", "subject", "message"),
    [
        (ssl.SSLCertVerificationError("hush"), "tls", "certificate"),
        (ssl.SSLError("hush"), "tls", "TLS"),
        (socket.gaierror(socket.EAI_NONAME, "hush"), "dns", "resolved"),
        (TimeoutError("hush"), "connect timeout", "in time"),
        (ConnectionRefusedError("hush"), "connect", "refused"),
        (OSError("hush"), "connect", "no route"),
    ],
)
def test_why_there_is_no_connection_is_told_apart(error: OSError, subject: str, message: str) -> None:
    failure = from_connecting(error)
    assert (failure.fault, failure.subject) == (Fault.UNREACHABLE, subject)
    assert message in failure.message
    assert "hush" not in failure.message


@pytest.mark.parametrize(
    ("error", "subject", "message"),
    [
        (None, "reset", "closed"),
        (ConnectionResetError("hush"), "reset", "broke"),
        (BrokenPipeError("hush"), "reset", "broke"),
        (ssl.SSLError("hush"), "tls", "TLS"),
        (TimeoutError("hush"), "timeout", "in time"),
    ],
)
def test_how_a_connection_was_lost_is_told_apart(error: Exception | None, subject: str, message: str) -> None:
    failure = from_loss(error)
    assert (failure.fault, failure.subject) == (Fault.UNREACHABLE, subject)
    assert message in failure.message
    assert "hush" not in failure.message


def test_a_failure_does_not_repeat_the_credentials_of_its_request() -> None:
    headers = {"Authorization": "Bearer hush-hush", "x-api-key": "none", "X-Amz-Security-Token": "token-token"}
    secrets = Outgoing("https://x", {**headers, "accept": "application/json"}).secrets
    assert secrets == ("hush-hush", "token-token")
    failure = without(secrets, Failure(Fault.REFUSED, "none hush-hush", body=b'"hush-hush token-token"'))
    assert (failure.message, failure.body) == ("none ***", b'"*** ***"')
    other = Failure(Fault.BROKEN, "none")
    assert without(secrets, other) is other
