from __future__ import annotations

import pytest

from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import BrokeOff, Exhausted, FellBack
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import Target
from ccproxy_tray.tray.view import MAX_LABEL
from ccproxy_tray.tray.wording import FOLDED_LINES, cause, culprit, fit, folded, middle, place, plural, who
from tests.tray.menu.scene import EAST, ROUTER, broke_off, exhausted, fell_back, throttled


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc…fg"), ("abcdefgh", 7, "abc…fgh"), ("abc", 1, "…"), ("abc", 2, "a…")],
)
def test_a_long_name_keeps_both_ends(text: str, limit: int, short: str) -> None:
    assert middle(text, limit) == short


@pytest.mark.parametrize(
    ("text", "units", "short"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("🦀🦀", 4, "🦀🦀"),
        ("🦀🦀🦀", 4, "🦀…"),
        ("🦀🦀🦀", 5, "🦀🦀…"),
        ("äöü", 3, "äöü"),
    ],
)
def test_a_text_is_cut_by_what_windows_counts_and_never_inside_a_character(text: str, units: int, short: str) -> None:
    assert fit(text, units) == short
    assert len(fit(text, units).encode("utf-16-le")) // 2 <= units


def test_a_long_sentence_takes_several_rows_and_no_word_is_torn_at_its_hyphen() -> None:
    rows = folded("word-with-hyphens " * 12, "✕ ")
    assert rows[0].startswith("✕ word-with-hyphens ")
    assert rows[1].startswith("    word-with-hyphens")
    assert all(len(row) <= MAX_LABEL for row in rows)
    assert " ".join(row.strip() for row in rows) == "✕ " + " ".join(["word-with-hyphens"] * 12)


def test_a_sentence_without_end_is_cut() -> None:
    rows = folded("word " * 200)
    assert len(rows) == FOLDED_LINES
    assert rows[-1].endswith("…")


def test_one_is_not_plural() -> None:
    assert [plural(n, "fallback") for n in (0, 1, 2)] == ["0 fallbacks", "1 fallback", "2 fallbacks"]


def test_a_target_is_named_by_what_it_has() -> None:
    assert who(EAST) == "bedrock us-east-1 · claude-sonnet-4-5"
    assert who(ROUTER) == "openrouter · claude-sonnet-4-5"
    assert who(ROUTER.account) == "openrouter"
    assert place(Target("", "", "")) == ""


UNREACHABLE = Attempt(EAST, 0.0, 0.1, None, 0, Fault.UNREACHABLE, "dns")


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (fell_back(1), "429"),
        (fell_back(1, throttled(EAST, simulated=True)), "429 (simulated)"),
        (fell_back(1, UNREACHABLE), "unreachable"),
        (fell_back(1, throttled(ROUTER), UNREACHABLE), "unreachable"),
        (fell_back(1, throttled(ROUTER)), "429"),
        (exhausted(1), "429"),
        (Exhausted(0, Story("r", "m"), 404, ""), "no target"),
        (broke_off(1), "broke off"),
    ],
)
def test_a_cause_is_a_word(event: FellBack | Exhausted | BrokeOff, word: str) -> None:
    assert cause(event) == word


def test_the_culprit_is_the_first_that_failed_and_did_not_serve_in_the_end() -> None:
    assert culprit(fell_back(1, throttled(ROUTER), UNREACHABLE).story) == UNREACHABLE
    assert culprit(fell_back(1, throttled(ROUTER)).story) is None
    assert culprit(exhausted(1, throttled(ROUTER)).story) == throttled(ROUTER)
    assert culprit(Story("r", "m")) is None
