"""How Bedrock says things: its exceptions, and the frames of its streams (Bedrock API Reference)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping

from ccproxy_tray.simulator.event import Event, Head, events
from ccproxy_tray.simulator.faults import Fail
from ccproxy_tray.simulator.frame import Frame, Mark
from ccproxy_tray.simulator.refusal import Cause, Refused, Row
from ccproxy_tray.simulator.turn import Json, Tokens, Turn
from ccproxy_tray.translate.eventstream import encode

_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_CHUNK = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}

TABLE = {
    Cause.INVALID: Row(
        400, "ValidationException", "Malformed input request, please reformat your input and try again."
    ),
    Cause.TOO_LONG: Row(400, "ValidationException", "Input is too long for requested model."),
    Cause.TOO_LARGE: Row(413, "ValidationException", "Request body is too large."),
    Cause.CONTENT_POLICY: Row(400, "ValidationException", "Output blocked by content filtering policy"),
    Cause.THROTTLED: Row(429, "ThrottlingException", "Too many requests, please wait before trying again."),
    Cause.DAILY_LIMIT: Row(429, "ThrottlingException", "Too many tokens per day, please wait before trying again."),
    Cause.QUOTA: Row(400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account."),
    Cause.CAPACITY: Row(503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    Cause.OVERLOADED: Row(503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    Cause.NOT_READY: Row(429, "ModelNotReadyException", "The model is not ready to serve inference requests."),
    Cause.UNAVAILABLE: Row(503, "ServiceUnavailableException", "The service is not currently available."),
    Cause.INTERNAL: Row(500, "InternalServerException", "The system encountered an unexpected error."),
    Cause.BAD_GATEWAY: Row(502, "InternalFailure", "Bad gateway"),
    Cause.TIMEOUT: Row(408, "ModelTimeoutException", "Model has timed out in processing the request."),
    Cause.STREAM_BROKE: Row(424, "ModelStreamErrorException", "The model's stream ended in an error."),
    Cause.MODEL_FAILED: Row(
        424, "ModelErrorException", "The request failed due to an error while processing the model."
    ),
    Cause.CREDENTIALS: Row(
        403, "UnrecognizedClientException", "The security token included in the request is invalid."
    ),
    Cause.EXPIRED: Row(403, "ExpiredTokenException", "The security token included in the request is expired"),
    Cause.FORBIDDEN: Row(
        403, "AccessDeniedException", "You don't have access to the model with the specified model ID."
    ),
    Cause.REGION: Row(400, "ValidationException", "This model is not available in this region."),
    Cause.NO_CREDIT: Row(403, "AccessDeniedException", "Model access is denied due to INVALID_PAYMENT_INSTRUMENT."),
    Cause.NO_MODEL: Row(400, "ValidationException", "The provided model identifier is invalid."),
    Cause.MODEL_GONE: Row(404, "ResourceNotFoundException", "This model version has reached the end of its life."),
    Cause.NO_ON_DEMAND: Row(
        400,
        "ValidationException",
        "Invocation of this model ID with on-demand throughput isn\N{RIGHT SINGLE QUOTATION MARK}t supported.",
    ),
    Cause.CONFLICT: Row(400, "ConflictException", "The request conflicts with the state of the resource."),
    Cause.NOT_FOUND: Row(404, "UnknownOperationException", "The requested operation is not recognized by the service."),
}
"""Status, exception and wording of each cause (Bedrock API Reference, InvokeModelWithResponseStream, "Errors")."""


def stream(turn: Turn, head: Head, *, late: bool) -> Iterator[Frame]:
    """A streamed answer as Bedrock sends it: Anthropic's events in frames, and no pings.

    ``late`` withholds cache counts until the metrics on ``message_stop``, as Bedrock does at times.
    """
    for index, event in enumerate(events(turn, head)):
        mark, data = _as_bedrock(event, turn, late=late)
        yield Frame(_chunk_frame(data, index), mark, mark is Mark.CLOSE)


def _chunk_frame(data: Mapping[str, Json], index: int) -> bytes:
    """One Anthropic event in its Bedrock frame; ``p`` is padding that hides the length of the event."""
    event = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    padding = _PADDING[: 1 + (index * 7) % len(_PADDING)]
    payload = {"bytes": base64.b64encode(event).decode("ascii"), "p": padding}
    return encode(_CHUNK, json.dumps(payload).encode())


def exception_frame(fail: Fail) -> bytes:
    """An exception inside the stream; a bad gateway is the protocol's own error frame (AWS event stream encoding)."""
    row = Refused(fail.cause, fail.message).row(TABLE)
    if fail.cause is Cause.BAD_GATEWAY:
        return encode({":error-code": row.name, ":error-message": row.message, ":message-type": "error"}, b"")
    name = row.name[0].lower() + row.name[1:]
    body: dict[str, Json] = {"message": row.message}
    if fail.cause is Cause.STREAM_BROKE:
        body |= {"originalStatusCode": 500, "originalMessage": "Internal server error"}
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return encode(headers, json.dumps(body).encode())


def flip(data: bytes) -> bytes:
    """A frame with one wrong bit in its payload, which its checksum gives away."""
    spoilt = bytearray(data)
    spoilt[-8] ^= 1
    return bytes(spoilt)


def break_json(_: bytes) -> bytes:
    """A frame that is sound as a frame and holds no JSON."""
    return encode(_CHUNK, b'{"bytes":"oops')


def _as_bedrock(event: Event, turn: Turn, *, late: bool) -> Event:
    """Bedrock's touches: output tokens alone in ``message_delta``, metrics on ``message_stop``."""
    mark, data = event
    tokens = turn.tokens or Tokens()
    if mark is Mark.START and late:
        started = dict(data["message"])
        kept = {key: count for key, count in started["usage"].items() if not key.startswith("cache_")}
        return mark, {**data, "message": {**started, "usage": kept}}
    if mark is Mark.END:
        return mark, {**data, "usage": {"output_tokens": tokens.output}}
    if mark is Mark.STOP:
        metrics = {
            "inputTokenCount": tokens.input,
            "outputTokenCount": tokens.output,
            "invocationLatency": 1200,
            "firstByteLatency": 300,
            "cacheReadInputTokenCount": tokens.cache_read,
            "cacheWriteInputTokenCount": tokens.cache_write,
        }
        return mark, {**data, "amazon-bedrock-invocationMetrics": metrics}
    return event
