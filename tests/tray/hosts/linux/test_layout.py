from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.tray.action import Quit
from ccproxy_tray.tray.hosts.freedesktop import layout
from ccproxy_tray.tray.hosts.freedesktop.layout import (
    LARGEST_ID,
    ROOT,
    Ids,
    Layout,
    Node,
    difference,
    escaped,
    in_place,
    lay_out,
    selected,
    subtree,
)
from ccproxy_tray.tray.view import Item, Kind


def menus(depth: int = 2) -> st.SearchStrategy[tuple[Item, ...]]:
    keys = st.sampled_from("abcde")
    below = menus(depth - 1) if depth else st.just(())
    kinds = st.sampled_from(Kind)
    items = st.builds(Item, keys, st.sampled_from(["x", "y_z"]), kinds, st.booleans(), st.booleans(), children=below)
    return st.lists(items, max_size=4, unique_by=lambda item: item.key).map(tuple)


def labels(nodes: Layout, number: int = ROOT) -> list[object]:
    """The menu as a panel would draw it."""
    return [(child, dict(nodes[child].properties), labels(nodes, child)) for child in nodes[number].children]


def test_an_item_becomes_the_properties_that_panels_know() -> None:
    ids = Ids()
    nodes = lay_out(
        (
            Item("a", "under_score"),
            Item("b", "Check", Kind.CHECK, checked=True),
            Item("c", "Radio", Kind.RADIO, enabled=False),
            Item("d", kind=Kind.SEPARATOR),
            Item("e", "Menu", children=(Item("f", "Leaf"),)),
        ),
        ids,
    )
    plain = {"enabled": ("b", True), "visible": ("b", True)}
    assert [nodes[child].properties for child in nodes[ROOT].children] == [
        {"label": ("s", "under__score"), **plain},
        {"label": ("s", "Check"), **plain, "toggle-type": ("s", "checkmark"), "toggle-state": ("i", 1)},
        {
            "label": ("s", "Radio"),
            **plain,
            "enabled": ("b", False),
            "toggle-type": ("s", "radio"),
            "toggle-state": ("i", 0),
        },
        {"type": ("s", "separator"), "visible": ("b", True)},
        {"label": ("s", "Menu"), **plain, "children-display": ("s", "submenu")},
    ]


def test_a_label_is_freed_of_what_the_bus_refuses() -> None:
    assert escaped("a_b\0\ud800") == "a__b?"


@settings(max_examples=25, deadline=None)
@given(menus(), menus())
def test_the_difference_leads_from_one_menu_to_the_other(before: tuple[Item, ...], after: tuple[Item, ...]) -> None:
    ids = Ids()
    old, new = lay_out(before, ids), lay_out(after, ids)
    change = difference(old, new)
    panel = dict(old)
    for number, properties in change.properties.items():
        panel[number] = replace(panel[number], properties={**panel[number].properties, **properties})
    fresh = set()
    for parent in change.parents:  # a panel reads what is below anew
        fresh |= _below(new, parent)
    panel.update({number: new[number] for number in fresh})
    assert labels(panel) == labels(new)
    assert difference(new, lay_out(after, ids)) == layout.Change()


def _below(nodes: Layout, number: int) -> set[int]:
    return {number}.union(*(_below(nodes, child) for child in nodes[number].children))


@settings(max_examples=25, deadline=None)
@given(menus(), menus())
def test_in_place_no_row_comes_goes_or_moves(before: tuple[Item, ...], after: tuple[Item, ...]) -> None:
    ids = Ids()
    old, new = lay_out(before, ids), lay_out(after, ids)
    kept = in_place(old, new)
    assert {number: node.children for number, node in kept.items()} == {n: node.children for n, node in old.items()}
    assert not difference(old, kept).parents
    for number, node in kept.items():
        assert (node.properties, node.action) == (
            (new[number].properties, new[number].action) if number in new else (old[number].properties, node.action)
        )


