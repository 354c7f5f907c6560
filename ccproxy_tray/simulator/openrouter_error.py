"""How OpenRouter says what went wrong, on each of its two interfaces (OpenRouter, "Errors and debugging")."""

from __future__ import annotations

import json

from ccproxy_tray.simulator import anthropic
from ccproxy_tray.simulator.anthropic import sse_error
from ccproxy_tray.simulator.chunk import CREATED, ChatHead, data_line
from ccproxy_tray.simulator.faults import Fail
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.refusal import Cause, Refused, Row
from ccproxy_tray.simulator.turn import Json

TABLE = {
    Cause.INVALID: Row(400, "invalid_request", "Provider returned error"),
    Cause.TOO_LONG: Row(
        400,
        "context_length_exceeded",
        "This endpoint's maximum context length is 200000 tokens. However, you requested about 215000 tokens.",
    ),
    Cause.TOO_LARGE: Row(413, "payload_too_large", "Request body too large"),
    Cause.CONTENT_POLICY: Row(400, "content_policy_violation", "Output blocked by content filtering policy"),
    Cause.THROTTLED: Row(429, "rate_limit_exceeded", "Rate limit exceeded"),
    Cause.DAILY_LIMIT: Row(429, "rate_limit_exceeded", "Rate limit exceeded: limit_rpd"),
    Cause.QUOTA: Row(429, "rate_limit_exceeded", "Rate limit exceeded: limit_rpm"),
    Cause.CAPACITY: Row(429, "rate_limit_exceeded", "No capacity is left for the requested model"),
    Cause.OVERLOADED: Row(503, "provider_overloaded", "Provider overloaded"),
    Cause.NOT_READY: Row(503, "provider_overloaded", "The model is warming up"),
    Cause.UNAVAILABLE: Row(503, "provider_overloaded", "The requested model is temporarily unavailable"),
    Cause.INTERNAL: Row(500, "server", "Internal Server Error"),
    Cause.BAD_GATEWAY: Row(502, "provider_unavailable", "Provider returned error"),
    Cause.TIMEOUT: Row(504, "timeout", "The provider timed out"),
    Cause.STREAM_BROKE: Row(502, "provider_unavailable", "Provider disconnected unexpectedly"),
    Cause.MODEL_FAILED: Row(502, "provider_unavailable", "Provider returned error"),
    Cause.CREDENTIALS: Row(401, "authentication", "User not found."),
    Cause.EXPIRED: Row(401, "authentication", "This API key has expired."),
    Cause.FORBIDDEN: Row(403, "permission_denied", "This key may not use the requested model."),
    Cause.REGION: Row(403, "permission_denied", "The requested model is not available in your region."),
    Cause.NO_CREDIT: Row(402, "payment_required", "Insufficient credits. Add more using https://openrouter.ai/credits"),
    Cause.NO_MODEL: Row(400, "invalid_request", "anthropic/claude-unknown is not a valid model ID"),
    Cause.MODEL_GONE: Row(404, "not_found", "No endpoints found for the requested model."),
    Cause.NO_ON_DEMAND: Row(404, "not_found", "No endpoints found for the requested model."),
    Cause.CONFLICT: Row(409, "invalid_request", "The request conflicts with another one."),
    Cause.NOT_FOUND: Row(404, "not_found", "Not Found"),
}
"""Status, ``error_type`` and wording of each cause (OpenRouter, "Errors and debugging")."""

SKIN_TYPES = {
    "authentication": "authentication_error",
    "payment_required": "billing_error",
    "permission_denied": "permission_error",
    "not_found": "not_found_error",
    "rate_limit_exceeded": "rate_limit_error",
    "provider_overloaded": "overloaded_error",
    "provider_unavailable": "api_error",
    "timeout": "timeout_error",
    "server": "api_error",
    "payload_too_large": "request_too_large",
}
"""``error.type`` on ``/api/v1/messages``; every other ``error_type`` is an ``invalid_request_error`` there."""

AVAILABILITY = {
    Cause.NO_MODEL: ("model_not_found", False),
    Cause.MODEL_GONE: ("no_endpoints", False),
    Cause.NO_ON_DEMAND: ("no_endpoints", False),
    Cause.CAPACITY: ("capacity_exhausted", True),
    Cause.UNAVAILABLE: ("temporarily_unavailable", True),
    Cause.REGION: ("region_restricted", False),
}
"""``error.availability.code`` and whether to retry, for the causes that are about a model."""


def _availability(refused: Refused, record: Recorded) -> dict[str, Json]:
    if refused.cause not in AVAILABILITY:
        return {}
    code, retryable = AVAILABILITY[refused.cause]
    found = {
        "code": code,
        "retryable": retryable,
        "requested_models": [record.model],
        "docs_url": "https://openrouter.ai/docs",
    }
    return {"availability": found}


def skin_error(refused: Refused, record: Recorded) -> dict[str, Json]:
    """An error on ``/api/v1/messages``: Anthropic's envelope with OpenRouter's ``error_type``."""
    row = refused.row(TABLE)
    kind = SKIN_TYPES.get(row.name, "invalid_request_error")
    error = {"type": kind, "message": row.message, "error_type": row.name, **_availability(refused, record)}
    return {"type": "error", "error": error, "request_id": None}


def skin_error_event(fail: Fail, record: Recorded) -> bytes:
    """The same inside a stream."""
    return sse_error(skin_error(Refused(fail.cause, fail.message), record))


def chat_error(refused: Refused, record: Recorded) -> dict[str, Json]:
    """An error on ``/api/v1/chat/completions``.

    The provider's own words of a 400 are inside ``metadata.raw``, under a message that says nothing.
    """
    row = refused.row(TABLE)
    metadata: dict[str, Json] = {"error_type": row.name}
    text = row.message
    if refused.cause is Cause.INVALID and record.model.startswith("anthropic/"):
        inner = Row(400, "invalid_request_error", row.message)
        metadata |= {"provider_name": "Anthropic", "raw": json.dumps(anthropic.envelope(inner, "req_simulated"))}
        text = "Provider returned error"
    return {"error": {"code": row.status, "message": text, "metadata": metadata, **_availability(refused, record)}}


def chat_error_line(fail: Fail, record: Recorded, head: ChatHead) -> bytes:
    """An error in mid-stream: a chunk with ``error`` beside a choice that finished with it."""
    error = chat_error(Refused(fail.cause, fail.message), record)["error"]
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "native_finish_reason": None}
    chunk = {"id": head.id, "object": "chat.completion.chunk", "created": CREATED, "model": head.model}
    return data_line({**chunk, "provider": "Anthropic", "error": error, "choices": [choice]})
