from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.translate.sharing import each, each_block, put, without
from tests import capture

Json = Any


@given(st.lists(st.integers()))
def test_an_edit_that_changes_nothing_gives_the_same_list(items: list[int]) -> None:
    assert each(items, lambda item: item) is items
    assert each(items, lambda item: (item,)) == [(item,) for item in items]


def test_a_value_that_is_there_already_gives_the_same_mapping() -> None:
    mapping = {"a": [1]}
    assert put(mapping, "a", mapping["a"]) is mapping
    assert put(mapping, "a", [2]) == {"a": [2]}
    assert mapping == {"a": [1]}
    assert without(mapping, "b", "c") is mapping
    assert without(mapping, "a", "b") == {}


def test_every_block_is_visited_and_the_rest_is_shared() -> None:
    body = capture.load("12").body
    seen = []
    assert each_block(body, lambda block: seen.append(block["type"]) or block) is body  # type: ignore[func-returns-value]  # append returns None, on purpose
    assert seen.count("image") == 1
    assert seen.index("image") < seen.index("tool_result"), "the inner blocks come first"
