"""What a broken connection means, as a Failure."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from dataclasses import replace

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


UNTRUSTED = unreachable("the server's certificate is not trusted", "tls")
NO_TLS = unreachable("no TLS connection", "tls")
NO_NAME = unreachable("the server's name cannot be resolved", "dns")
NOT_IN_TIME = unreachable("no connection in time", "connect timeout")
NO_WAY = unreachable("connection refused or no route", "connect")
CLOSED = unreachable("the server closed the connection", "reset")
LOST = unreachable("the connection broke", "reset")
TLS_LOST = unreachable("the TLS connection broke", "tls")
SILENT = unreachable("the server did not answer in time", "timeout")
TRUNCATED = broken("the answer ended before it was complete", "truncated")
MALFORMED = broken("the answer is not valid HTTP")
BAD_URL = broken("the provider's base URL is not valid", "url")


def from_connecting(error: OSError) -> Failure:
    """Why there is no connection; the exception's own text stays out, because it may hold URLs."""
    match error:
        case ssl.SSLCertVerificationError():
            return UNTRUSTED
        case ssl.SSLError():
            return NO_TLS
        case socket.gaierror():
            return NO_NAME
        case TimeoutError():
            return NOT_IN_TIME
        case _:
            return NO_WAY


def from_loss(error: Exception | None) -> Failure:
    """A connection that was lost before its answer began; without an error, the server has closed it."""
    match error:
        case None:
            return CLOSED
        case ssl.SSLError():
            return TLS_LOST
        case TimeoutError():
            return SILENT
        case _:
            return LOST
