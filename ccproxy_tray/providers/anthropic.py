"""Any Messages server: Anthropic's own API, or a gateway that speaks it. Bodies and events pass through."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ccproxy_tray import catalog
from ccproxy_tray.config.schema import PASSTHROUGH, ProviderConfig, Variant
from ccproxy_tray.errors import Failure
from ccproxy_tray.providers.base import Call, Outgoing, Reply
from ccproxy_tray.providers.dialect import api_key_remedy, counted, listed, own_model, shaped, without_model
from ccproxy_tray.routing.target import Candidate, ProviderType, Target
from ccproxy_tray.translate import beta, faults, whole
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.messages_stream import MessagesStream
from ccproxy_tray.translate.shape import anthropic_request
from ccproxy_tray.translate.stream import StreamCodec

CLIENT_REMEDY = "log in to Claude Code, or set ANTHROPIC_API_KEY for it: its own credential is passed through"
VERSION = "2023-06-01"


class AnthropicProvider:
    """One account on a Messages server, with its own key or with the client's credential."""

    type = ProviderType.ANTHROPIC

    def __init__(self, config: ProviderConfig) -> None:
        self.name = config.name
        self._config = config
        self._passthrough = config.api_key.reveal() == PASSTHROUGH

    def missing(self) -> str:
        """Empty when there is a key, or when the client brings its own."""
        return "" if self._config.api_key else api_key_remedy(self._config)

    def candidate(self, variant: Variant, request: MessagesRequest) -> Candidate:
        """The requested model under its Anthropic name, unless the user names another."""
        model = own_model(self._config, variant, request, catalog.anthropic_id)
        if not model:
            return without_model(self.name, request)
        target = Target(self.name, model)
        if missing := self.missing():
            return Candidate(target, "no API key", missing)
        if self._passthrough and request.credential is None:
            return Candidate(target, "the client sent no credential to pass through", CLIENT_REMEDY)
        return Candidate(target)

    def address(self, region: str) -> str:
        """The server's own."""
        return self._config.base_url

    async def prepare(self) -> None:
        """Nothing to look for: keys stand in the configuration."""

    async def outgoing(self, call: Call) -> Outgoing:
        """The client's body with this provider's model name; headers built from scratch."""
        return await self._request("/v1/messages", call)

    async def counting(self, call: Call) -> Outgoing | None:
        """The same body; the server ignores nothing, and Claude Code sends only what it may."""
        return await self._request("/v1/messages/count_tokens", call)

    def counted(self, body: bytes) -> int:
        """``{"input_tokens": N}``."""
        return counted(body, "input_tokens")

    def codec(self, call: Call) -> StreamCodec:
        """Events pass through; only the model's name is the one that was asked for."""
        return MessagesStream(call.request.model, call.message_id)

    def reply(self, call: Call, body: bytes) -> Reply:
        """The Message as it came, under the name that was asked for."""
        return Reply(*whole.reply(body, call.request.model, call.message_id))

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """Messages API, Errors."""
        return faults.from_messages(status, headers, body)

    async def refresh(self) -> bool:
        """A key in the configuration changes only with the configuration."""
        return False

    async def probe(self) -> Outgoing | None:
        """The list of models: free of charge, and refused without a valid key."""
        if self._passthrough:
            return None
        return Outgoing(self._url("/v1/models?limit=1"), self._key_headers(), method="GET")

    async def listing(self, target: Target) -> Outgoing | None:
        """The same list, whole."""
        if self._passthrough:
            return None
        return Outgoing(self._url("/v1/models?limit=1000"), self._key_headers(), method="GET")

    def listed(self, body: bytes) -> frozenset[str]:
        """Ids under ``data``, and the same without their dates: the server knows its models by either."""
        ids = listed(body)
        return ids | {catalog.normalise(name) for name in ids}

    def _url(self, path: str) -> str:
        return self._config.base_url + path

    async def _request(self, path: str, call: Call) -> Outgoing:
        extra, dropped = self._config.extra_betas, frozenset(self._config.drop_betas)
        if not self._passthrough:
            dropped |= {beta.OAUTH}  # it marks a claude.ai token, and goes only where that goes
        shape = partial(anthropic_request, call.request, call.target.model, call.repairs, extra, dropped)
        body, betas = await shaped(shape, call.request)
        return Outgoing(self._url(path), self._headers(call.request, betas), body)

    def _key_headers(self) -> dict[str, str]:
        return {"x-api-key": self._config.api_key.reveal(), "anthropic-version": VERSION}

    def _headers(self, request: MessagesRequest, betas: tuple[str, ...]) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._passthrough and request.credential is not None:
            name, value = request.credential
            headers[name] = value
        else:
            headers |= self._key_headers()
        headers["anthropic-version"] = request.version
        if betas:
            headers["anthropic-beta"] = ",".join(betas)
        return headers
