"""Why an upstream refuses, in one vocabulary: each wire has its own status, name and wording for every cause."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ccproxy_tray.errors import CcproxyError


class Cause(StrEnum):
    """What went wrong at the upstream."""

    INVALID = "invalid request"
    TOO_LONG = "prompt too long"
    TOO_LARGE = "request too large"
    CONTENT_POLICY = "content policy"
    THROTTLED = "throttled"
    DAILY_LIMIT = "daily token limit"
    QUOTA = "service quota"
    CAPACITY = "no capacity"
    OVERLOADED = "overloaded"
    NOT_READY = "model not ready"
    UNAVAILABLE = "service unavailable"
    INTERNAL = "internal error"
    BAD_GATEWAY = "bad gateway"
    TIMEOUT = "timeout"
    STREAM_BROKE = "model stream error"
    MODEL_FAILED = "model error"
    CREDENTIALS = "bad credentials"
    EXPIRED = "expired credentials"
    FORBIDDEN = "access denied"
    REGION = "region restricted"
    NO_CREDIT = "no credit"
    NO_MODEL = "unknown model"
    MODEL_GONE = "model retired"
    NO_ON_DEMAND = "no on-demand throughput"
    CONFLICT = "conflict"
    NOT_FOUND = "no such path"


class Row(NamedTuple):
    """How one wire says one cause: HTTP status, the wire's own name of the error, and its usual wording."""

    status: int
    name: str
    message: str


class Refused(CcproxyError):
    """The upstream will not serve a request.

    An empty ``message`` means the wire's usual wording; ``name`` overrides the wire's name for the cause.
    """

    def __init__(
        self, cause: Cause, message: str = "", *, name: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message or cause.value)
        self.cause = cause
        self.message = message
        self.name = name
        self.headers = dict(headers or {})

    def row(self, table: Mapping[Cause, Row]) -> Row:
        """The refusal in the words of one wire."""
        usual = table[self.cause]
        return Row(usual.status, self.name or usual.name, self.message or usual.message)


def invalid(message: str) -> Refused:
    """The request itself is at fault, said in exactly these words."""
    return Refused(Cause.INVALID, message)
