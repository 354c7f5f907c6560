"""The menu's interface, called as panels call it; on no bus."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.tray.action import Action, MoveFirst, Quit
from ccproxy_tray.tray.hosts.freedesktop.dbusmenu import NAME, DbusMenu
from ccproxy_tray.tray.hosts.freedesktop.layout import ROOT, Ids
from ccproxy_tray.tray.hosts.freedesktop.session_bus import BusError
from ccproxy_tray.tray.hosts.freedesktop.wire import Call
from ccproxy_tray.tray.view import Item
from tests.tray.hosts.linux.test_hold import Clock

INVALID = "org.freedesktop.DBus.Error.InvalidArgs"


class Scene:
    """A menu, and the panel ":1.1" that calls it."""

    def __init__(self, *menu: Item) -> None:
        self.clock = Clock()
        self.clicks: list[Action] = []
        self.signals: list[tuple[str, Any]] = []
        self.ids = Ids()
        self.menu = DbusMenu(menu, self.ids, self._emit, lambda *_: None, self.clock.later, self.clicks.append)

    def _emit(self, member: str, signature: str, values: tuple[Any, ...]) -> None:
        assert signature == {"LayoutUpdated": "ui", "ItemsPropertiesUpdated": "a(ia{sv})a(ias)"}[member]
        self.signals.append((member, values))

    def call(self, member: str, signature: str, *values: Any, panel: str = ":1.1") -> Any:
        call = Call(1, panel, ":1.2", "/menu", NAME, member, signature, values, wants_reply=True)
        return self.menu.object.answer(call)[1]

    def event(self, number: int, name: str, panel: str = ":1.1") -> None:
        assert self.call("Event", "isvu", number, name, ("s", ""), 0, panel=panel) == ()

    def fails(self, member: str, signature: str, *values: Any) -> str:
        with pytest.raises(BusError) as caught:
            self.call(member, signature, *values)
        return caught.value.name

    def labels(self, panel: str = ":1.1") -> list[str]:
        _, (_, _, rows) = self.call("GetLayout", "iias", ROOT, 1, ["label"], panel=panel)
        return [properties["label"][1] for _, (_, properties, _) in rows]

    def id(self, key: str) -> int:
        return self.ids.number((key, "normal"))


A, B, C = (Item(key.lower(), key, action=MoveFirst(key)) for key in "ABC")


def test_rows_come_and_go_at_once_while_the_menu_is_closed() -> None:
    scene = Scene(A, B)
    scene.menu.draw((B, C))
    assert scene.labels() == ["B", "C"]
    assert scene.signals == [("LayoutUpdated", (2, ROOT))]


def test_a_text_changes_in_place() -> None:
    scene = Scene(A, B)
    scene.menu.draw((A, Item("b", "other", action=Quit())))
    assert scene.signals == [("ItemsPropertiesUpdated", ([(scene.id("b"), {"label": ("s", "other")})], []))]
    scene.event(scene.id("b"), "clicked")
    assert scene.clicks == [Quit()]


def test_the_same_menu_is_told_to_nobody() -> None:
    scene = Scene(A, B)
    scene.menu.draw((A, B))
    assert scene.signals == []


def test_rows_of_an_open_menu_stay_where_they_are() -> None:
    scene = Scene(A, B)
    scene.event(ROOT, "opened")
    scene.menu.draw((C, Item("b", "other")))
    assert scene.signals == [("ItemsPropertiesUpdated", ([(scene.id("b"), {"label": ("s", "other")})], []))]
    scene.event(scene.id("a"), "clicked")
    assert scene.clicks == [MoveFirst("A")], "what the user saw is what is meant"
    scene.signals.clear()
    scene.event(ROOT, "closed")
    assert scene.signals == []
    scene.clock.ring()
    assert scene.signals == [("LayoutUpdated", (2, ROOT))]
    assert scene.labels() == ["C", "other"]


def test_a_click_after_closed_still_finds_its_row() -> None:
    scene = Scene(A, B)
    scene.event(ROOT, "opened")
    scene.menu.draw((C,))
    scene.event(ROOT, "closed")
    scene.event(scene.id("b"), "clicked")
    assert scene.clicks == [MoveFirst("B")]


def test_a_row_that_was_taken_away_and_put_back_meanwhile_never_moved() -> None:
    scene = Scene(A, B)
    scene.event(ROOT, "opened")
    scene.menu.draw((A,))
    scene.menu.draw((A, B))
    scene.event(ROOT, "closed")
    scene.clock.ring()
    assert scene.signals == []


@pytest.mark.parametrize("reads", ["AboutToShow", "AboutToShowGroup", "GetLayout"])
def test_a_panel_that_forgot_to_close_has_the_new_rows_when_it_reads_again(reads: str) -> None:
    scene = Scene(A, B)
    scene.event(ROOT, "opened")
    scene.menu.draw((C,))
    match reads:
        case "AboutToShow":
            assert scene.call("AboutToShow", "i", ROOT) == (True,)
            assert scene.call("AboutToShow", "i", ROOT) == (False,)
        case "AboutToShowGroup":
            assert scene.call("AboutToShowGroup", "ai", [scene.id("a"), ROOT]) == ([ROOT], [])
            assert scene.call("AboutToShowGroup", "ai", [ROOT]) == ([], [])
        case _:
            assert scene.labels() == ["C"]
    assert scene.signals == [("LayoutUpdated", (2, ROOT))]
    assert scene.labels() == ["C"]


def test_rows_stay_under_the_pointer_of_a_panel_that_only_asks_before_it_shows_them() -> None:
    scene = Scene(A, B)
    assert scene.call("AboutToShowGroup", "ai", [ROOT]) == ([], [])
    scene.menu.draw((C, B))
    assert scene.signals == []
    assert scene.call("EventGroup", "a(isvu)", [(scene.id("a"), "clicked", ("i", 0), 0)]) == ([],)
    assert scene.clicks == [MoveFirst("A")]
    scene.clock.ring()
    assert scene.labels() == ["C", "B"]


def test_another_panel_that_reads_moves_nothing_under_the_pointer() -> None:
    scene = Scene(A, B)
    scene.event(ROOT, "opened")
    scene.menu.draw((C,))
    assert scene.call("AboutToShow", "i", ROOT, panel=":1.7") == (False,)
    assert scene.labels(":1.7") == ["A", "B"]
    assert scene.signals == []


def test_a_panel_that_dies_with_the_menu_open_lets_rows_move() -> None:
    scene = Scene(A, B)
    scene.event(ROOT, "opened")
    scene.menu.draw((C,))
    scene.menu.hold.gone(":1.1")
    assert scene.signals == [("LayoutUpdated", (2, ROOT))]


def test_only_what_is_above_all_that_changed_is_read_anew() -> None:
    inner = Item("inner", "I", children=(A,))
    scene = Scene(Item("one", "1", children=(inner,)), Item("two", "2", children=(A,)))
    scene.menu.draw(
        (
            Item("one", "1", children=(Item("inner", "I", children=(A, B)), C)),
            Item("two", "2", children=(B,)),
        )
    )
    numbers = [scene.ids.number((key, "submenu")) for key in ("one", "two")]
    assert scene.signals == [("LayoutUpdated", (2, number)) for number in numbers]


@pytest.mark.parametrize("row", [Item("a", "A", enabled=False, action=Quit()), Item("a", "A")])
def test_a_row_that_is_disabled_or_only_informs_does_nothing(row: Item) -> None:
    scene = Scene(row)
    scene.event(scene.id("a"), "clicked")
    assert scene.clicks == []


def test_a_row_that_was_disabled_under_the_pointer_does_nothing() -> None:
    scene = Scene(A)
    scene.event(ROOT, "opened")
    scene.menu.draw((Item("a", "A", enabled=False, action=Quit()),))
    scene.event(scene.id("a"), "clicked")
    assert scene.clicks == []


def test_a_row_that_has_gone_does_nothing_and_says_so() -> None:
    scene = Scene(A, B)
    scene.menu.draw((B,))
    assert scene.fails("Event", "isvu", scene.id("a"), "clicked", ("s", ""), 0) == INVALID
    assert scene.fails("Event", "isvu", 999, "clicked", ("s", ""), 0) == INVALID
    assert scene.fails("Event", "isvu", -1, "opened", ("s", ""), 0) == INVALID
    assert scene.clicks == []
    assert not scene.menu.hold


def test_events_that_mean_nothing_here_are_taken() -> None:
    scene = Scene(A)
    scene.event(scene.id("a"), "hovered")
    scene.event(scene.id("a"), "x-kde-something")
    scene.event(ROOT, "clicked")
    assert scene.clicks == []


def test_events_in_a_group_each_count() -> None:
    scene = Scene(A, B)
    a, b = scene.id("a"), scene.id("b")
    events = [(number, "clicked", ("i", 0), 0) for number in (a, 999, b)]
    assert scene.call("EventGroup", "a(isvu)", events) == ([999],)
    assert scene.clicks == [MoveFirst("A"), MoveFirst("B")]
    assert scene.call("EventGroup", "a(isvu)", []) == ([],)
    assert scene.fails("EventGroup", "a(isvu)", [(999, "clicked", ("i", 0), 0)]) == INVALID


def test_properties_of_several_rows_are_read_at_once() -> None:
    scene = Scene(A, B)
    a, b = scene.id("a"), scene.id("b")
    assert scene.call("GetGroupProperties", "aias", [b, a, 999, b], ["label"]) == (
        [(b, {"label": ("s", "B")}), (a, {"label": ("s", "A")})],
    )
    (everything,) = scene.call("GetGroupProperties", "aias", [], [])
    assert {number for number, _ in everything} == {ROOT, a, b}


def test_one_property_is_read_with_its_default() -> None:
    scene = Scene(A)
    a = scene.id("a")
    assert scene.call("GetProperty", "is", a, "label") == (("s", "A"),)
    assert scene.call("GetProperty", "is", a, "toggle-state") == (("i", -1),)
    assert scene.fails("GetProperty", "is", a, "unknown") == INVALID
    assert scene.fails("GetProperty", "is", 999, "label") == INVALID


def test_a_layout_or_showing_of_what_does_not_exist_is_an_error() -> None:
    scene = Scene(A)
    assert scene.fails("GetLayout", "iias", 999, -1, []) == INVALID
    assert scene.fails("AboutToShow", "i", 999) == INVALID
    assert scene.fails("AboutToShowGroup", "ai", [999]) == INVALID
    assert scene.call("AboutToShowGroup", "ai", [999, scene.id("a")]) == ([], [999])


def test_the_revision_stays_an_unsigned_number() -> None:
    scene = Scene(A)
    scene.menu._revision = 2**32 - 1
    scene.menu.draw((B,))
    assert scene.signals[-1] == ("LayoutUpdated", (1, ROOT))


def test_ids_outlive_the_connection() -> None:
    scene = Scene(A)
    again = DbusMenu((B, A), scene.ids, scene._emit, lambda *_: None, scene.clock.later, scene.clicks.append)
    call = Call(1, ":1.1", ":1.2", "/menu", NAME, "Event", "isvu", (scene.id("a"), "clicked", ("s", ""), 0), True)
    again.object.answer(call)
    assert scene.clicks == [MoveFirst("A")]
