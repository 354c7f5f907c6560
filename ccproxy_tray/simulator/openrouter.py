"""A simulated openrouter.ai: under ``/api/v1`` its ``messages``, ``chat/completions``, ``key`` and ``models``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ccproxy_tray.simulator import chat, dialect
from ccproxy_tray.simulator.anthropic import API_KEY, SSE_HEADERS, omits_thinking, stream_flag
from ccproxy_tray.simulator.body import Rules, check_fields, check_options
from ccproxy_tray.simulator.brain import Brain
from ccproxy_tray.simulator.chat_prompt import as_messages
from ccproxy_tray.simulator.chunk import ChatHead, Style, chunks, completion, usage_of
from ccproxy_tray.simulator.conversation import check_messages
from ccproxy_tray.simulator.event import Event, Head, events, message, sse
from ccproxy_tray.simulator.faults import Route
from ccproxy_tray.simulator.frame import Frame, Mark
from ccproxy_tray.simulator.model import SLUGS, Model, model
from ccproxy_tray.simulator.openai import bearer
from ccproxy_tray.simulator.openrouter_error import TABLE, chat_error, chat_error_line, skin_error, skin_error_event
from ccproxy_tray.simulator.play import sse_spoiler
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.refusal import Cause, Refused, invalid
from ccproxy_tray.simulator.reply import Streamed, Whole, json_reply
from ccproxy_tray.simulator.turn import Json, Tokens, Turn
from ccproxy_tray.simulator.upstream import Settings, Upstream

COMMENT = Frame(b": OPENROUTER PROCESSING\n\n", Mark.NOISE)
OTHER_MODELS = ("openai/gpt-5", "qwen/qwen3-coder", "deepseek/deepseek-v4")
_VARIANT = re.compile(r":(free|nitro|floor|online|thinking|extended)$")
_SESSION_LIMIT = 256
_PRICE_IN, _PRICE_OUT = 0.000003, 0.000015


class OpenRouter(Upstream):
    """Both interfaces of OpenRouter, over one account. ``credit`` is what ``/api/v1/key`` says is left."""

    def __init__(self, name: str, settings: Settings, brain: Brain) -> None:
        super().__init__(name, settings, brain)
        self.api_key = API_KEY
        self.credit = 74.5
        self.style = Style(details=True, native=True, extra={"provider": "Anthropic"})

    def answer(self, record: Recorded) -> Whole | Streamed:
        """Route one request (OpenRouter, "API Reference")."""
        match (record.method, record.segments):
            case ("POST", ("api", "v1", "messages")):
                record.route = Route.ANSWER
                self._authenticate(record)
                return self._messages(record)
            case ("POST", ("api", "v1", "chat", "completions")):
                record.route = Route.ANSWER
                self._authenticate(record)
                return self._complete(record)
            case ("GET", ("api", "v1", "key")):
                record.route = Route.CATALOGUE
                self._authenticate(record)
                return self._key()
            case ("GET", ("api", "v1", "models")):
                record.route = Route.CATALOGUE
                return json_reply(200, {"data": [_model_row(slug) for slug in (*SLUGS, *OTHER_MODELS)]})
            case _:
                raise Refused(Cause.NOT_FOUND)

    def refusal(self, refused: Refused, record: Recorded) -> Whole:
        """Anthropic's envelope on ``/messages``, OpenAI's object elsewhere, both with OpenRouter's details."""
        row = refused.row(TABLE)
        skin = record.segments[-1:] == ("messages",)
        body = skin_error(refused, record) if skin else chat_error(refused, record)
        return json_reply(row.status, body, {**self._headers(record), **refused.headers})

    def _headers(self, record: Recorded) -> dict[str, str]:
        return {"x-generation-id": self.account.mint_id("gen-", str(record.number))}

    def _authenticate(self, record: Recorded) -> None:
        bearer(record, self.api_key)

    def _messages(self, record: Recorded) -> Whole | Streamed:
        if not isinstance(record.body, dict):
            raise invalid("Invalid JSON in request body")
        record.stream = stream_flag(record.body)
        record.model = str(record.body.get("model", ""))
        rules = Rules(dialect.OPENROUTER, _known(record.model), thinking_first=self.thinking_first)
        check_fields(record.body, rules)
        if len(str(record.body.get("session_id", ""))) > _SESSION_LIMIT:
            raise invalid(f"session_id: String should have at most {_SESSION_LIMIT} characters")
        if "models" in record.body and "fallbacks" in record.body:
            raise invalid("`models` and `fallbacks` cannot be used together")
        check_options(record.body, rules)
        check_messages(record.body, rules)
        self.account.verify(record.body["messages"], rules.model)
        turn, _ = self.think(record, record.body, self.name, record.model)
        extra = {"provider": "Anthropic"}
        head = Head(self._headers(record)["x-generation-id"], record.model, omits_thinking(record.body), extra)
        if not record.stream:
            return json_reply(200, _with_cost(message(turn, head), turn), self._headers(record), turn.tokens)
        frames = tuple(_skin_frames(turn, head))
        spoiler = sse_spoiler(lambda fail: skin_error_event(fail, record))
        return Streamed({**SSE_HEADERS, **self._headers(record)}, frames, turn.tokens, spoiler)

    def _complete(self, record: Recorded) -> Whole | Streamed:
        chat.check(record.body, chat.OPENROUTER)
        record.model, record.stream = str(record.body["model"]), bool(record.body.get("stream"))
        model = _known(record.model)
        read = as_messages(record.body)
        if record.model.startswith("anthropic/"):
            _check_thinking(read["messages"])
            self.account.verify(read["messages"], model)
        turn, _ = self.think(record, read, self.name, record.model)
        tokens = turn.tokens or Tokens()
        usage = _usage(tokens)
        head = ChatHead(self._headers(record)["x-generation-id"], record.model, self.style)
        if not record.stream:
            return json_reply(200, completion(turn, head, usage), self._headers(record), tokens)
        frames = (COMMENT, *chunks(turn, head, usage))
        spoiler = sse_spoiler(lambda fail: chat_error_line(fail, record, head))
        return Streamed({**SSE_HEADERS, **self._headers(record)}, frames, tokens, spoiler)

    def _key(self) -> Whole:
        data = {
            "label": "simulated",
            "limit": 100,
            "limit_remaining": self.credit,
            "limit_reset": "monthly",
            "usage": 100 - self.credit,
            "is_free_tier": False,
        }
        return json_reply(200, {"data": data})


