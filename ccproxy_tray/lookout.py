"""Which providers can serve: found out in the background, and told again when credentials come or go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from ccproxy_tray.dispatch.loop import Dispatcher
from ccproxy_tray.dispatch.runtime import Runtime
from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import Credentials, Event, ProviderState
from ccproxy_tray.providers.base import Provider
from ccproxy_tray.providers.bedrock import BedrockProvider
from ccproxy_tray.providers.discovery import discover_profiles
from ccproxy_tray.providers.http import Transport

log = logging.getLogger(__name__)


class Lookout:
    """Looks at the providers of one runtime at a time. ``record`` is given an event that wants to know its moment."""

    def __init__(
        self, dispatcher: Dispatcher, transport: Transport, record: Callable[[Callable[[float], Event]], None]
    ) -> None:
        self.looking: asyncio.Task[None] | None = None
        """The look that runs, or ran last."""
        self._dispatcher = dispatcher
        self._transport = transport
        self._record = record
        self._ended = False

    def begin(self, runtime: Runtime, known: Sequence[ProviderState] = ()) -> None:
        """Find out which providers can serve, and say what is not ``known``. Looks at no other runtime any more."""
        if self.looking is not None:
            self.looking.cancel()
        self.looking = asyncio.create_task(self._look(runtime, known))

    def end(self) -> None:
        """Look no more."""
        self._ended = True
        if self.looking is not None:
            self.looking.cancel()

    async def _look(self, runtime: Runtime, known: Sequence[ProviderState]) -> None:
        used = _used(runtime)
        for name in used:
            await runtime.providers[name].prepare()
        states = tuple(_state(provider, looked=name in used) for name, provider in runtime.providers.items())
        self._record(lambda at: events.ProvidersChecked(at, states))
        for state in states:
            if state.name in used and state.remedy and state not in known:
                log.warning("%s cannot serve: %s", state.name, state.remedy)
        accounts = [each for each in runtime.providers.values() if isinstance(each, BedrockProvider)]
        for account in accounts:
            account.subscribe(partial(self._changed, runtime, account, states))
        for account in accounts:
            if account.name in used and not account.missing():
                await discover_profiles(account, self._transport)

    def _changed(self, runtime: Runtime, provider: Provider, known: Sequence[ProviderState]) -> None:
        """A provider has found credentials, or has lost them: what was said of them is no longer true."""
        if runtime is self._dispatcher.runtime and not self._ended:
            if not provider.missing():
                self._dispatcher.mended(provider.name)
            self.begin(runtime, known)


def _used(runtime: Runtime) -> set[str]:
    """The providers that any route names."""
    routing = runtime.config.routing
    steps = [*routing.provider_sequence, *(step for route in routing.models for step in route.provider_sequence)]
    return {step.name for step in steps}


def _state(provider: Provider, *, looked: bool) -> ProviderState:
    missing = provider.missing()
    known = Credentials.MISSING if missing else Credentials.FOUND
    return ProviderState(provider.name, provider.type, known if looked or missing else Credentials.UNKNOWN, missing)
