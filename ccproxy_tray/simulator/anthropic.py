"""A simulated api.anthropic.com: ``/v1/messages``, ``/v1/messages/count_tokens``, ``/v1/models`` (Messages API)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping

from ccproxy_tray.simulator import dialect
from ccproxy_tray.simulator.body import EXTRA, Rules, check_fields, check_options
from ccproxy_tray.simulator.brain import Brain
from ccproxy_tray.simulator.conversation import check_messages
from ccproxy_tray.simulator.event import Head, message, sse_frames
from ccproxy_tray.simulator.faults import Fail, Route
from ccproxy_tray.simulator.meter import prompt_tokens
from ccproxy_tray.simulator.model import ANTHROPIC, Model, model
from ccproxy_tray.simulator.play import Spoiler, sse_spoiler
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.refusal import Cause, Refused, Row, invalid
from ccproxy_tray.simulator.reply import Streamed, Whole, json_reply
from ccproxy_tray.simulator.turn import Json
from ccproxy_tray.simulator.upstream import Settings, Upstream

API_KEY = "sk-ant-simulated-key"
"""What the simulated Anthropic, and every other simulated provider with keys, accepts."""
VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")
SSE_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}

TABLE = {
    Cause.INVALID: Row(400, "invalid_request_error", "Invalid request"),
    Cause.TOO_LONG: Row(400, "invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum"),
    Cause.TOO_LARGE: Row(413, "request_too_large", "Request exceeds the maximum size"),
    Cause.CONTENT_POLICY: Row(400, "invalid_request_error", "Output blocked by content filtering policy"),
    Cause.THROTTLED: Row(429, "rate_limit_error", "This request would exceed your organization's rate limit."),
    Cause.DAILY_LIMIT: Row(429, "rate_limit_error", "This request would exceed your organization's daily token limit."),
    Cause.QUOTA: Row(429, "rate_limit_error", "Number of requests has exceeded your rate limit."),
    Cause.CAPACITY: Row(529, "overloaded_error", "Overloaded"),
    Cause.OVERLOADED: Row(529, "overloaded_error", "Overloaded"),
    Cause.NOT_READY: Row(529, "overloaded_error", "Overloaded"),
    Cause.UNAVAILABLE: Row(503, "overloaded_error", "Service temporarily unavailable"),
    Cause.INTERNAL: Row(500, "api_error", "Internal server error"),
    Cause.BAD_GATEWAY: Row(502, "api_error", "Bad gateway"),
    Cause.TIMEOUT: Row(504, "timeout_error", "Request timed out"),
    Cause.STREAM_BROKE: Row(500, "api_error", "Internal server error"),
    Cause.MODEL_FAILED: Row(500, "api_error", "Internal server error"),
    Cause.CREDENTIALS: Row(401, "authentication_error", "invalid x-api-key"),
    Cause.EXPIRED: Row(401, "authentication_error", "OAuth token has expired. Please obtain a new token."),
    Cause.FORBIDDEN: Row(403, "permission_error", "Your API key does not have permission to use this resource."),
    Cause.REGION: Row(403, "permission_error", "Access is not available in your region."),
    Cause.NO_CREDIT: Row(402, "billing_error", "Your credit balance is too low to access the Anthropic API."),
    Cause.NO_MODEL: Row(404, "not_found_error", "model: claude-unknown"),
    Cause.MODEL_GONE: Row(404, "not_found_error", "model: claude-retired"),
    Cause.NO_ON_DEMAND: Row(404, "not_found_error", "model: claude-unknown"),
    Cause.CONFLICT: Row(409, "conflict_error", "The request conflicts with the state of the resource."),
    Cause.NOT_FOUND: Row(404, "not_found_error", "Not Found"),
}
"""Status, ``error.type`` and wording of each cause (Messages API, "Errors")."""


def envelope(row: Row, request_id: str) -> dict[str, Json]:
    """Anthropic's error body."""
    return {"type": "error", "error": {"type": row.name, "message": row.message}, "request_id": request_id}


def sse_error(error: Mapping[str, Json]) -> bytes:
    """An error inside a stream (Messages API, "Streaming", error events)."""
    return f"event: error\ndata: {json.dumps(error)}\n\n".encode()


