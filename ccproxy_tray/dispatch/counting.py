"""Counting tokens: one question to one target, an honest estimate otherwise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.base import Call, Provider
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.routing.target import Target
from ccproxy_tray.translate import tokens
from ccproxy_tray.translate.messages import MessagesRequest

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds: Claude Code asks for dozens of counts at once and can estimate by itself."""
PAUSE = 600.0
"""A target that could not count is not asked again for so long (seconds)."""
MAX_UNABLE = 512
"""So many targets are remembered, the latest: requested model names come from the client."""


class Counter:
    """Remembers which targets cannot count, so that a burst of questions costs one failure. Cools nothing."""

    def __init__(self, transport: Transport, monotonic: Callable[[], float]) -> None:
        self._transport = transport
        self._monotonic = monotonic
        self._unable_until: dict[Target, float] = {}

    async def count(self, providers: Mapping[str, Provider], call: Call | None, request: MessagesRequest) -> int:
        """The target's own count; an estimate when it has none, cannot be reached, or there is no target."""
        if call is not None and self._unable_until.get(call.target, 0.0) <= self._monotonic():
            counted = await self._ask(providers[call.target.provider], call)
            if counted is not None:
                return counted
        return tokens.estimate(request.body, request.memo)

    async def _ask(self, provider: Provider, call: Call) -> int | None:
        try:
            async with asyncio.timeout(PATIENCE):
                outgoing = await provider.counting(call)
                if outgoing is None:
                    return None
                response = await self._transport.open(outgoing)
                try:
                    if response.status == 200:
                        return provider.counted(await response.read_whole())
                finally:
                    response.close()
        except (AttemptFailed, TimeoutError) as error:
            log.debug("%s: %s cannot count tokens: %s", call.request_id, call.target, error)
        self._leave_alone(call.target)
        return None

    def _leave_alone(self, target: Target) -> None:
        self._unable_until.pop(target, None)
        self._unable_until[target] = self._monotonic() + PAUSE
        if len(self._unable_until) > MAX_UNABLE:
            del self._unable_until[next(iter(self._unable_until))]
