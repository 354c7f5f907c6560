"""Any chat-completions server, and OpenRouter's own: fully translated, both ways."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ccproxy_tray import catalog
from ccproxy_tray.config.schema import ProviderConfig, Variant
from ccproxy_tray.errors import AttemptFailed, Failure
from ccproxy_tray.providers.base import Call, Outgoing, Reply
from ccproxy_tray.providers.dialect import api_key_remedy, listed, own_model, shaped, without_model
from ccproxy_tray.providers.faults import broken
from ccproxy_tray.routing.target import Candidate, ProviderType, Target
from ccproxy_tray.translate import faults, jsontext, openai_reply, tokens, web_search
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.openai_dialect import GENERIC, ChatDialect
from ccproxy_tray.translate.openai_request import chat_request, unservable
from ccproxy_tray.translate.openai_stream import ChatStream
from ccproxy_tray.translate.openai_tools import tool_names
from ccproxy_tray.translate.openai_usage import counts_input
from ccproxy_tray.translate.stream import StreamCodec
from ccproxy_tray.translate.thinking import is_omitted


@dataclass(frozen=True, slots=True)
class OpenAIProvider:
    """One account on a chat-completions server.

    ``root`` is the URL that ``/chat/completions`` is appended to. A server without a key is left to judge for itself:
    local ones (Ollama, vLLM) want none.
    """

    config: ProviderConfig
    type: ProviderType = ProviderType.OPENAI
    dialect: ChatDialect = GENERIC
    rule: Callable[[str], str] = field(default=catalog.portable)
    path: str = ""
    needs_key: bool = False

    @property
    def name(self) -> str:
        """The user's name for it."""
        return self.config.name

    def missing(self) -> str:
        """Only a key that was announced, or that this server always wants, can be missing."""
        wanted = self.needs_key or self.config.missing_env
        return api_key_remedy(self.config) if wanted and not self.config.api_key else ""

    def candidate(self, variant: Variant, request: MessagesRequest) -> Candidate:
        """The variant's model, or the requested one by mapping and rule."""
        model = own_model(self.config, variant, request, self.rule)
        if not model:
            return without_model(self.name, request)
        target = Target(self.name, model)
        if missing := self.missing():
            return Candidate(target, "no API key", missing)
        return Candidate(target, unservable(request.body, self.dialect, request.memo))

    def address(self, region: str) -> str:
        """The server's own."""
        return self.config.base_url

    async def prepare(self) -> None:
        """Nothing to look for: keys stand in the configuration."""

    async def outgoing(self, call: Call) -> Outgoing:
        """The request as a chat."""
        body = await shaped(partial(self._chat, call), call.request)
        return Outgoing(f"{self._root}/chat/completions", self._headers(), body)

    async def counting(self, call: Call) -> Outgoing | None:
        """Chat servers do not count."""
        return None

    def counted(self, body: bytes) -> int:
        """Never asked."""
        raise NotImplementedError

    def codec(self, call: Call) -> StreamCodec:
        """Chat chunks become Messages events."""
        body, memo = call.request.body, call.request.memo
        return ChatStream(
            model=call.request.model,
            message_id=_message_id(),
            names=tool_names(body, memo),
            input_estimate=tokens.estimate(body, memo),
            searched=web_search.query(body),
            omit_thinking=is_omitted(body),
        )

    def reply(self, call: Call, body: bytes) -> Reply:
        """A whole chat answer becomes a Message."""
        asked, memo = call.request.body, call.request.memo
        try:
            chat = jsontext.parse(body, duplicates=True)
        except jsontext.JsonError as error:
            raise AttemptFailed(broken("the answer is not JSON")) from error
        message = openai_reply.message(
            chat,
            model=call.request.model,
            message_id=_message_id(),
            names=tool_names(asked, memo),
            searched=web_search.query(asked),
            omit_thinking=is_omitted(asked),
            input_estimate=0 if counts_input(chat) else tokens.estimate(asked, memo),
        )
        return Reply(jsontext.render(message), openai_reply.progress(message, chat))

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """OpenAI's and OpenRouter's error objects."""
        return faults.from_chat_http(status, headers, body)

    async def refresh(self) -> bool:
        """A key in the configuration changes only with the configuration."""
        return False

    async def probe(self) -> Outgoing | None:
        """The list of models, which most servers give only to a valid key."""
        return Outgoing(f"{self._root}/models", self._headers(), method="GET")

    async def listing(self, target: Target) -> Outgoing | None:
        """The same list."""
        return await self.probe()

    def listed(self, body: bytes) -> frozenset[str]:
        """Ids under ``data``."""
        return listed(body)

    def _chat(self, call: Call) -> bytes:
        if call.request.stream:
            # The codec of the answer asks for it on the loop; here a large request is looked through in a thread.
            tokens.estimate(call.request.body, call.request.memo)
        chat, _ = chat_request(
            call.request.body,
            model=call.target.model,
            dialect=self.dialect,
            session=call.request.session,
            repairs=call.repairs,
            memo=call.request.memo,
        )
        return jsontext.render(chat, finite=True)

    @property
    def _root(self) -> str:
        return self.config.base_url + self.path

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.config.api_key:
            headers["Authorization"] = f"Bearer {self.config.api_key.reveal()}"
        return headers


def _message_id() -> str:
    return f"msg_{secrets.token_hex(12)}"
