"""One real request through each provider, by the program's own dispatch, beside any proxy that runs."""

from __future__ import annotations

import asyncio
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ccproxy_tray.app import App
from ccproxy_tray.config.schema import PASSTHROUGH, Loaded, Server
from ccproxy_tray.journal import events
from ccproxy_tray.journal.events import Event
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.redact import public
from ccproxy_tray.routing.story import line

PATIENCE = 60.0
"""Seconds that one provider gets for one word."""
PROMPT = "Reply with OK"
_Ended = events.Served | events.FellBack | events.Exhausted | events.Refused | events.BrokeOff | events.Abandoned


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one provider's request. ``tried`` is False when there was none, and ``why`` then says why.

    ``status`` is what a client would have been given, 0 for nothing. ``first_event`` counts seconds from the arrival
    of the request, None when nothing of an answer came. ``target`` is who served. ``why`` is fit to be shown.
    """

    provider: str
    served: bool = False
    status: int = 0
    first_event: float | None = None
    target: str = ""
    why: str = ""
    tried: bool = True


async def trials(loaded: Loaded, environ: Mapping[str, str], model: str) -> list[Trial]:
    """Ask every provider of the default route for one token of ``model``, one after the other. Raises CannotListen."""
    names = dict.fromkeys(step.name for step in loaded.config.routing.provider_sequence)
    return [await _trial(loaded, environ, model, name) for name in names]


async def _trial(loaded: Loaded, environ: Mapping[str, str], model: str, name: str) -> Trial:
    if loaded.config.providers[name].api_key.reveal() == PASSTHROUGH:
        return Trial(name, why="the client brings its own credential, which is not known here", tried=False)
    ends: list[_Ended] = []

    def note(event: Event, _snapshot: Snapshot) -> None:
        if isinstance(event, _Ended):
            ends.append(event)

    async with App(_alone(loaded, name), environ) as app:
        app.journal.subscribe(note)
        await asyncio.to_thread(_post, app.urls[0], model)
    return _told(name, ends[-1]) if ends else Trial(name, why="the request did not reach the chain")


def _alone(loaded: Loaded, name: str) -> Loaded:
    """The configuration with this provider alone, at any free port, with nobody to wait for."""
    routing = replace(loaded.config.routing, enable=True, only=name, models=(), max_wait_seconds=0.0)
    return replace(loaded, config=replace(loaded.config, server=Server(port=0), routing=routing))


def _post(url: str, model: str) -> None:
    """Send the request and read its answer; what came of it is read from the journal."""
    messages = [{"role": "user", "content": PROMPT}]
    body = {"model": model, "max_tokens": 1, "stream": True, "messages": messages}
    headers = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    request = urllib.request.Request(  # noqa: S310 - the scheme is ours
        f"{url}/v1/messages", json.dumps(body).encode(), headers
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is never proxied
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, http.client.HTTPException):  # an answer that ended badly; the journal knows how
        return


def _told(name: str, end: _Ended) -> Trial:
    attempts = end.story.attempts
    first = attempts[-1].started + attempts[-1].first_event if attempts and attempts[-1].first_event else None
    match end:
        case events.Served() | events.FellBack():
            return Trial(name, True, 200, first, str(attempts[-1].target))
        case events.Exhausted() | events.Refused():
            return Trial(name, status=end.status, why=public(f"{end.message} [{line(end.story)}]"))
        case events.BrokeOff():
            why = public(f"broke off: {end.reason} [{line(end.story)}]")
            return Trial(name, status=200, first_event=first, why=why)
        case events.Abandoned():
            return Trial(name, why=public(f"no answer within {PATIENCE:g} s [{line(end.story)}]"))
