"""Token counts as one frozen value, for whoever adds them up."""

from __future__ import annotations

from ccproxy_tray.routing.story import Tokens
from ccproxy_tray.translate.stream import Progress, Usage


def observed(**counts: object) -> Usage:
    usage = Usage()
    usage.observe(counts)
    return usage


def test_writes_that_last_an_hour_are_a_part_of_all_writes() -> None:
    usage = observed(
        input_tokens=5,
        output_tokens=4,
        cache_read_input_tokens=3,
        cache_creation_input_tokens=30,
        cache_creation={"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    )
    assert usage.tokens() == Tokens(5, 4, 3, 30, 20)


def test_no_part_is_larger_than_the_whole() -> None:
    usage = observed(cache_creation_input_tokens=10, cache_creation={"ephemeral_1h_input_tokens": 20})
    assert usage.tokens().cache_write_1h == 10


def test_what_is_no_count_changes_nothing() -> None:
    usage = observed(cache_creation_input_tokens=10, cache_creation={"ephemeral_1h_input_tokens": True})
    usage.observe({"cache_creation": None})
    usage.observe({"cache_creation": {"ephemeral_1h_input_tokens": -1}})
    assert usage.tokens() == Tokens(cache_write=10)


def test_counts_of_an_answer_that_is_not_complete_are_not_the_last_ones() -> None:
    progress = Progress(usage=observed(input_tokens=5))
    assert progress.tokens() == Tokens(5, estimated=True)
    progress.finished = True
    assert progress.tokens() == Tokens(5)
