"""The picture of the program as a JSON document, for ``GET /debug`` and everything that reads it.

The keys are stable. Times are ISO 8601 in UTC, durations whole or decimal seconds.

===================  =============================================================================================
``version``          of this program
``time``             when the document was made
``uptime_seconds``   since the start: between the seconds that clocks showed then and at ``time``
``urls``             where the endpoint listens
``headline``         the state in the tray's words, and
``chain``            every route with the state of its targets: both as in ``outlook``
``serving``          the target that served last; ``null`` before the first request
``on_fallback``      whether that was not the first choice
``offline``          whether nothing upstream can be reached
``outage``           the outage that the user simulates: ``provider``, ``kind`` (``429``, ``hang``, ``cut``), ``until``,
                     ``seconds_left``; ``null`` when there is none
``config``           ``path`` of the file, its ``warnings``, the ``problems`` of a change that was not taken over
``rate_limits``      targets that cool: ``target``, ``provider``, ``model`` (empty: the whole provider), ``region``,
                     ``seconds_left``, ``until``, ``since``, ``reason``, ``lasting`` (ends with a change of config or
                     credentials, too)
``settings``         the whole configuration in force: ``key`` (``server.port``), ``value`` as in the file, secrets
                     masked, ``source``, ``note`` (what a secret refers to and is not there)
``history``          why past requests cannot be kept; empty when they are, or are not wanted
``routing``          for each key of that section ``value`` and ``source``: ``file``, ``default`` or a variable's name
``providers``        by name: ``type``, ``credentials`` (``found``, ``missing``, ``unknown``), ``remedy``
``fallbacks``        the latest requests that did not go smoothly, latest first: ``time``, ``request_id``, ``model``,
                     ``outcome`` (``served``, ``exhausted``, ``broke off``), ``story`` in one line, ``attempts``, each
                     with ``target``, ``started``, ``seconds``, ``first_event``, ``status``, ``fault``, ``reason``,
                     ``cooling``, ``simulated`` (nothing was sent)
``requests``         ended requests since the start: ``total``, ``served``, ``fell_back``, ``exhausted``, ``refused``,
                     ``broke_off``, ``abandoned``; and the same for ``today``
===================  =============================================================================================

Law: no credential, no prompt and no account id. What an upstream or the user's file worded is masked once more here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from ccproxy_tray.config.provenance import Setting, settings
from ccproxy_tray.journal.events import BrokeOff, CoolingTarget, Exhausted, FellBack
from ccproxy_tray.journal.snapshot import RECENT, Counts, Snapshot, cooling_now, counts_today
from ccproxy_tray.redact import public
from ccproxy_tray.routing.outage import Outage
from ccproxy_tray.routing.story import Attempt, line
from ccproxy_tray.routing.target import Target
from ccproxy_tray.server.outlook import outlook

_OUTCOMES = {FellBack: "served", Exhausted: "exhausted", BrokeOff: "broke off"}


def status(snapshot: Snapshot, now: float) -> dict[str, Any]:
    """The document at the moment ``now`` (Unix seconds)."""
    in_force = () if snapshot.loaded is None else tuple(settings(snapshot.loaded))
    return {
        "version": snapshot.version,
        "time": moment(now),
        "uptime_seconds": max(0, int(now) - int(snapshot.started)),
        "urls": list(snapshot.urls),
        **outlook(snapshot, now),
        "serving": None if snapshot.current is None else public(str(snapshot.current)),
        "on_fallback": snapshot.on_fallback,
        "offline": snapshot.offline,
        "outage": None if snapshot.outage is None else _outage(snapshot.outage, now),
        "config": _config(snapshot),
        "rate_limits": [_cooling(row, now) for row in cooling_now(snapshot, now)],
        "settings": [_setting(each, snapshot.waiting) for each in in_force],
        "history": public(snapshot.history),
        "routing": {
            each.path[-1]: {"value": _plain(each.value), "source": each.source}
            for each in in_force
            if each.path[0] == "routing"
        },
        "providers": {
            each.name: {"type": each.type, "credentials": each.credentials, "remedy": public(each.remedy)}
            for each in snapshot.providers
        },
        "fallbacks": [_fallback(event) for event in reversed(snapshot.recent)],
        "requests": {**_counts(snapshot.counts), "today": _counts(counts_today(snapshot, now))},
    }


def moment(at: float) -> str:
    """Unix seconds as ``2026-11-22T14:02:00Z``."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _outage(outage: Outage, now: float) -> dict[str, Any]:
    return {
        "provider": outage.provider,
        "kind": outage.kind,
        "until": moment(outage.until),
        "seconds_left": round(max(0.0, outage.until - now), 1),
    }


def _config(snapshot: Snapshot) -> dict[str, Any]:
    loaded = snapshot.loaded
    return {
        "path": "" if loaded is None else loaded.path,
        "warnings": [] if loaded is None else [public(text) for text in loaded.warnings],
        "problems": [public(text) for text in snapshot.problems],
    }


def _cooling(row: CoolingTarget, now: float) -> dict[str, Any]:
    return {
        **_target(row.target),
        "seconds_left": round(row.until - now, 1),
        "until": moment(row.until),
        "since": moment(row.since),
        "reason": public(row.reason),
        "lasting": row.lasting,
    }


def _target(target: Target) -> dict[str, str]:
    return {
        "target": public(str(target)),
        "provider": target.provider,
        "model": public(target.model),
        "region": target.region,
    }


def _setting(setting: Setting, waiting: Collection[str]) -> dict[str, Any]:
    """What waits for a restart says so: it stands here as it will be, or as it still is (a token that is gone)."""
    return {
        "key": public(setting.key),
        "value": _plain(setting.value),
        "source": setting.source,
        "note": setting.note or ("changed: takes a restart" if setting.key in waiting else ""),
    }


@lru_cache(maxsize=RECENT)
def _fallback(event: FellBack | Exhausted | BrokeOff) -> Mapping[str, Any]:
    """What has happened stays as it is: worked out once, though pages ask for the picture several times a second."""
    story = event.story
    return {
        "time": moment(event.at),
        "request_id": story.request_id,
        "model": public(story.model),
        "outcome": _OUTCOMES[type(event)],
        "story": public(line(story), 1000),
        "attempts": [_attempt(attempt) for attempt in story.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        **_plain(attempt),
        "target": public(str(attempt.target)),
        "started": round(attempt.started, 3),
        "seconds": round(attempt.seconds, 3),
    }


def _counts(counts: Counts) -> dict[str, int]:
    return {"total": counts.total, **asdict(counts)}


def _plain(value: Any) -> Any:
    """A frozen value as JSON: dataclasses become objects, enumerations their values, and texts are safe to show."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {public(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return public(value) if isinstance(value, str) else value
