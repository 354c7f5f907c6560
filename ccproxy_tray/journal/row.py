"""A request that has ended as one flat row: what the history stores, the page shows and the commands print.

=================  ===============================================================================================
``id``             the request's id, as the client got it
``time``           when it ended, Unix seconds
``session``        the client's conversation; empty when it does not say
``agent``          the subagent's id; empty for others
``kind``           ``main``, ``subagent``, ``background``
``client``         name and version of the client, ``claude-cli/2.1.330``
``requested``      the model that was asked for
``provider``       who served, or was tried last; empty when nobody was
``model``          that provider's name for the model
``region``         of that target; empty where there are none
``stream``         whether the client asked for a stream
``outcome``        ``served``, ``fell back``, ``exhausted``, ``refused``, ``broke off``, ``abandoned``
``status``         HTTP status that the client got; 0 when it left before there was one
``stop_reason``    as the answer gave it; empty without an answer
``first_event_ms`` from the request's arrival to the first content; null without content
``total_ms``       from arrival to end
``input``          tokens, as Anthropic counts: without what the cache served or stored
``output``         tokens
``cache_read``     tokens
``cache_write``    tokens
``estimated``      whether the provider did not count all of these itself
``cost``           USD; null when it is not known
``tools``          names of the tools that the answer calls, in order
``tries``          how many attempts were made
``story``          what happened in one line
``error``          what the client was told, empty when all went well
=================  ===============================================================================================

Law: no credential, no prompt, no account id: every text of somebody else's wording is masked here.
"""

from __future__ import annotations

from typing import Any

from ccproxy_tray.journal.events import Abandoned, BrokeOff, Ended, Exhausted, FellBack, Refused, Served
from ccproxy_tray.redact import public, shown
from ccproxy_tray.routing.story import Attempt, Story, Tokens, line

Row = dict[str, Any]

OUTCOMES: dict[type[Ended], str] = {
    Served: "served",
    FellBack: "fell back",
    Exhausted: "exhausted",
    Refused: "refused",
    BrokeOff: "broke off",
    Abandoned: "abandoned",
}
_MAX_TOOLS = 50


def row(event: Ended) -> Row:
    """The row of a request that has just ended."""
    story = event.story
    last = story.attempts[-1] if story.attempts else None
    result = story.result
    tokens = result.tokens if result else Tokens()
    return {
        "id": story.request_id,
        "time": round(event.at, 3),
        # Not `public`: the end of a UUID may look like the number of an account.
        "session": shown(story.origin.session, 100),
        "agent": shown(story.origin.agent, 100),
        "kind": story.origin.kind.value,
        "client": public(story.origin.client, 100),
        "requested": public(story.model),
        "provider": last.target.provider if last else "",
        "model": public(last.target.model) if last else "",
        "region": last.target.region if last else "",
        "stream": story.stream,
        "outcome": OUTCOMES[type(event)],
        "status": _status(event),
        "stop_reason": public(result.stop_reason, 100) if result else "",
        "first_event_ms": _first_event(last),
        "total_ms": _ms(story.seconds),
        "input": tokens.input,
        "output": tokens.output,
        "cache_read": tokens.cache_read,
        "cache_write": tokens.cache_write,
        "estimated": tokens.estimated,
        "cost": result.cost if result else None,
        "tools": [public(name, 100) for name in result.tools[:_MAX_TOOLS]] if result else [],
        "tries": len(story.attempts),
        "story": public(line(story), 1000),
        "error": _error(event),
    }


def attempts(story: Story) -> list[Row]:
    """Every attempt of a request, in order. Times are milliseconds; ``started_ms`` counts from the arrival."""
    return [
        {
            "target": public(str(each.target)),
            "provider": each.target.provider,
            "model": public(each.target.model),
            "region": each.target.region,
            "started_ms": _ms(each.started),
            "first_event_ms": None if each.first_event is None else _ms(each.first_event),
            "total_ms": _ms(each.seconds),
            "status": each.status,
            "fault": None if each.fault is None else each.fault.value,
            "reason": public(each.reason),
            "cooling_seconds": None if each.cooling is None else round(each.cooling, 1),
            "simulated": each.simulated,
        }
        for each in story.attempts
    ]


def skipped(story: Story) -> list[Row]:
    """Every target that was not tried, and why."""
    return [{"target": public(str(target)), "reason": public(reason)} for target, reason in story.skipped]


def _status(event: Ended) -> int:
    if isinstance(event, Exhausted | Refused):
        return event.status
    if isinstance(event, Abandoned):
        return 200 if event.story.result is not None else 0
    return 200


def _error(event: Ended) -> str:
    match event:
        case Exhausted(message=message) | Refused(message=message):
            return public(message, 1000)
        case BrokeOff(reason=reason):
            return public(reason, 1000)
        case _:
            return ""


def _first_event(last: Attempt | None) -> int | None:
    return None if last is None or last.first_event is None else _ms(last.started + last.first_event)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
