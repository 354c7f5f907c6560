from __future__ import annotations

import inspect
import ssl
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.faults import CONNECTION_ERRORS, from_exception, without

KEY: Any = SimpleNamespace(host="secret.example", port=443, ssl=True, is_ssl=True)
INFO: Any = SimpleNamespace(real_url="https://secret.example/?key=hush")


def instance(kind: type[BaseException]) -> BaseException:
    made = kind.__new__(kind)
    made.args = ("https://secret.example/?key=hush",)
    return made


CLIENT_ERRORS = [
    kind
    for _, kind in inspect.getmembers(client_exceptions, inspect.isclass)
    if issubclass(kind, aiohttp.ClientError) and "WS" not in kind.__name__
]


@pytest.mark.parametrize("kind", CLIENT_ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_http_client_has_a_meaning(kind: type[BaseException]) -> None:
    failure = from_exception(instance(kind))
    assert failure.fault in (Fault.UNREACHABLE, Fault.BROKEN)
    assert failure.subject
    assert "hush" not in failure.message
    assert isinstance(instance(kind), CONNECTION_ERRORS)


@pytest.mark.parametrize(
    ("error", "subject"),
    [
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("self-signed")), "tls"),
        (aiohttp.ClientConnectorDNSError(KEY, OSError("no such host")), "dns"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError("handshake")), "tls"),
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError("refused")), "connect"),
        (aiohttp.ConnectionTimeoutError("slow"), "connect timeout"),
        (aiohttp.ServerDisconnectedError(), "reset"),
        (aiohttp.ClientOSError(104, "reset by peer"), "reset"),
        (ConnectionResetError(), "reset"),
        (TimeoutError(), "timeout"),
    ],
)
def test_the_network_s_faults_are_told_apart(error: BaseException, subject: str) -> None:
    failure = from_exception(error)
    assert (failure.fault, failure.subject) == (Fault.UNREACHABLE, subject)


@pytest.mark.parametrize("error", [aiohttp.ClientPayloadError("cut"), aiohttp.ClientResponseError(INFO, ())])
def test_an_answer_that_breaks_http_is_broken(error: BaseException) -> None:
    assert from_exception(error).fault is Fault.BROKEN


def test_a_failure_does_not_repeat_the_credentials_of_its_request() -> None:
    headers = {"Authorization": "Bearer hush-hush", "x-api-key": "none", "X-Amz-Security-Token": "token-token"}
    secrets = Outgoing("https://x", {**headers, "accept": "application/json"}).secrets
    assert secrets == ("hush-hush", "token-token")
    failure = without(secrets, Failure(Fault.REFUSED, "none hush-hush", body=b'"hush-hush token-token"'))
    assert (failure.message, failure.body) == ("none ***", b'"*** ***"')
    other = Failure(Fault.BROKEN, "none")
    assert without(secrets, other) is other