def _known(slug: str) -> Model:
    """The model behind a slug; models that are no Claude are judged like the newest Claude."""
    bare = _VARIANT.sub("", slug)
    if bare in SLUGS:
        found = model(SLUGS[bare])
        assert found is not None
        return found
    if bare not in OTHER_MODELS:
        raise Refused(Cause.NO_MODEL, f"{slug} is not a valid model ID")
    return Model(bare, "other", (5, 0))


def _check_thinking(messages: list[Mapping[str, Json]]) -> None:
    for index, said in enumerate(messages):
        for place, block in enumerate(said["content"]):
            if block["type"] == "thinking" and not block["signature"]:
                raise invalid(f"messages.{index}.content.{place}.thinking.signature: Field required")
            if block["type"] == "text" and not block["text"].strip():
                raise invalid("messages: text content blocks must be non-empty")


def _skin_frames(turn: Turn, head: Head) -> Iterator[Frame]:
    yield COMMENT
    for event in events(turn, head):
        yield sse(_with_nulls(event, turn))
        if event[0] is Mark.START:
            yield COMMENT
    yield Frame(b"data: [DONE]\n\n", Mark.NOISE)


def _with_nulls(event: Event, turn: Turn) -> Event:
    """OpenRouter's usage: nulls where nothing is known yet, the cost at the end."""
    mark, data = event
    if mark is Mark.START:
        started = dict(data["message"])
        unknown = {"cache_creation_input_tokens": None, "cache_read_input_tokens": None}
        return mark, {**data, "message": {**started, "usage": {**started["usage"], **unknown}}}
    if mark is Mark.END:
        return mark, _with_cost(data, turn)
    return event


def _with_cost(data: dict[str, Json], turn: Turn) -> dict[str, Json]:
    return {**data, "usage": {**data["usage"], "cost": cost(turn.tokens or Tokens())}}


def cost(tokens: Tokens) -> float:
    """What OpenRouter says an answer cost, in USD."""
    return round(tokens.prompt * _PRICE_IN + tokens.output * _PRICE_OUT, 9)


def _usage(tokens: Tokens) -> dict[str, Json]:
    usage = usage_of(tokens)
    details = {**usage["prompt_tokens_details"], "cache_write_tokens": tokens.cache_write}
    return {**usage, "prompt_tokens_details": details, "cost": cost(tokens), "is_byok": False, "cost_details": {}}


def _model_row(slug: str) -> dict[str, Json]:
    return {
        "id": slug,
        "canonical_slug": slug,
        "name": slug,
        "created": 1_760_000_000,
        "context_length": 200_000,
        "pricing": {"prompt": f"{_PRICE_IN:.6f}", "completion": f"{_PRICE_OUT:.6f}"},
        "top_provider": {"context_length": 200_000, "max_completion_tokens": 64_000, "is_moderated": False},
    }
