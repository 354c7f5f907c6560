"""OpenRouter: its Messages interface by default, chat completions when the user asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ccproxy_tray import catalog
from ccproxy_tray.config.schema import ApiStyle, ProviderConfig, Variant
from ccproxy_tray.errors import Failure
from ccproxy_tray.providers.base import Call, Outgoing, Provider, Reply
from ccproxy_tray.providers.dialect import api_key_remedy, listed, own_model, shaped, without_model
from ccproxy_tray.providers.openai import OpenAIProvider
from ccproxy_tray.routing.target import Candidate, ProviderType, Target
from ccproxy_tray.translate import faults, whole
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.messages_stream import MessagesStream
from ccproxy_tray.translate.openai_dialect import OPENROUTER
from ccproxy_tray.translate.shape import openrouter_request
from ccproxy_tray.translate.stream import StreamCodec

API = "/api/v1"
VERSION = "2023-06-01"


def openrouter(config: ProviderConfig, _environ: Mapping[str, str]) -> Provider:
    """The account, on the interface that the configuration names."""
    if config.api is ApiStyle.CHAT:
        return OpenAIProvider(
            config,
            type=ProviderType.OPENROUTER,
            dialect=OPENROUTER,
            rule=catalog.openrouter_slug,
            path=API,
            needs_key=True,
        )
    return OpenRouterProvider(config)


class OpenRouterProvider:
    """One OpenRouter account, through the Messages interface."""

    type = ProviderType.OPENROUTER

    def __init__(self, config: ProviderConfig) -> None:
        self.name = config.name
        self._config = config

    def missing(self) -> str:
        """Empty when there is a key."""
        return "" if self._config.api_key else api_key_remedy(self._config)

    def candidate(self, variant: Variant, request: MessagesRequest) -> Candidate:
        """The requested model under its slug, unless the user names another."""
        model = own_model(self._config, variant, request, catalog.openrouter_slug)
        if not model:
            return without_model(self.name, request)
        target = Target(self.name, model)
        missing = self.missing()
        return Candidate(target, "no API key", missing) if missing else Candidate(target)

    def address(self, region: str) -> str:
        """The server's own."""
        return self._config.base_url

    async def prepare(self) -> None:
        """Nothing to look for: keys stand in the configuration."""

    async def outgoing(self, call: Call) -> Outgoing:
        """The client's body, without the fields that OpenRouter does not list; headers built from scratch."""
        extra, dropped = self._config.extra_betas, self._config.drop_betas
        shape = partial(openrouter_request, call.request, call.target.model, call.repairs, extra, dropped)
        body, betas = await shaped(shape, call.request)
        headers = {**self._headers(), "anthropic-version": VERSION}
        if betas:
            # The documentation names the second; its Anthropic provider reads the first.
            headers["anthropic-beta"] = headers["x-anthropic-beta"] = ",".join(betas)
        return Outgoing(self._url("/messages"), headers, body)

    async def counting(self, call: Call) -> Outgoing | None:
        """OpenRouter has no such endpoint."""
        return None

    def counted(self, body: bytes) -> int:
        """Never asked."""
        raise NotImplementedError

    def codec(self, call: Call) -> StreamCodec:
        """Events pass through; only the model's name is the one that was asked for."""
        return MessagesStream(call.request.model, call.message_id)

    def reply(self, call: Call, body: bytes) -> Reply:
        """The Message as it came, under the name that was asked for."""
        return Reply(*whole.reply(body, call.request.model, call.message_id))

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """OpenRouter, Errors and debugging."""
        return faults.from_messages(status, headers, body)

    async def refresh(self) -> bool:
        """A key in the configuration changes only with the configuration."""
        return False

    async def probe(self) -> Outgoing | None:
        """The key's own limits: free of charge, refused without a valid key."""
        return Outgoing(self._url("/key"), self._headers(), method="GET")

    async def listing(self, target: Target) -> Outgoing | None:
        """The catalogue, which anybody may read."""
        return Outgoing(self._url("/models"), self._headers(), method="GET")

    def listed(self, body: bytes) -> frozenset[str]:
        """Slugs under ``data``."""
        return listed(body)

    def _url(self, path: str) -> str:
        return self._config.base_url + API + path

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", "Authorization": f"Bearer {self._config.api_key.reveal()}"}
