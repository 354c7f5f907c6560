"""Any snapshot gives a menu that every tray can draw, and that gives nothing away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.redact import escape
from ccproxy_tray.tray.menu import view
from ccproxy_tray.tray.view import MAX_LABEL, MAX_ROWS, MAX_TOOLTIP, Item, Kind, View
from tests.tray.menu.scene import NOW
from tests.tray.menu.strategy import ACCOUNT, CANARY, snapshots
from tests.tray.menu.test_golden import STATES

LAWFUL = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MAX_SIBLINGS = 3 * MAX_ROWS + 30
"""Rows of one menu, whatever happened: three lists and what always stands there."""


def everything(drawn: View) -> list[Item]:
    return [item for top in drawn.menu for item in top.walk()]


def assert_lawful_row(item: Item) -> None:
    if item.kind is Kind.SEPARATOR:
        assert (item.label, item.action, item.children) == ("", None, ())
        return
    assert item.label.strip()
    assert len(item.label) <= MAX_LABEL
    assert escape(item.label) == item.label
    assert CANARY not in item.label
    assert ACCOUNT not in item.label
    assert (item.action is not None) == (item.enabled and not item.children)
    assert item.enabled or not item.children


def assert_lawful_siblings(items: Sequence[Item]) -> None:
    keys = [item.key for item in items]
    assert len(set(keys)) == len(keys), keys
    assert len(items) <= MAX_SIBLINGS
    assert sum(item.kind is Kind.RADIO and item.checked for item in items) <= 1
    for item in items:
        assert_lawful_siblings(item.children)


@LAWFUL
@given(snapshots)
def test_every_menu_is_lawful(snapshot: Snapshot) -> None:
    drawn = view(snapshot, NOW)
    assert_lawful_siblings(drawn.menu)
    for item in everything(drawn):
        assert_lawful_row(item)
    defaults = [item for item in everything(drawn) if item.default]
    assert len(defaults) <= 1
    assert all(item.action is not None for item in defaults)


@LAWFUL
@given(snapshots)
def test_every_tooltip_fits_and_gives_nothing_away(snapshot: Snapshot) -> None:
    tooltip = view(snapshot, NOW).tooltip
    assert len(tooltip.encode("utf-16-le")) // 2 <= MAX_TOOLTIP
    assert escape(tooltip) == tooltip
    assert CANARY not in tooltip
    assert ACCOUNT not in tooltip


@LAWFUL
@given(snapshots, st.floats(0, 1, exclude_max=True))
def test_time_alone_changes_nothing_before_the_moment_that_a_view_names(snapshot: Snapshot, part: float) -> None:
    drawn = view(snapshot, NOW)
    if drawn.until is None:
        assert view(snapshot, NOW + part * 40 * 86_400) == drawn
        return
    assert drawn.until > NOW
    later = NOW + part * (drawn.until - NOW)
    if later < drawn.until:  # rounding
        assert view(snapshot, later) == drawn


@pytest.mark.parametrize("name", STATES)
def test_the_ordinary_states_are_lawful_too(name: str) -> None:
    drawn = view(STATES[name], NOW)
    assert_lawful_siblings(drawn.menu)
    for item in everything(drawn):
        assert_lawful_row(item)


@pytest.mark.parametrize("name", STATES)
def test_the_same_state_is_the_same_view(name: str) -> None:
    other = replace(STATES[name], sequence=STATES[name].sequence + 1)
    assert view(other, NOW) == view(STATES[name], NOW)


def test_rows_keep_their_keys_when_others_come_and_go() -> None:
    full, fewer = STATES["long lists"], replace(STATES["long lists"], cooling=STATES["long lists"].cooling[1:])
    rows = {item.key: item.action for item in everything(view(full, NOW)) if item.key.startswith("cooling ")}
    left = {item.key: item.action for item in everything(view(fewer, NOW)) if item.key.startswith("cooling ")}
    assert len(rows.keys() & left.keys()) == len(rows) - 1
    assert all(left[key] == rows[key] for key in rows.keys() & left.keys())
