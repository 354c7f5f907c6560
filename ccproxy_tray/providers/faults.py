"""What a broken connection means: every exception of the HTTP client, as a Failure."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import replace

import aiohttp

from ccproxy_tray.errors import ErrorType, Failure, Fault
from ccproxy_tray.redact import MASK


def unreachable(message: str, subject: str) -> Failure:
    """Nothing usable came back, and nothing is known about the request itself."""
    return Failure(Fault.UNREACHABLE, message, error_type=ErrorType.API, subject=subject)


def broken(message: str, subject: str = "protocol") -> Failure:
    """Something came back that is not what the wire promises."""
    return Failure(Fault.BROKEN, message, error_type=ErrorType.API, subject=subject)


def without(secrets: Iterable[str], failure: Failure) -> Failure:
    """The failure without our own credentials, which some servers repeat when they refuse them."""
    for secret in secrets:
        if secret in failure.message or secret.encode() in failure.body:
            message, body = failure.message.replace(secret, MASK), failure.body.replace(secret.encode(), MASK.encode())
            failure = replace(failure, message=message, body=body)
    return failure


_CAUSES: tuple[tuple[type[BaseException], str, str], ...] = (
    (aiohttp.ClientConnectorCertificateError, "tls", "the server's certificate is not trusted"),
    (aiohttp.ClientConnectorDNSError, "dns", "the server's name cannot be resolved"),
    (aiohttp.ClientSSLError, "tls", "no TLS connection"),
    (aiohttp.ServerFingerprintMismatch, "tls", "the server's certificate is not the pinned one"),
    (aiohttp.ClientProxyConnectionError, "proxy", "the HTTP proxy refused the connection"),
    (aiohttp.ClientHttpProxyError, "proxy", "the HTTP proxy refused the request"),
    (aiohttp.ConnectionTimeoutError, "connect timeout", "no connection in time"),
    (aiohttp.ClientConnectorError, "connect", "connection refused or no route"),
    (aiohttp.ServerTimeoutError, "timeout", "the server did not answer in time"),
    (aiohttp.ServerDisconnectedError, "reset", "the server closed the connection"),
    (aiohttp.ClientConnectionError, "reset", "the connection broke"),
    (ssl.SSLError, "tls", "the TLS connection broke"),
    (TimeoutError, "timeout", "the server did not answer in time"),
    (OSError, "reset", "the connection broke"),
)
CONNECTION_ERRORS: tuple[type[BaseException], ...] = (aiohttp.ClientError, OSError, TimeoutError)
"""Everything that the HTTP client raises for the network's and the upstream's faults."""


def from_exception(error: BaseException) -> Failure:
    """The meaning of one of CONNECTION_ERRORS; the exception's own text stays out, because it may hold URLs."""
    for kind, subject, message in _CAUSES:
        if isinstance(error, kind):
            return unreachable(message, subject)
    if isinstance(error, aiohttp.ClientPayloadError):
        return broken("the answer ended before it was complete", "truncated")
    if isinstance(error, aiohttp.InvalidURL):
        return broken("the provider's base URL is not valid", "url")
    return broken("the answer is not valid HTTP")
