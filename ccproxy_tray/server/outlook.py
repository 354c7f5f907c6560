"""Who serves and who would be next, in the tray's own words and by the tray's own rules, for the status page.

============  ==========================================================================================================
``headline``  ``state`` (an icon's name) and ``text``: the first line of the tray's menu
``chain``     the routes in force, first the one of the model that was asked for last: ``model`` (empty: any) and
              ``targets`` in the order in which they are tried: ``target``, ``provider``, ``model``, ``region``,
              ``state`` (``serving``, ``ready``, ``cooling``, ``missing``, ``offline``), ``remedy`` for missing
              credentials, ``cooling``: as in ``rate_limits`` ``target`` (the whole account, it may be), ``reason``,
              ``seconds_left``, ``until`` (Unix seconds), ``lasting``; ``simulated``; null for none
============  ==========================================================================================================
"""

from __future__ import annotations

from typing import Any

from ccproxy_tray.journal.events import CoolingTarget
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.redact import public
from ccproxy_tray.routing.story import short_target
from ccproxy_tray.tray.chain import Chain, Link
from ccproxy_tray.tray.headline import headline


def outlook(snapshot: Snapshot, now: float) -> dict[str, Any]:
    """Both keys at the moment ``now`` (Unix seconds)."""
    chain = None if snapshot.loaded is None else Chain(snapshot, snapshot.loaded, now)
    head = headline(snapshot, chain, now)
    return {
        "headline": {"state": head.icon.value, "text": "".join((head.text, *head.rest))},
        "chain": [] if chain is None else _routes(snapshot, chain, now),
    }


def _routes(snapshot: Snapshot, chain: Chain, now: float) -> list[dict[str, Any]]:
    """The route of the latest model, then the routes of others by the names that they stand under."""
    models = dict.fromkeys((snapshot.requested, *(route.model for route in chain.routing.models)))
    return [
        {"model": public(model), "targets": [_target(snapshot, link, now) for link in chain.links(model)]}
        for model in models
    ]


def _target(snapshot: Snapshot, link: Link, now: float) -> dict[str, Any]:
    target = link.target
    provider = next((each for each in snapshot.providers if each.name == target.provider), None)
    return {
        "target": public(str(target)),
        "provider": public(target.provider),
        "model": public(target.model),
        "region": public(target.region),
        "state": _state(snapshot, link),
        "remedy": public(provider.remedy) if provider is not None and link.missing else "",
        "cooling": None if link.cooling is None else _cooling(link.cooling, now),
    }


def _state(snapshot: Snapshot, link: Link) -> str:
    if link.missing:
        return "missing"
    if link.cooling is not None:
        return "cooling"
    if snapshot.offline:
        return "offline"
    return "serving" if snapshot.current is not None and short_target(snapshot.current) == link.target else "ready"


def _cooling(row: CoolingTarget, now: float) -> dict[str, Any]:
    return {
        "target": public(str(row.target)),
        "reason": public(row.reason),
        "seconds_left": round(row.until - now, 1),
        "until": round(row.until, 1),
        "lasting": row.lasting,
        "simulated": row.simulated,
    }
