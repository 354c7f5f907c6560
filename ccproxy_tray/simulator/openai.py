"""A simulated chat-completions server of the strict kind: ``/v1/chat/completions`` and ``/v1/models``."""

from __future__ import annotations

import hmac

from ccproxy_tray.simulator import chat
from ccproxy_tray.simulator.anthropic import API_KEY, SSE_HEADERS
from ccproxy_tray.simulator.brain import Brain
from ccproxy_tray.simulator.chat_prompt import as_messages
from ccproxy_tray.simulator.chunk import ChatHead, Style, chunks, completion, data_line, usage_of
from ccproxy_tray.simulator.faults import Fail, Route
from ccproxy_tray.simulator.play import sse_spoiler
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.refusal import Cause, Refused, Row
from ccproxy_tray.simulator.reply import Streamed, Whole, json_reply
from ccproxy_tray.simulator.turn import Json, Tokens
from ccproxy_tray.simulator.upstream import Settings, Upstream

MODELS = ("qwen-3-coder-480b", "gpt-oss-120b", "claude-sonnet-4-5", "claude-haiku-4-5")
"""What ``/v1/models`` lists and what can be asked."""

TABLE = {
    Cause.INVALID: Row(400, "invalid_request_error", "Invalid request."),
    Cause.TOO_LONG: Row(
        400,
        "context_length_exceeded",
        "This model's maximum context length is 131072 tokens. However, your messages resulted in 140000 tokens. "
        "Please reduce the length of the messages.",
    ),
    Cause.TOO_LARGE: Row(413, "invalid_request_error", "Request too large."),
    Cause.CONTENT_POLICY: Row(400, "content_policy_violation", "Your request was rejected by our safety system."),
    Cause.THROTTLED: Row(429, "rate_limit_exceeded", "Rate limit reached for requests. Please try again later."),
    Cause.DAILY_LIMIT: Row(429, "rate_limit_exceeded", "Rate limit reached for tokens per day."),
    Cause.QUOTA: Row(429, "insufficient_quota", "You exceeded your current quota, please check your plan."),
    Cause.CAPACITY: Row(503, "server_error", "We're experiencing high traffic right now."),
    Cause.OVERLOADED: Row(503, "server_error", "The engine is currently overloaded, please try again later."),
    Cause.NOT_READY: Row(503, "server_error", "The model is loading."),
    Cause.UNAVAILABLE: Row(503, "server_error", "Service unavailable."),
    Cause.INTERNAL: Row(500, "server_error", "The server had an error while processing your request."),
    Cause.BAD_GATEWAY: Row(502, "server_error", "Bad gateway."),
    Cause.TIMEOUT: Row(504, "server_error", "The request timed out."),
    Cause.STREAM_BROKE: Row(500, "server_error", "The server had an error while processing your request."),
    Cause.MODEL_FAILED: Row(500, "server_error", "The server had an error while processing your request."),
    Cause.CREDENTIALS: Row(401, "invalid_api_key", "Incorrect API key provided."),
    Cause.EXPIRED: Row(401, "invalid_api_key", "Your API key has expired."),
    Cause.FORBIDDEN: Row(403, "permission_denied", "You are not allowed to use this model."),
    Cause.REGION: Row(403, "unsupported_country_region_territory", "Country, region, or territory not supported."),
    Cause.NO_CREDIT: Row(402, "insufficient_quota", "Your account has no credit left."),
    Cause.NO_MODEL: Row(404, "model_not_found", "The model does not exist or you do not have access to it."),
    Cause.MODEL_GONE: Row(404, "model_not_found", "The model has been deprecated."),
    Cause.NO_ON_DEMAND: Row(404, "model_not_found", "The model does not exist or you do not have access to it."),
    Cause.CONFLICT: Row(409, "conflict", "The request conflicts with another one."),
    Cause.NOT_FOUND: Row(404, "not_found", "Not found."),
}
"""Status, ``error.code`` and wording of each cause ("Error codes")."""


def bearer(record: Recorded, key: str) -> None:
    """Refuse a request without the right bearer token."""
    scheme, _, given = record.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), key.encode()):
        raise Refused(Cause.CREDENTIALS)


class OpenAI(Upstream):
    """Refuses every field that OpenAI's API does not know; sends usage in streams only when asked."""

    def __init__(self, name: str, settings: Settings, brain: Brain) -> None:
        super().__init__(name, settings, brain)
        self.api_key = API_KEY
        self.models = set(MODELS)
        self.style = Style(interleave=True)
        """Parallel tool calls come with their fragments mixed, which the format allows."""

    def answer(self, record: Recorded) -> Whole | Streamed:
        """Route one request."""
        match (record.method, record.segments):
            case ("POST", ("v1", "chat", "completions")):
                record.route = Route.ANSWER
                bearer(record, self.api_key)
                return self._complete(record)
            case ("GET", ("v1", "models")):
                record.route = Route.CATALOGUE
                bearer(record, self.api_key)
                rows = [{"id": name, "object": "model", "created": 1, "owned_by": "simulator"} for name in MODELS]
                return json_reply(200, {"object": "list", "data": rows})
            case _:
                raise Refused(Cause.NOT_FOUND)

    def refusal(self, refused: Refused, record: Recorded) -> Whole:
        """``{"error": {"message", "type", "param", "code"}}``."""
        row = refused.row(TABLE)
        headers = {"x-request-id": self.account.mint_id("req_", str(record.number))}
        return json_reply(row.status, _error_body(row), {**headers, **refused.headers})

    def _complete(self, record: Recorded) -> Whole | Streamed:
        chat.check(record.body, chat.OPENAI)
        record.model, record.stream = str(record.body["model"]), bool(record.body.get("stream"))
        if record.model not in self.models:
            raise Refused(Cause.NO_MODEL, f"The model `{record.model}` does not exist or you do not have access to it.")
        turn, _ = self.think(record, as_messages(record.body), self.name, record.model)
        tokens = turn.tokens or Tokens()
        head = ChatHead(self.account.mint_id("chatcmpl-", str(record.number)), record.model, self.style)
        if not record.stream:
            return json_reply(200, completion(turn, head, usage_of(tokens)), tokens=tokens)
        wanted = (record.body.get("stream_options") or {}).get("include_usage")
        frames = tuple(chunks(turn, head, usage_of(tokens) if wanted else None))
        return Streamed(SSE_HEADERS, frames, tokens, sse_spoiler(_error_line))


def _error_body(row: Row) -> dict[str, Json]:
    """OpenAI's error object."""
    kind = "invalid_request_error" if 400 <= row.status < 500 else "server_error"
    code = None if row.name == kind else row.name
    return {"error": {"message": row.message, "type": kind, "param": None, "code": code}}


def _error_line(fail: Fail) -> bytes:
    return data_line(_error_body(Refused(fail.cause, fail.message).row(TABLE)))
