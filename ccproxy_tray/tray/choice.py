"""The rows for what the user decides: routing, its order, and what is announced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ccproxy_tray.config.schema import Loaded, Notification
from ccproxy_tray.journal.events import Credentials
from ccproxy_tray.tray.action import MoveFirst, SetNotification, SetRouting, UseOnly
from ccproxy_tray.tray.chain import Chain, all_used, default_order
from ccproxy_tray.tray.row import choices, clickable, inform, mark, submenu
from ccproxy_tray.tray.view import MAX_LABEL, MAX_ROWS, Item, Kind
from ccproxy_tray.tray.wording import safe, told

_ANNOUNCED: Mapping[Notification, str] = {
    Notification.FALLBACK: "Fallback: another target took over",
    Notification.ALL_DOWN: "All down: no target answers",
    Notification.RECOVERED: "Recovered: the first choice serves again",
    Notification.START_FAILED: "Start failed: nothing is served",
}


def enabling(chain: Chain, loaded: Loaded) -> Item:
    """The switch for the whole chain."""
    on, origin = chain.routing.enable, _origin(loaded, "routing.enable")
    return mark("enable", f"Enable routing{_bracketed(origin)}", SetRouting(not on), on=on, locked=bool(origin))


def order(chain: Chain, loaded: Loaded) -> Item:
    """The providers as they are tried."""
    origin = _origin(loaded, "routing.order")
    return submenu("order", f"Provider order{_bracketed(origin)}", _order_rows(chain, locked=bool(origin)))


def _order_rows(chain: Chain, *, locked: bool) -> Iterator[Item]:
    yield inform("hint", _order_hint(chain))
    places = list(enumerate(default_order(chain.routing), 1))
    yield from choices(places, lambda row: _placed(chain, *row, locked=locked))


def _order_hint(chain: Chain) -> str:
    if chain.routing.only:
        return f"Has no effect while only {safe(chain.routing.only)} is used"
    if not chain.routing.enable:
        return "Routing is off: the first serves alone, the others are not asked"
    return "Click a provider to try it first"


def _placed(chain: Chain, number: int, name: str, *, locked: bool) -> Item:
    text = f"{number}. {safe(name)}{_bracketed(_credentials(chain, name, remedy=True))}"
    return clickable(f"provider {name}", text, MoveFirst(name), when=not locked)


def only(chain: Chain, loaded: Loaded) -> Item:
    """Automatic, or one provider alone."""
    chosen, origin = chain.routing.only, _origin(loaded, "routing.only")
    title = f"Use only: {safe(chosen)}" if chosen else "Use only"
    return submenu("only", title + _bracketed(origin), _only_rows(chain, locked=bool(origin)))


def _only_rows(chain: Chain, *, locked: bool) -> Iterator[Item]:
    chosen = chain.routing.only
    if chosen:
        yield inform("hint", f"Other providers than {safe(chosen)} are not asked, even when it fails")
    yield mark("automatic", "Automatic", UseOnly(""), on=not chosen, kind=Kind.RADIO, locked=locked)
    names = all_used(chain.routing)
    if chosen and chosen not in names[:MAX_ROWS]:
        names = (*names[: MAX_ROWS - 1], chosen, *(name for name in names[MAX_ROWS - 1 :] if name != chosen))

    def alone(name: str) -> Item:
        text = safe(name) + _bracketed(_credentials(chain, name, remedy=False))
        return mark(
            f"provider {name}", text, UseOnly(name), on=bool(chosen) and name == chosen, kind=Kind.RADIO, locked=locked
        )

    yield from choices(names, alone)


def notifications(loaded: Loaded) -> Item:
    """A switch for each kind of announcement."""
    origin, chosen = _origin(loaded, "tray.notifications"), loaded.config.tray.notifications
    rows = (
        mark(kind, text, SetNotification(kind, kind not in chosen), on=kind in chosen, locked=bool(origin))
        for kind, text in _ANNOUNCED.items()
    )
    return submenu("notifications", f"Notifications{_bracketed(origin)}", rows)


def _origin(loaded: Loaded, key: str) -> str:
    """Who decides a key, if that is not the file, so that the tray cannot change it."""
    source = loaded.sources.get(key, "default")
    if source in ("file", "default"):
        return ""
    return "set on the command line" if source == "command line" else f"set by {safe(source)}"


def _credentials(chain: Chain, name: str, *, remedy: bool) -> str:
    state = chain.state(name)
    if state is None or state.credentials is not Credentials.MISSING:
        return ""
    if not remedy or not state.remedy:
        return "no credentials"
    text = told(state.remedy, MAX_LABEL)
    return text if text.startswith("no ") else f"no credentials: {text}"


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""
