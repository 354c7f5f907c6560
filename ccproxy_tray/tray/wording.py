"""Words of the tray: made safe, made short, and in the right number."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from ccproxy_tray.journal.events import BrokeOff, Exhausted, FellBack
from ccproxy_tray.redact import CUT, public
from ccproxy_tray.routing.outage import MARK, OutageKind
from ccproxy_tray.routing.story import Attempt, Story, short_model
from ccproxy_tray.routing.target import Target
from ccproxy_tray.tray.view import MAX_LABEL

SIMULATED = f"({MARK})"
NAME_LENGTH = 36
"""Characters that one name may take in a row: a whole target leaves room for what is said of it."""
FOLDED_LINES = 3
"""Rows that one long text may take."""
BREAKAGE: Mapping[OutageKind, str] = {
    OutageKind.THROTTLE: "answers 429",
    OutageKind.HANG: "says nothing",
    OutageKind.CUT: "cuts every connection",
}
"""What a provider does in a simulated outage."""


def safe(text: str, limit: int = NAME_LENGTH) -> str:
    """Untrusted text: nothing secret, one line, and shortened in the middle, because names differ at their ends."""
    return middle(public(text), limit)


def told(text: str, limit: int) -> str:
    """Untrusted text as a sentence: nothing secret, one line, and shortened at the end."""
    return public(text, limit)


def middle(text: str, limit: int) -> str:
    """At most ``limit`` characters, with ``…`` in the middle of what is longer."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}{CUT}{text[len(text) - tail :]}"


def fit(text: str, units: int) -> str:
    """At most so many UTF-16 units, which Windows counts in, with ``…`` at the end of what is longer."""
    if _units(text) <= units:
        return text
    taken = text[: units - 1]
    while _units(taken) > units - 1:
        taken = taken[:-1]
    return taken + CUT


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def folded(text: str, lead: str = "") -> tuple[str, ...]:
    """Untrusted text of any length as at most ``FOLDED_LINES`` rows, after a trusted beginning."""
    whole = (lead + public(text, FOLDED_LINES * MAX_LABEL)).rstrip()
    if len(whole) <= MAX_LABEL:
        return (whole,) if whole else ()
    return tuple(
        textwrap.wrap(
            whole,
            MAX_LABEL,
            subsequent_indent="    ",
            max_lines=FOLDED_LINES,
            placeholder=CUT,
            break_on_hyphens=False,
        )
    )


def plural(count: int, one: str) -> str:
    """``1 fallback``, ``2 fallbacks``."""
    return f"{count} {one}{'' if count == 1 else 's'}"


def place(target: Target) -> str:
    """``bedrock us-east-1``: where requests go."""
    return " ".join(safe(part, 20) for part in (target.provider, target.region) if part)


def who(target: Target) -> str:
    """``bedrock us-east-1 · claude-sonnet-4-5``."""
    return " · ".join(part for part in (place(target), safe(short_model(target.model))) if part)


def culprit(story: Story) -> Attempt | None:
    """The first attempt that failed at another target than the one that served in the end; None when none did."""
    last = story.attempts[-1] if story.attempts else None
    served = last.target if last is not None and last.fault is None else None
    failed = (each for each in story.attempts if each.fault is not None and each.target != served)
    return next(failed, None)


def cause(event: FellBack | Exhausted | BrokeOff) -> str:
    """Why a request did not go smoothly, in a word or two: ``429``, ``unreachable (simulated)``."""
    if isinstance(event, BrokeOff):
        return "broke off"
    attempt = culprit(event.story) or next((each for each in event.story.attempts if each.fault is not None), None)
    if attempt is None:
        return "no target"
    word = str(attempt.status) if attempt.status >= 400 else str(attempt.fault)
    return f"{word} {SIMULATED}" if attempt.simulated else word
