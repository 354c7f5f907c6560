"""What can go wrong, whose fault it is, and how it is said on the wire.

::

    Failure                 a value: what one attempt at one target came to (never raised on its own)
    CcproxyError            every exception that this program raises on purpose
    ├── RequestError        the client's request is at fault: 4xx, no upstream call
    ├── AttemptFailed       carries a Failure out of a provider to the loop over targets
    ├── ProtocolError       bytes from an upstream that do not follow its wire format
    └── ConfigError         the user's configuration, with every problem at once

An expected failure of an upstream is a value, because routing decides on it; an exception carries it only
across the provider's call stack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ErrorType(StrEnum):
    """Anthropic's ``error.type`` values (Messages API, "Errors")."""

    INVALID_REQUEST = "invalid_request_error"
    AUTHENTICATION = "authentication_error"
    BILLING = "billing_error"
    PERMISSION = "permission_error"
    NOT_FOUND = "not_found_error"
    CONFLICT = "conflict_error"
    TOO_LARGE = "request_too_large"
    RATE_LIMIT = "rate_limit_error"
    API = "api_error"
    TIMEOUT = "timeout_error"
    OVERLOADED = "overloaded_error"
    NOT_SUPPORTED = "not_supported"


_TYPE_OF_STATUS = {
    401: ErrorType.AUTHENTICATION,
    402: ErrorType.BILLING,
    403: ErrorType.PERMISSION,
    404: ErrorType.NOT_FOUND,
    408: ErrorType.TIMEOUT,
    409: ErrorType.CONFLICT,
    413: ErrorType.TOO_LARGE,
    429: ErrorType.RATE_LIMIT,
    501: ErrorType.NOT_SUPPORTED,
    503: ErrorType.OVERLOADED,
    504: ErrorType.TIMEOUT,
    529: ErrorType.OVERLOADED,
}


def type_of_status(status: int) -> ErrorType:
    """The error type that goes with an HTTP status; unlisted 4xx fold into ``invalid_request_error``."""
    fallback = ErrorType.INVALID_REQUEST if 400 <= status < 500 else ErrorType.API
    return _TYPE_OF_STATUS.get(status, fallback)


def envelope(error_type: str, message: str, request_id: str, details: Mapping[str, str] | None = None) -> bytes:
    """Anthropic's error body, the only shape in which an error leaves this program. ``details`` is for programs."""
    error: dict[str, object] = {"type": error_type, "message": message}
    if details:
        error["details"] = dict(details)
    body = {"type": "error", "error": error, "request_id": request_id}
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def error_event(error_type: str, message: str, request_id: str) -> bytes:
    """The event that ends a stream which cannot go on (Messages API, Streaming, "Error events")."""
    return b"event: error\ndata: " + envelope(error_type, message, request_id) + b"\n\n"


class Fault(StrEnum):
    """Why an attempt failed, as far as routing cares; one row each of the verdict table."""

    THROTTLED = "throttled"
    """429 and its kin: this target has had enough for now."""
    OVERLOADED = "overloaded"
    """529, 503, model not ready: the provider has had enough for now."""
    BROKEN = "broken"
    """5xx, wrong content type, bad JSON or frames, an empty or unfinished 200, an error inside a 200."""
    UNREACHABLE = "unreachable"
    """Connect, DNS, TLS, reset, or no first event in time."""
    CREDENTIALS = "credentials"
    """401, 403, expired or missing credentials."""
    NO_CREDIT = "no credit"
    """402: the account has no money left."""
    NO_MODEL = "model not available"
    """The model is not there, not in this region, or not for this account."""
    SIGNATURE = "thinking signature"
    """A signed thinking block was minted elsewhere."""
    FIELD_REFUSED = "field refused"
    """A field or beta that this target does not know."""
    REFUSED = "refused"
    """Any other 400, 413, 422: the request itself is at fault, wherever it is sent."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What an unsuccessful attempt came to.

    ``message`` is the upstream's own wording (Claude Code repairs itself by reading it) without account ids.
    ``retry_after`` is in seconds, as the upstream asked, not yet clamped; None when it did not ask. ``should_retry`` is
    what its ``x-should-retry`` said: with a refusal, official clients go by that alone.
    ``body`` is the upstream's error body when that is already Anthropic's envelope: such a body may reach
    the client byte for byte. ``subject`` names the refused field or beta of a FIELD_REFUSED, or a short
    machine-readable cause ("tls", "dns") elsewhere. ``simulated``: the user plays an outage, and nobody was asked.
    """

    fault: Fault
    message: str
    status: int = 0
    error_type: str = ErrorType.API
    retry_after: float | None = None
    body: bytes = b""
    subject: str = ""
    simulated: bool = False
    should_retry: bool | None = None


class CcproxyError(Exception):
    """Root of everything that this program raises on purpose."""


class RequestError(CcproxyError):
    """The client's request is at fault; the message says what, where and what to do.

    ``details`` goes into the error body: its ``error_code`` is what clients act on (Messages API, "Errors").
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        error_type: str | None = None,
        headers: dict[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_type = error_type or type_of_status(status)
        self.headers = headers or {}
        self.details = details or {}


class AttemptFailed(CcproxyError):
    """Carries a :class:`Failure` from deep inside a provider to the loop over targets."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ProtocolError(CcproxyError):
    """Upstream bytes that break their own wire format (bad CRC, bad frame, endless line)."""


class ConfigError(CcproxyError):
    """The configuration cannot be used. ``problems`` holds one line for each mistake, all at once."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
