"""The state of the program at a glance: the icon, the first line of the menu, and the tooltip."""

from __future__ import annotations

from dataclasses import dataclass

from ccproxy_tray.journal.events import CoolingTarget
from ccproxy_tray.journal.snapshot import Phase, Snapshot
from ccproxy_tray.redact import CUT
from ccproxy_tray.routing.outage import MARK, Outage
from ccproxy_tray.routing.target import Target
from ccproxy_tray.tray.chain import Chain, Stuck
from ccproxy_tray.tray.moment import ending
from ccproxy_tray.tray.view import MAX_TOOLTIP, IconState
from ccproxy_tray.tray.wording import BREAKAGE, SIMULATED, fit, folded, place, plural, safe, told, who

NAME = "ccproxy-tray"


@dataclass(frozen=True, slots=True)
class Headline:
    """The icon and the words for it; ``rest`` continues words that are too long for one row."""

    icon: IconState
    text: str
    rest: tuple[str, ...] = ()


def headline(snapshot: Snapshot, chain: Chain | None, now: float) -> Headline:
    """What matters most. ``chain`` is None as long as there is no configuration."""
    if snapshot.phase is Phase.FAILED:
        return _failed(snapshot.failure)
    if snapshot.phase is Phase.STOPPED:
        return Headline(IconState.ERROR, "✕ Stopped: nothing is served")
    if snapshot.phase is Phase.STARTING or chain is None:
        return Headline(IconState.IDLE, "○ Starting")
    return _trouble(snapshot, chain, now) or _service(snapshot, chain, now)


def tooltip(snapshot: Snapshot, head: Headline, outage: Outage | None, now: float) -> str:
    """The same in one short line, with whatever else is wrong."""
    parts = [NAME, head.text + (f" {CUT}" if head.rest else "")]
    if outage is not None:
        parts.append(played(outage, now))
    if snapshot.problems:
        parts.append(f"changed config not used: {told(snapshot.problems[0], MAX_TOOLTIP)}")
    return fit(" · ".join(parts), MAX_TOOLTIP)


def played(outage: Outage, now: float) -> str:
    """``Simulated until 14:32: bedrock answers 429``."""
    return f"{MARK.capitalize()} {ending(outage.until, now)}: {safe(outage.provider)} {BREAKAGE[outage.kind]}"


def running(snapshot: Snapshot, now: float) -> Outage | None:
    """The simulated outage, until its end."""
    outage = snapshot.outage
    return outage if outage is not None and outage.until > now else None


def _failed(problems: tuple[str, ...]) -> Headline:
    first, *rest = folded(problems[0], "✕ Not serving: ") if problems else ("✕ Not serving",)
    return Headline(IconState.ERROR, first, tuple(rest))


def _trouble(snapshot: Snapshot, chain: Chain, now: float) -> Headline | None:
    """Why nothing can be served at the moment; None when something can."""
    if lacking := chain.lacking():
        words = "No provider has credentials" if len(lacking) > 1 else f"No credentials for {safe(lacking[0].name)}"
        return Headline(IconState.ERROR, f"✕ {words}")
    if snapshot.offline:
        return Headline(IconState.OFFLINE, "△ Offline: no provider can be reached")
    stuck = chain.stuck()
    return None if stuck is None else Headline(IconState.COOLING, _stuck(stuck, now))


def _stuck(stuck: Stuck, now: float) -> str:
    model = f" · {safe(stuck.model)}" if stuck.model else ""
    mark = f" {SIMULATED}" if _simulated(stuck.coolings) else ""
    return f"▲ All cooling {ending(stuck.until, now)}{mark}{model}"


def _service(snapshot: Snapshot, chain: Chain, now: float) -> Headline:
    """Who serves, or would."""
    target = chain.serving()
    if not chain.routing.enable:
        return Headline(IconState.OFF, _alone(target, chain.next()))
    if target is None:
        return Headline(IconState.IDLE, _ready(snapshot, chain))
    if not snapshot.on_fallback:
        return Headline(IconState.SERVING, f"● {who(target)}")
    out = chain.passed_over()
    simulated = _simulated(out) if out else running(snapshot, now) is not None
    mark = f" {SIMULATED}" if simulated else ""
    return Headline(IconState.FALLBACK, f"◐ {who(target)}{mark} · {_absent(out, now)}")


def _alone(target: Target | None, first: Target | None) -> str:
    """Without fallback: who serves, or would."""
    if target is not None:
        return f"● Routing off, no fallback: {who(target)}"
    return "○ Routing off" if first is None else f"○ Routing off: {place(first)} serves alone, without fallback"


def _ready(snapshot: Snapshot, chain: Chain) -> str:
    first = chain.next()
    asked = snapshot.current is not None or snapshot.counts.total > 0
    if first is None or not asked:
        return "○ Ready · no request yet"
    return f"○ Ready · {place(first)} is next"


def _absent(out: tuple[CoolingTarget, ...], now: float) -> str:
    """Who is out, and until when; nobody any more, once their coolings have ended."""
    if not out:
        return "on fallback"
    others = f" and {plural(len(out) - 1, 'other')}" if len(out) > 1 else ""
    return f"{place(out[0].target)}{others} out {ending(min(row.until for row in out), now)}"


def _simulated(coolings: tuple[CoolingTarget, ...]) -> bool:
    return any(row.simulated for row in coolings)
