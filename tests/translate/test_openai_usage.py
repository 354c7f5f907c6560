"""Counting as Anthropic counts, and stopping for the reasons that it knows."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.translate.openai_usage import counts_input, miscalled, rendered, searches, stop_reason, thought, usage
from ccproxy_tray.translate.stream import Usage


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (
            {
                "prompt_tokens": 1000,
                "completion_tokens": 50,
                "cost": 0.012,
                "prompt_tokens_details": {"cached_tokens": 800, "cache_write_tokens": 100},
            },
            Usage(100, 50, 800, 100, cost=0.012),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 50}},
            Usage(0, 2, 50),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}, Usage(6, 2, 4)),
        ({"prompt_tokens": 10, "completion_tokens": 2, "cached_tokens": 4}, Usage(6, 2, 4)),
        (  # DeepSeek, "Context Caching"
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 120,
                "prompt_cache_hit_tokens": 64,
                "prompt_cache_miss_tokens": 36,
                "prompt_tokens_details": {"cached_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": 8},
            },
            Usage(36, 20, 64),
        ),
        (  # LiteLLM's proxy in front of Claude
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 120,
                "prompt_tokens_details": {"cached_tokens": 64},
                "cache_read_input_tokens": 64,
                "cache_creation_input_tokens": 30,
            },
            Usage(6, 20, 64, 30),
        ),
        (  # xAI counts thinking beside the answer
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "prompt_tokens_details": {"cached_tokens": 6},
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(26, 103, 6),
        ),
        ({"prompt_tokens": 10}, Usage(10, 3, estimated=True)),
        ({"prompt_tokens": 10**40, "completion_tokens": 10**40}, Usage(7, 3, estimated=True)),
        ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": None, "cost": True}, Usage(10, 2)),
        ({"prompt_tokens": -3, "completion_tokens": "many", "cost": None}, Usage(7, 3, estimated=True)),
        (None, Usage(7, 3, estimated=True)),
    ],
)
def test_cached_tokens_are_counted_once_and_estimates_fill_the_gaps(counts: Any, expected: Usage) -> None:
    assert usage(counts, input_estimate=7, characters=9) == expected


def test_searches_are_counted_where_openrouter_counts_them() -> None:
    assert searches({"server_tool_use": {"web_search_requests": 2}}) == 2
    assert searches({"server_tool_use": None}) == searches(None) == 0


def test_usage_is_said_with_anthropics_keys() -> None:
    counts = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 4,
        "cache_read_input_tokens": 3,
        "output_tokens": 2,
    }
    assert rendered(Usage(1, 2, 3, 4), 0) == counts
    assert rendered(Usage(1, 2, 3, 4), 5) == {
        **counts,
        "server_tool_use": {"web_search_requests": 5, "web_fetch_requests": 0},
    }
    assert rendered(Usage(1, 2, 3, 4), 0, 1) == {**counts, "output_tokens_details": {"thinking_tokens": 1}}
    assert rendered(Usage(1, 2, 3, 4), 0, 9) == {**counts, "output_tokens_details": {"thinking_tokens": 2}}


def test_tokens_of_thinking_are_those_of_the_answer() -> None:
    assert thought({"completion_tokens_details": {"reasoning_tokens": 12}}) == 12
    assert thought({"completion_tokens_details": None}) == thought(None) == 0


@pytest.mark.parametrize(
    ("finish", "native", "expected"),
    [
        ("function_call_filter: MALFORMED_FUNCTION_CALL", "", True),
        ("MALFORMED_FUNCTION_CALL", "", True),
        ("stop", "MALFORMED_FUNCTION_CALL", True),
        ("stop", "STOP", False),
        ("function_call", "", False),
    ],
)
def test_a_call_that_its_own_server_could_not_read_is_no_end(finish: str, native: str, expected: bool) -> None:
    assert miscalled(finish, native) is expected


@pytest.mark.parametrize(
    ("finish", "native", "called", "refused", "expected"),
    [
        ("stop", "end_turn", False, False, "end_turn"),
        ("stop", "", True, False, "tool_use"),
        ("tool_calls", "", True, False, "tool_use"),
        ("tool_calls", "", False, False, "end_turn"),
        ("function_call", "", True, False, "tool_use"),
        ("stop", "stop_sequence", False, False, "stop_sequence"),
        ("length", "max_tokens", True, False, "max_tokens"),
        ("length", "model_context_window_exceeded", False, False, "model_context_window_exceeded"),
        ("content_filter", "", False, False, "refusal"),
        ("stop", "", False, True, "refusal"),
        ("stop", "refusal", False, False, "refusal"),
        ("eos", "", False, False, "end_turn"),
        # Gemini's own words, as its chat interface and gateways in front of it have them.
        ("content_filter: PROHIBITED_CONTENT", "", False, False, "refusal"),
        ("SAFETY", "", False, False, "refusal"),
        ("MAX_TOKENS", "", False, False, "max_tokens"),
        ("STOP", "", True, False, "tool_use"),
    ],
)
def test_stop_reasons_follow_what_was_sent(
    finish: str, native: str, called: bool, refused: bool, expected: str
) -> None:
    assert stop_reason(finish, native, called=called, refused=refused) == expected


def test_searches_are_counted_for_their_price() -> None:
    assert usage({"prompt_tokens": 1, "server_tool_use": {"web_search_requests": 2}}).web_searches == 2


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        ({"usage": {"prompt_tokens": 3}}, True),
        ({"usage": {"prompt_tokens": 0}}, False),
        ({"usage": None}, False),
        ([], False),
    ],
)
def test_an_answer_says_how_long_its_request_was_or_it_is_estimated(chat: Any, said: bool) -> None:
    assert counts_input(chat) is said
