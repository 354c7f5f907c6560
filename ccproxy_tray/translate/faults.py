"""What an upstream's error means: every provider's vocabulary, read into one :class:`~ccproxy_tray.errors.Failure`.

A Failure keeps the upstream's own wording, because Claude Code repairs its request by reading it. ``error_type``
is what the client would see if this very failure were passed on; a provider's 401 is a ``permission_error`` there,
since ``authentication_error`` would send the user to a login that has nothing to do with it.

The subject of a ``CREDENTIALS`` failure is ``access`` when only one model is denied. That of a ``FIELD_REFUSED`` is
a dotted path as the upstream wrote it (``tools.0.custom.defer_loading``), ``beta:NAME[,NAME]``, ``betas`` for all of
them, ``need:NAME``, ``most:N`` or ``window:N`` for what the upstream demands, or empty when it named nothing that could
be dropped.

Sources: Messages API, "Errors"; Bedrock InvokeModel, "Errors"; OpenRouter, "Errors and debugging"; chat completions
servers as found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.routing.repair import NEED
from ccproxy_tray.routing.target import Need
from ccproxy_tray.translate import wording
from ccproxy_tray.translate.bedrock_fault import from_bedrock, from_bedrock_http
from ccproxy_tray.translate.error_body import (
    STATUS_OF_FAULT,
    client_type,
    fault_of_status,
    parsed,
    retry_after,
    said,
    should_retry,
)
from ccproxy_tray.translate.error_object import ErrorObject, error_object

__all__ = [
    "from_bedrock",
    "from_bedrock_http",
    "from_chat_http",
    "from_event",
    "from_messages",
    "retry_after",
]

_FAULT_OF_KIND = {
    # Messages API: error.type, and error.details.error_code.
    "authentication_error": Fault.CREDENTIALS,
    "permission_error": Fault.CREDENTIALS,
    "billing_error": Fault.NO_CREDIT,
    "not_found_error": Fault.NO_MODEL,
    "rate_limit_error": Fault.THROTTLED,
    "overloaded_error": Fault.OVERLOADED,
    "enforced_spend_limit_reached": Fault.NO_CREDIT,
    "contract_spend_limit_reached": Fault.NO_CREDIT,
    # OpenRouter: error_type, beside the type or in the metadata.
    "authentication": Fault.CREDENTIALS,
    "permission_denied": Fault.CREDENTIALS,
    "payment_required": Fault.NO_CREDIT,
    "not_found": Fault.NO_MODEL,
    "rate_limit_exceeded": Fault.THROTTLED,
    "provider_overloaded": Fault.OVERLOADED,
    "provider_unavailable": Fault.BROKEN,
    "timeout": Fault.BROKEN,
    "server": Fault.BROKEN,
    "unmapped": Fault.BROKEN,
    "image_not_found": Fault.REFUSED,
    # Chat completions servers: code, or type.
    "invalid_api_key": Fault.CREDENTIALS,
    "insufficient_quota": Fault.NO_CREDIT,
    "model_not_found": Fault.NO_MODEL,
    "model_not_supported": Fault.NO_MODEL,
    "model_not_available": Fault.NO_MODEL,
    "model_decommissioned": Fault.NO_MODEL,
    "model_terms_required": Fault.NO_MODEL,
    "invalid_model": Fault.NO_MODEL,
    "billing_not_active": Fault.NO_CREDIT,
    "exceeded_current_quota_error": Fault.NO_CREDIT,
    "Arrearage": Fault.NO_CREDIT,
    "too_many_requests_error": Fault.THROTTLED,
    # Groq: what the model wrote was no call. OpenAI: schemas that it alone is too strict for.
    "tool_use_failed": Fault.BROKEN,
    "invalid_function_parameters": Fault.FIELD_REFUSED,
}
_STATUS_OF_KIND = {
    "invalid_request_error": 400,
    "invalid_request": 400,
    "context_length_exceeded": 400,
    "conflict_error": 409,
    "request_too_large": 413,
    "payload_too_large": 413,
    "not_supported": 501,
    "timeout_error": 504,
}
"""For an error inside a 200, which has no status of its own."""
_PASSED_ON = frozenset({Fault.REFUSED, Fault.SIGNATURE, Fault.FIELD_REFUSED})
"""What may reach the client as it is, and so must have a status that tells the truth about the request."""


def from_messages(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """An HTTP error of a Messages server (Anthropic's own, OpenRouter's, a gateway's)."""
    answer = parsed(body)
    failure = replace(_from_http(status, headers, body, answer), should_retry=should_retry(headers))
    return replace(failure, body=body) if _is_envelope(answer, failure.message) else failure


def from_chat_http(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """An HTTP error of a chat completions server."""
    return _from_http(status, headers, body, parsed(body))


def from_event(error: Mapping[str, Any], provider_says: str = "") -> Failure:
    """The ``error`` object of an ``event: error``, of a chat chunk, or of any other error inside a 200.

    ``provider_says`` is what else is known, for an error without a message.
    """
    return _failure(ErrorObject(error, provider_says), 0)


def _from_http(status: int, headers: Mapping[str, str], body: bytes, answer: Any) -> Failure:
    error = error_object(answer)
    if error is not None:
        failure = _failure(ErrorObject(error, said(status, body)), status)
    else:
        fault, text = fault_of_status(status, body), said(status, body)
        reading = wording.read(text) if fault is Fault.REFUSED else wording.Reading(fault)
        failure = _built(reading, text, status)
    wait = retry_after(headers)
    return failure if wait is None else replace(failure, retry_after=wait)


def _failure(error: ErrorObject, status: int) -> Failure:
    kinds, message = error.kinds(), error.message()
    status = status or error.status() or next((_STATUS_OF_KIND[kind] for kind in kinds if kind in _STATUS_OF_KIND), 0)
    fault = _of_availability(error) or next((_FAULT_OF_KIND[kind] for kind in kinds if kind in _FAULT_OF_KIND), None)
    reading = _reading(fault_of_status(status) if fault is None else fault, error, status)
    if reading.fault is Fault.REFUSED and (error.is_context_overflow() or wording.is_overflow(message)):
        message = wording.prompt_too_long(message)
    return replace(_built(reading, message, status), retry_after=error.retry_after())


def _reading(fault: Fault, error: ErrorObject, status: int) -> wording.Reading:
    """The fault refined by the wording, where kind and status leave a choice."""
    if fault is Fault.REFUSED:
        return wording.read(error.message())
    if fault is Fault.FIELD_REFUSED:
        return wording.Reading(fault, NEED + Need.PLAIN_SCHEMAS)  # the one kind that says so
    if fault is Fault.NO_MODEL and (read := wording.read(error.message())).fault is Fault.FIELD_REFUSED:
        return read  # OpenRouter: nobody takes this request's images; the model as such is there.
    if fault is Fault.THROTTLED and wording.is_about_long_context(error.message()):
        return wording.read(error.message())
    if status in (403, 404) and wording.is_about_a_reference(error.message()):
        return wording.Reading(Fault.FIELD_REFUSED)
    if fault is not Fault.CREDENTIALS or status == 401:
        return wording.Reading(fault)
    if error.moderated():
        return wording.Reading(Fault.REFUSED)
    return wording.Reading(fault, wording.ACCESS if " model" in error.message().lower() else "")


def _of_availability(error: ErrorObject) -> Fault | None:
    """OpenRouter: the model is not to be had there, whatever the status; ``retryable`` tells for how long."""
    availability = error.availability()
    if availability is None:
        return None
    if availability.get("code") == "capacity_exhausted":
        return Fault.THROTTLED
    return Fault.OVERLOADED if availability.get("retryable") is True else Fault.NO_MODEL


def _built(reading: wording.Reading, message: str, status: int) -> Failure:
    if not status or (reading.fault in _PASSED_ON and status != 403 and fault_of_status(status) is not Fault.REFUSED):
        status = STATUS_OF_FAULT.get(reading.fault, 500)
    return Failure(reading.fault, message, status, client_type(reading.fault, status), subject=reading.subject)


def _is_envelope(answer: Any, message: str) -> bool:
    """Anthropic's envelope with that very message: it may reach the client byte for byte."""
    if not isinstance(answer, dict) or answer.get("type") != "error" or not isinstance(answer.get("error"), dict):
        return False
    return isinstance(answer["error"].get("type"), str) and answer["error"].get("message") == message
