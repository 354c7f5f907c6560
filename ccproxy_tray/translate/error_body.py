"""What can be read off any HTTP error, whoever sent it: headers, JSON or none, and how long to wait."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz

from ccproxy_tray.errors import ErrorType, Fault, type_of_status
from ccproxy_tray.translate import jsontext

STATUS_OF_FAULT = {
    Fault.THROTTLED: 429,
    Fault.OVERLOADED: 503,
    Fault.CREDENTIALS: 403,
    Fault.NO_CREDIT: 402,
    Fault.NO_MODEL: 404,
    Fault.SIGNATURE: 400,
    Fault.FIELD_REFUSED: 400,
    Fault.REFUSED: 400,
}
"""The status that goes with a fault when the upstream gave none, or one that says something else."""
_FAULT_OF_STATUS = {
    401: Fault.CREDENTIALS,
    402: Fault.NO_CREDIT,
    403: Fault.CREDENTIALS,
    404: Fault.NO_MODEL,
    405: Fault.NO_MODEL,
    410: Fault.NO_MODEL,
    413: Fault.REFUSED,
    429: Fault.THROTTLED,
    451: Fault.NO_MODEL,
    503: Fault.OVERLOADED,
    529: Fault.OVERLOADED,
}
_OF_REQUEST = frozenset({400, 412, 422, 431})
"""What is wrong with the request itself, whoever reads it. Every other 4xx is about this server: time, conflicts, its
proxies, its capacity (Groq's 498). The next one may well answer."""
_EVENT = re.compile(rb"^data: ?", re.MULTILINE)
_HEAD = 200
"""Bytes in which the data of an event begin."""
_EXCERPT = 200
"""Characters of a body without structure that are worth showing."""


def header(headers: Mapping[str, str], name: str) -> str:
    """One header by its lower-case name, however the mapping spells it; empty when it is not there."""
    if name in headers:
        return headers[name]
    return next((value for key, value in headers.items() if key.lower() == name), "")


def parsed(body: bytes) -> jsontext.Json:
    """The body as JSON; None for everything else, however deep or broken.

    Some servers say why they do not stream in the form of the stream that was asked for: one event.
    """
    event = _EVENT.search(body[:_HEAD]) if body[:6].startswith((b"data:", b"event:")) else None
    try:
        return jsontext.parse(body[event.end() :].split(b"\n", 1)[0] if event else body, duplicates=True)
    except jsontext.JsonError:
        return None


def said(status: int, body: bytes) -> str:
    """What to show for a body that is not an error object: its beginning, on one line, without control characters."""
    text = body[: 4 * _EXCERPT].decode("utf-8", "replace").strip()
    if not text:
        return f"HTTP {status} with an empty body"
    if text.startswith("<"):
        return f"HTTP {status} with an HTML page instead of an answer"
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:_EXCERPT] or f"HTTP {status} with an unreadable body"


def fault_of_status(status: int, body: bytes = b"{}") -> Fault:
    """What a status means where nothing else is known. It is the request's fault only with a real answer."""
    known = _FAULT_OF_STATUS.get(status)
    if known:
        return known
    return Fault.REFUSED if status in _OF_REQUEST and not _is_page(body) else Fault.BROKEN


def client_type(fault: Fault, status: int) -> ErrorType:
    """The error type for the client: that of the fault, or of the status where the fault may have several."""
    if fault is Fault.REFUSED:
        return type_of_status(status)
    if fault is Fault.BROKEN:
        return ErrorType.TIMEOUT if status in (408, 504, 524) else ErrorType.API
    return type_of_status(STATUS_OF_FAULT.get(fault, status))


def _is_page(body: bytes) -> bool:
    """Nothing, or a web page: the answer of a load balancer or a captive portal, not of the provider."""
    start = body[:64].lstrip()
    return not start or start.startswith(b"<")


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """What ``x-should-retry`` says: official clients decide by it alone."""
    return {"true": True, "false": False}.get(header(headers, "x-should-retry"))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the upstream asks to wait; None when it does not say, or says nonsense.

    ``retry-after-ms`` wins over ``retry-after``, as in Anthropic's SDKs. An HTTP date counts from the answer's own
    ``Date``, so that neither side's clock matters; without one it is ignored (``providers/http`` adds the moment of
    arrival).
    """
    millis = _seconds(header(headers, "retry-after-ms"))
    if millis is not None:
        return millis / 1000
    value = header(headers, "retry-after")
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    then, now = _moment(value), _moment(header(headers, "date"))
    if then is None or now is None:
        return None
    return max(0.0, float(then - now))


def _seconds(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _moment(value: str) -> int | None:
    """An HTTP date in seconds; one without a zone is GMT, as all of them have to be."""
    parts = parsedate_tz(value)
    try:
        return mktime_tz(parts) if parts else None
    except (ValueError, OverflowError):
        return None