class Anthropic(Upstream):
    """Checks credentials, version, betas and the whole body; answers Messages, streamed or not."""

    def __init__(self, name: str, settings: Settings, brain: Brain) -> None:
        super().__init__(name, settings, brain)
        self.keys = {API_KEY}
        """Credentials that are accepted, as ``x-api-key`` or as bearer token."""

    def answer(self, record: Recorded) -> Whole | Streamed:
        """Route one request (Messages API)."""
        match (record.method, record.segments):
            case ("POST", ("v1", "messages")):
                record.route = Route.ANSWER
                self._authenticate(record)
                return self._messages(record)
            case ("POST", ("v1", "messages", "count_tokens")):
                record.route = Route.COUNT
                self._authenticate(record)
                return self._count_tokens(record)
            case ("GET", ("v1", "models", *rest)):
                record.route = Route.CATALOGUE
                self._authenticate(record)
                return _models(rest)
            case _:
                raise Refused(Cause.NOT_FOUND)

    def refusal(self, refused: Refused, record: Recorded) -> Whole:
        """Anthropic's envelope, with the same ``request-id`` as the header."""
        row = refused.row(TABLE)
        request_id = self._request_id(record)
        return json_reply(row.status, envelope(row, request_id), {"request-id": request_id, **refused.headers})

    def _request_id(self, record: Recorded) -> str:
        return self.account.mint_id("req_", str(record.number))

    def _authenticate(self, record: Recorded) -> None:
        given = record.headers.get("x-api-key")
        wording = "invalid x-api-key"
        if given is None:
            scheme, _, given = record.headers.get("authorization", "").partition(" ")
            wording = "Invalid bearer token" if scheme.lower() == "bearer" else "x-api-key header is required"
        if not any(hmac.compare_digest(given.encode(), key.encode()) for key in self.keys):
            raise Refused(Cause.CREDENTIALS, wording)
        if record.headers.get("anthropic-version") not in VERSIONS:
            raise invalid("anthropic-version: header is required")

    def _rules(self, record: Recorded) -> Rules:
        betas = frozenset(beta.strip() for beta in record.headers.get("anthropic-beta", "").split(",") if beta.strip())
        unknown = sorted(betas - dialect.ANTHROPIC.betas)
        if unknown:
            named = ", ".join(f"`{beta}`" for beta in unknown)
            raise invalid(
                f"Unexpected value(s) {named} for the `anthropic-beta` header. Please consult our documentation at "
                "docs.claude.com or try again without the header."
            )
        dated = record.headers["anthropic-version"] >= "2026-10-21"
        return Rules(dialect.ANTHROPIC, _model_of(record), betas, dated, self.thinking_first)

    def _messages(self, record: Recorded) -> Whole | Streamed:
        record.stream = stream_flag(record.body)
        rules = self._rules(record)
        check_fields(record.body, rules)
        check_options(record.body, rules)
        check_messages(record.body, rules)
        self.account.verify(record.body["messages"], rules.model)
        turn, _ = self.think(record, record.body, self.name, record.model)
        head = Head(self.account.mint_id("msg_", str(record.number)), record.model, omits_thinking(record.body))
        headers = {"request-id": self._request_id(record)}
        if record.stream:
            frames = tuple(sse_frames(turn, head))
            return Streamed({**SSE_HEADERS, **headers}, frames, turn.tokens, self._spoiler(record))
        return json_reply(200, message(turn, head), headers, turn.tokens)

    def _spoiler(self, record: Recorded) -> Spoiler:
        def error(fail: Fail) -> bytes:
            row = Refused(fail.cause, fail.message).row(TABLE)
            return sse_error(envelope(row, self._request_id(record)))

        return sse_spoiler(error)

    def _count_tokens(self, record: Recorded) -> Whole:
        rules = self._rules(record)
        for name in record.body:
            if name not in dialect.COUNTING_FIELDS:
                raise invalid(f"{name}: {EXTRA}")
        check_fields({"max_tokens": 1, **record.body}, rules)
        check_options(record.body, rules)
        check_messages(record.body, rules)
        return json_reply(200, {"input_tokens": prompt_tokens(record.body)}, {"request-id": self._request_id(record)})


def stream_flag(body: Json) -> bool:
    """The request's ``stream``, which must be a boolean."""
    flag = body.get("stream", False) if isinstance(body, dict) else False
    if not isinstance(flag, bool):
        raise invalid("stream: Input should be a valid boolean")
    return flag


def omits_thinking(body: Mapping[str, Json]) -> bool:
    """Whether the client wants thinking without its text ("Extended thinking", ``display``)."""
    return (body.get("thinking") or {}).get("display") == "omitted"


def _model_of(record: Recorded) -> Model:
    if not isinstance(record.body, dict):
        raise invalid("Request body is not valid JSON")
    record.model = str(record.body.get("model", ""))
    if "model" not in record.body:
        raise invalid("model: Field required")
    found = model(record.model)
    if found is None:
        raise Refused(Cause.NO_MODEL, f"model: {record.model}")
    return found


def _models(rest: list[str]) -> Whole:
    rows = [_model_row(name) for name in ANTHROPIC]
    if not rest:
        page = {"data": rows, "has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]}
        return json_reply(200, page)
    found = next((row for row in rows if row["id"] == rest[0]), None)
    if found is None:
        raise Refused(Cause.NO_MODEL, f"model: {rest[0]}")
    return json_reply(200, found)


def _model_row(name: str) -> dict[str, Json]:
    words = name.removeprefix("claude-").split("-")
    shown = f"Claude {words[0].title()} {'.'.join(word for word in words[1:] if len(word) < 3)}"
    return {
        "type": "model",
        "id": name,
        "display_name": shown,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
    }
