from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.translate.system_message import fold_system_messages
from tests import capture

Json = Any
RESULT: Json = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
CACHED: Json = {"type": "text", "text": "rule", "cache_control": {"type": "ephemeral"}}
ROLES = {"u": "user", "a": "assistant", "s": "system"}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def reminder(words: str, **more: Json) -> Json:
    return {"type": "text", "text": f"<system-reminder>\n{words}\n</system-reminder>", **more}


def talk(*turns: tuple[str, Json]) -> Json:
    return {"messages": [{"role": ROLES[role], "content": content} for role, content in turns]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (talk(("u", "hi"), ("s", "rule")), talk(("u", [text("hi"), reminder("rule")]))),
        (
            talk(("u", [text("hi")]), ("s", [CACHED]), ("a", "yes")),
            talk(("u", [text("hi"), reminder("rule", cache_control={"type": "ephemeral"})]), ("a", "yes")),
        ),
        (talk(("s", "rule"), ("u", "hi")), talk(("u", [reminder("rule"), text("hi")]))),
        (
            talk(("u", "hi"), ("a", "call"), ("s", "rule"), ("u", [RESULT, text("more")])),
            talk(("u", "hi"), ("a", "call"), ("u", [RESULT, reminder("rule"), text("more")])),
        ),
        (
            talk(("u", "hi"), ("a", "yes"), ("s", "one"), ("s", "two"), ("a", "no")),
            talk(("u", "hi"), ("a", "yes"), ("u", [reminder("one"), reminder("two")]), ("a", "no")),
        ),
        (talk(("u", "hi"), ("u", "again"), ("s", "r")), talk(("u", "hi"), ("u", [text("again"), reminder("r")]))),
        (
            talk(("u", "hi"), ("s", "r"), ("u", "again")),
            talk(("u", [text("hi"), reminder("r")]), ("u", "again")),
        ),
    ],
)
def test_a_reminder_keeps_its_place_in_a_user_turn(before: Json, after: Json) -> None:
    assert fold_system_messages(before) == after


def test_a_conversation_of_two_is_the_same_object() -> None:
    body = talk(("u", "hi"), ("a", "yes"))
    assert fold_system_messages(body) is body


@given(st.lists(st.sampled_from("uas"), min_size=1, max_size=9))
def test_no_word_is_lost_and_no_turn_of_the_client_moves(roles: list[str]) -> None:
    body = talk(*((role, f"word {i}") for i, role in enumerate(roles)))
    folded = fold_system_messages(body)["messages"]
    assert {message["role"] for message in folded} <= {"user", "assistant"}
    said = " ".join(str(message["content"]) for message in folded)
    places = [said.index(f"word {i}") for i in range(len(roles))]
    assert places == sorted(places)
    assert [m["content"] for m in folded if m["role"] == "assistant"] == [
        f"word {i}" for i, r in enumerate(roles) if r == "a"
    ]


def test_what_claude_code_says_to_new_models_old_ones_can_read() -> None:
    body = capture.load("02").body
    folded = fold_system_messages(body)["messages"]
    assert [message["role"] for message in folded] == ["user", "assistant", "user"]
    assert folded[0]["content"][-1]["text"].startswith("<system-reminder>\n")


def test_an_empty_reminder_says_nothing() -> None:
    assert fold_system_messages(talk(("u", "hi"), ("s", " ")))["messages"] == [
        {"role": "user", "content": [text("hi")]}
    ]
