"""The menu: a picture of the program and a moment in, everything that a tray shows out.

Pure. Modules beside this one make the parts; here is their order. Moments stand where others have countdowns, so that
nothing changes by itself but at the few moments that ``View.until`` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.desktop.environment import Shell
from ccproxy_tray.journal.events import Switch
from ccproxy_tray.journal.snapshot import Counts, Phase, Snapshot, cooling_now, counts_today
from ccproxy_tray.routing.outage import SECONDS, Outage, OutageKind
from ccproxy_tray.tray import choice, incident
from ccproxy_tray.tray.action import (
    Action,
    CheckProviders,
    CopyDiagnostics,
    CopyEnvironment,
    CopyText,
    Document,
    Open,
    Quit,
    RestartProxy,
    SetClaudeCode,
    SetLogin,
    SimulateOutage,
)
from ccproxy_tray.tray.chain import Chain, default_order
from ccproxy_tray.tray.headline import NAME, Headline, headline, played, running, tooltip
from ccproxy_tray.tray.moment import midnight
from ccproxy_tray.tray.row import (
    choices,
    click,
    clickable,
    inform,
    lines,
    mark,
    reserved,
    sentences,
    separator,
    submenu,
)
from ccproxy_tray.tray.view import MAX_LABEL, Item, View
from ccproxy_tray.tray.wording import BREAKAGE, fit, plural, safe

_SHELLS = (
    (Shell.BASH, "bash / zsh"),
    (Shell.FISH, "fish"),
    (Shell.POWERSHELL, "PowerShell"),
    (Shell.CMD, "cmd"),
)


def view(snapshot: Snapshot, now: float) -> View:
    """The whole face of the program at the moment ``now`` (Unix seconds)."""
    loaded = snapshot.loaded
    chain = None if loaded is None else Chain(snapshot, loaded, now)
    head, outage = headline(snapshot, chain, now), running(snapshot, now)
    rows = [*_top(snapshot, head, chain), *_played(outage, now), *_complaints(snapshot)]
    if loaded is None or chain is None:
        rows += _bare(snapshot)
    else:
        rows += [
            *_facts(snapshot, chain, now),
            *_choices(snapshot, chain, loaded),
            *_rest(snapshot, chain, loaded, outage),
        ]
    return View(
        head.icon,
        tooltip(snapshot, head, outage, now),
        tuple(rows),
        simulated=outage is not None,
        until=_until(snapshot, outage, now),
    )


def _until(snapshot: Snapshot, outage: Outage | None, now: float) -> float | None:
    """The first moment at which time alone changes a row: something ends, or "today" does."""
    moments = [row.until for row in cooling_now(snapshot, now)]
    if outage is not None:
        moments.append(outage.until)
    if moments or snapshot.recent or counts_today(snapshot, now) != Counts():
        moments.append(midnight(now))
    return min(moments, default=None)


def _serves(snapshot: Snapshot) -> bool:
    return snapshot.phase is Phase.SERVING


def _top(snapshot: Snapshot, head: Headline, chain: Chain | None) -> Iterator[Item]:
    """The first line; what is wrong, where nothing is served; and what helps."""
    failed = snapshot.phase is Phase.FAILED
    where = Document.CONFIG if failed else Document.STATUS
    yield clickable("headline", head.text, Open(where), when=failed or _serves(snapshot))
    yield from lines("headline", head.rest, Document.CONFIG)
    if failed:
        yield from sentences("failure", snapshot.failure[1:], Document.CONFIG)
        yield click("remedy config", "Open config", Open(Document.CONFIG), default=True)
    if snapshot.phase in (Phase.FAILED, Phase.STOPPED):
        yield click("remedy restart", "Restart proxy", RestartProxy())
    if _serves(snapshot) and chain is not None:
        for state in chain.lacking():
            told = state.remedy or "no credentials"
            yield from sentences(f"lacking {state.name!r}", [told], Document.CONFIG, f"{safe(state.name)}: ")


def _played(outage: Outage | None, now: float) -> Iterator[Item]:
    if outage is not None:
        yield inform("simulated", played(outage, now))
        yield click("simulated end", "End the simulation", SimulateOutage())


def _complaints(snapshot: Snapshot) -> Iterator[Item]:
    """What is wrong beside serving: with the configuration file, and with the history."""
    if snapshot.problems:
        yield inform("problems", "The changed config is not used, the one before it stays:")
        yield from sentences("problem", snapshot.problems, Document.CONFIG, "✕ ")
    if snapshot.waiting:
        words = fit(f"Restart proxy to use the changed {', '.join(snapshot.waiting)}", MAX_LABEL)
        yield click("waiting", words, RestartProxy())
    warnings = snapshot.loaded.warnings if snapshot.loaded is not None else ()
    if warnings:
        rows = sentences("warning", warnings, Document.CONFIG)
        yield submenu("warnings", f"Config: {plural(len(warnings), 'warning')}", rows)
    yield from sentences("history", (snapshot.history,) if snapshot.history else (), Document.LOG)


def _facts(snapshot: Snapshot, chain: Chain, now: float) -> Iterator[Item]:
    """Where it is served, and what happened."""
    for url in snapshot.urls[:1]:  # the others are the same endpoint under another address
        yield click("url", safe(url, 90), CopyText(url, "the URL"))
    yield from sentences("note", (snapshot.note,) if snapshot.note else (), Document.CONFIG)
    yield incident.fallbacks(snapshot, now)
    yield incident.coolings(chain.cooling, now)
    yield separator("after facts")


def _choices(snapshot: Snapshot, chain: Chain, loaded: Loaded) -> Iterator[Item]:
    """What the user decides about serving."""
    yield choice.enabling(chain, loaded)
    yield choice.order(chain, loaded)
    yield choice.only(chain, loaded)
    yield _switch("hookup", "Claude Code uses this proxy", snapshot.claude_code, SetClaudeCode)
    if snapshot.claude_code is not None:
        yield from sentences("advice", snapshot.claude_code.advice, Document.CONFIG)
    shells = (click(f"shell {shell}", text, CopyEnvironment(shell)) for shell, text in _SHELLS)
    yield submenu("environment", "Copy environment lines", shells if snapshot.urls else ())
    yield separator("after choices")


def _rest(snapshot: Snapshot, chain: Chain, loaded: Loaded, outage: Outage | None) -> Iterator[Item]:
    """Everything about the program itself."""
    yield _switch("login", "Launch at login", snapshot.login, SetLogin)
    yield choice.notifications(loaded)
    yield _debug(snapshot)
    yield submenu("more", "More", _more(snapshot, chain, outage))
    yield from _leaving(snapshot)


def _switch(key: str, text: str, switch: Switch | None, action: Callable[[bool], Action]) -> Item:
    """A mark that the desktop holds; before it was looked at, only its place."""
    if switch is None:
        return reserved(key, text)
    label = f"{text} ({safe(switch.note, 60)})" if switch.note else text
    return mark(key, label, action(not switch.on), on=switch.on, locked=not switch.possible)


def _debug(snapshot: Snapshot) -> Item:
    if not _serves(snapshot):
        return inform("debug", "Debug status")
    return click("debug", "Debug status", Open(Document.STATUS), default=True)


def _more(snapshot: Snapshot, chain: Chain, outage: Outage | None) -> Iterator[Item]:
    yield from _documents()
    yield clickable("check", "Check providers", CheckProviders(), when=_serves(snapshot))
    yield submenu("simulate", "Simulate outage", _outages(chain, outage) if _serves(snapshot) else ())
    yield click("restart", "Restart proxy", RestartProxy())


def _documents() -> Iterator[Item]:
    yield click("config", "Open config", Open(Document.CONFIG))
    yield click("log", "Open log", Open(Document.LOG))
    yield click("diagnostics", "Copy diagnostics (redacted)", CopyDiagnostics())


def _outages(chain: Chain, outage: Outage | None) -> Iterator[Item]:
    yield inform("hint", f"On the running chain, for {SECONDS:.0f} s, marked as simulated")
    yield from choices(default_order(chain.routing), _breakable)
    yield clickable("end", "End the simulation", SimulateOutage(), when=outage is not None)


def _breakable(name: str) -> Item:
    rows = (click(kind, BREAKAGE[kind].capitalize(), SimulateOutage(name, kind)) for kind in OutageKind)
    return submenu(f"provider {name}", safe(name), rows)


def _leaving(snapshot: Snapshot) -> Iterator[Item]:
    yield separator("before about")
    yield click("about", f"About {NAME} {snapshot.version}", Open(Document.ABOUT))
    yield click("quit", "Quit", Quit())


def _bare(snapshot: Snapshot) -> Iterator[Item]:
    """What makes sense without a configuration."""
    yield separator("after facts")
    if snapshot.claude_code is not None and snapshot.claude_code.on:  # so that it can be led away while nothing serves
        yield _switch("hookup", "Claude Code uses this proxy", snapshot.claude_code, SetClaudeCode)
    documents = _documents()
    if snapshot.phase is Phase.FAILED:
        next(documents)  # Opening the config is offered above, as the remedy.
    yield from documents
    if snapshot.phase is Phase.STARTING:
        yield click("restart", "Restart proxy", RestartProxy())
    yield from _leaving(snapshot)