@settings(max_examples=25, deadline=None)
@given(st.lists(menus(), max_size=5))
def test_an_id_never_means_two_items(drawn: list[tuple[Item, ...]]) -> None:
    ids = Ids()
    meanings: dict[int, set[tuple[str, ...]]] = {}
    for menu in drawn:
        _note(menu, (), lay_out(menu, ids), ROOT, meanings)
    assert all(len(paths) == 1 for paths in meanings.values())


def _note(
    items: tuple[Item, ...], above: tuple[str, ...], nodes: Layout, parent: int, into: dict[int, set[tuple[str, ...]]]
) -> None:
    for item, number in zip(items, nodes[parent].children, strict=True):
        path = (*above, item.key)
        into.setdefault(number, set()).add((*path, "submenu" if item.children else item.kind))
        _note(item.children, path, nodes, number, into)


def test_an_item_that_comes_back_has_its_old_id() -> None:
    ids = Ids()
    first = lay_out((Item("a", "A"), Item("b", "B")), ids)[ROOT].children
    lay_out((Item("b", "B"),), ids)
    assert lay_out((Item("b", "B"), Item("a", "other")), ids)[ROOT].children == first[::-1]


def test_a_row_that_becomes_a_submenu_is_another_item() -> None:
    ids = Ids()
    (plain,) = lay_out((Item("a", "A"),), ids)[ROOT].children
    (submenu,) = lay_out((Item("a", "A", children=(Item("b", "B"),)),), ids)[ROOT].children
    assert plain != submenu


def test_keys_with_the_same_name_in_other_places_are_other_items() -> None:
    nodes = lay_out((Item("a", children=(Item("x", "1"),)), Item("b", children=(Item("x", "2"),))), Ids())
    assert len(nodes) == 5


def test_what_has_long_gone_is_forgotten_and_what_is_there_is_not() -> None:
    ids = Ids()
    stays = Item("stays", "S")
    number = lay_out((stays,), ids)[ROOT].children[0]
    for count in range(layout.REMEMBERED + 10):
        lay_out((Item(f"row {count}", "R"), stays), ids)
    assert len(ids._ids) <= layout.REMEMBERED
    assert lay_out((stays,), ids)[ROOT].children == (number,)


def test_after_the_last_number_only_free_ones_are_used() -> None:
    ids = Ids(first=LARGEST_ID - 1)
    numbers = [ids.number((str(count),)) for count in range(5)]
    assert numbers == [LARGEST_ID - 1, LARGEST_ID, 1, 2, 3]
    ids = Ids()
    ids.number(("kept",))
    ids._next = LARGEST_ID + 1
    assert [ids.number(("new",)), ids.number(("newer",))] == [2, 3]


def test_a_used_number_behind_the_first_free_one_is_passed_over() -> None:
    ids = Ids()
    ids._ids = {("a",): 1, ("b",): 3}
    ids._next = LARGEST_ID + 1
    assert [ids.number(("c",)), ids.number(("d",))] == [2, 4]


def test_a_subtree_has_the_wanted_depth_and_properties() -> None:
    nodes = lay_out((Item("a", "A", children=(Item("b", "B", action=Quit()),)),), Ids())
    (above,) = nodes[ROOT].children
    (below,) = nodes[above].children
    leaf: tuple[str, object] = ("(ia{sv}av)", (below, {"label": ("s", "B")}, []))
    assert subtree(nodes, ROOT, 0, ["label"]) == (ROOT, {}, [])
    assert subtree(nodes, ROOT, 1, ["label"]) == (ROOT, {}, [("(ia{sv}av)", (above, {"label": ("s", "A")}, []))])
    assert subtree(nodes, above, -1, ["label"]) == (above, {"label": ("s", "A")}, [leaf])
    assert subtree(nodes, above, 7, ["label"]) == (above, {"label": ("s", "A")}, [leaf])


def test_no_names_mean_all_properties() -> None:
    properties = {"label": ("s", "x"), "enabled": ("b", True)}
    assert selected(properties, []) == properties
    assert selected(properties, ["enabled", "unknown"]) == {"enabled": ("b", True)}


def test_a_node_without_change_is_the_same_value() -> None:
    assert Node({}, (1,), Quit()) == Node({}, (1,), Quit())
