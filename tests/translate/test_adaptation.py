from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.translate.adaptation import adapt, fit
from tests import capture

Json = Any
OPUS_45, SONNET_45, OPUS_46, SONNET_5, OPUS_55 = (
    "claude-opus-4-5",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic/claude-opus-4.6",
    "claude-sonnet-5",
    "claude-opus-5-5",
)
CLAUDE_3 = "claude-3-haiku-20240307"
ADAPTIVE: Json = {"type": "adaptive"}
OFF: Json = {"type": "disabled"}


def budget(tokens: int) -> Json:
    return {"type": "enabled", "budget_tokens": tokens}


def body(**fields: Json) -> Json:
    return {"max_tokens": 32_000, "messages": [{"role": "user", "content": "hi"}], **fields}


@pytest.mark.parametrize(
    ("model", "before", "after"),
    [
        # Thinking.
        (OPUS_55, {"thinking": budget(2000)}, {"thinking": ADAPTIVE}),
        (
            OPUS_55,
            {"thinking": {**budget(2000), "display": "omitted"}},
            {"thinking": {**ADAPTIVE, "display": "omitted"}},
        ),
        (OPUS_55, {"thinking": ADAPTIVE}, {"thinking": ADAPTIVE}),
        (OPUS_55, {"thinking": OFF}, {}),
        (SONNET_5, {"thinking": OFF}, {"thinking": OFF}),
        (OPUS_46, {"thinking": budget(2000)}, {"thinking": budget(2000)}),
        (SONNET_45, {"thinking": ADAPTIVE}, {"thinking": budget(25_600)}),
        (SONNET_45, {"thinking": {"type": "between_tools"}}, {"thinking": budget(25_600)}),
        (SONNET_45, {"thinking": ADAPTIVE, "max_tokens": 2000}, {"thinking": budget(1600), "max_tokens": 2000}),
        (SONNET_45, {"thinking": ADAPTIVE, "max_tokens": 1100}, {"thinking": budget(1024), "max_tokens": 1100}),
        (SONNET_45, {"thinking": ADAPTIVE, "max_tokens": 1024}, {"max_tokens": 1024}),
        (CLAUDE_3, {"thinking": ADAPTIVE, "max_tokens": 64}, {"max_tokens": 64}),
        # Effort.
        (SONNET_45, {"output_config": {"effort": "low"}, "thinking": ADAPTIVE}, {"thinking": budget(6400)}),
        (SONNET_45, {"output_config": {"effort": "max", "format": {}}}, {"output_config": {"format": {}}}),
        (OPUS_46, {"output_config": {"effort": "xhigh"}}, {"output_config": {"effort": "high"}}),
        (OPUS_46, {"output_config": {"effort": "max"}}, {"output_config": {"effort": "max"}}),
        (OPUS_45, {"output_config": {"effort": "max"}}, {"output_config": {"effort": "high"}}),
        (OPUS_55, {"output_config": {"effort": "max"}}, {"output_config": {"effort": "max"}}),
        (OPUS_55, {"output_config": {"format": {}}}, {"output_config": {"format": {}}}),
        # Limits, with the budget that has to fit in.
        (CLAUDE_3, {"max_tokens": 32_000}, {"max_tokens": 8192}),
        (OPUS_46, {"max_tokens": 128_000}, {"max_tokens": 128_000}),
        ("claude-opus-4-1", {"thinking": budget(40_000), "max_tokens": 50_000}, {"thinking": budget(31_999)}),
        ("claude-opus-4-1", {"thinking": budget(4000), "max_tokens": 50_000}, {"thinking": budget(4000)}),
        ("claude-opus-4-1", {"thinking": {"type": "enabled"}, "max_tokens": 50_000}, {}),
        # Sampling.
        (OPUS_55, {"temperature": 0, "top_p": 0.5, "top_k": 1}, {}),
        (SONNET_45, {"temperature": 0}, {"temperature": 0}),
        # A forced tool.
        (OPUS_55, {"tool_choice": {"type": "tool", "name": "a"}}, {"tool_choice": {"type": "auto"}}),
        (
            OPUS_55,
            {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        (OPUS_55, {"tool_choice": {"type": "none"}}, {"tool_choice": {"type": "none"}}),
        (SONNET_45, {"tool_choice": {"type": "any"}}, {"tool_choice": {"type": "any"}}),
        (SONNET_45, {"tool_choice": {"type": "any"}, "thinking": ADAPTIVE}, {"tool_choice": {"type": "any"}}),
        (
            SONNET_45,
            {"tool_choice": {"type": "auto"}, "thinking": ADAPTIVE},
            {"tool_choice": {"type": "auto"}, "thinking": budget(25_600)},
        ),
    ],
)
def test_a_substitute_gets_what_it_takes(model: str, before: Json, after: Json) -> None:
    assert adapt(body(**before), "claude-other-9", model) == body(**after)


def test_the_requested_model_gets_what_the_client_sent() -> None:
    for name in capture.MESSAGES:
        request = capture.request(name)
        assert adapt(request.body, request.model, f"us.anthropic.{request.model}-v1:0") is request.body


@pytest.mark.parametrize(
    ("requested", "model"),
    [
        ("claude-opus-5-5", "us.anthropic.claude-opus-5-5"),
        ("claude-opus-5-5", "openai/gpt-5.1"),
        ("gpt-5", "gpt-5"),
    ],
)
def test_neither_the_same_model_nor_one_of_another_house_is_adapted_to(requested: str, model: str) -> None:
    sent = body(temperature=1, thinking=OFF, tool_choice={"type": "any"}, max_tokens=1_000_000)
    assert adapt(sent, requested, model) is sent
    assert adapt(sent, "claude-sonnet-4-5", "claude-opus-5-5") is not sent


def test_a_substitute_of_the_same_kind_gets_the_same_object() -> None:
    request = capture.request("01")
    assert adapt(request.body, "claude-sonnet-5-5", "claude-opus-5-5") is request.body


def test_an_old_model_gets_reminders_instead_of_system_messages() -> None:
    request = capture.request("01")
    adapted = adapt(request.body, request.model, SONNET_45)
    assert [message["role"] for message in adapted["messages"]] == ["user"]
    assert adapted["max_tokens"] == 64_000
    assert adapted["thinking"] == {"type": "enabled", "budget_tokens": 32_000, "display": "updates"}
    assert "output_config" not in adapted


def test_a_model_that_cannot_think_gets_no_thoughts() -> None:
    request = capture.request("02")
    adapted = adapt(request.body, request.model, CLAUDE_3)
    assert "thinking" not in adapted
    assert "context_management" not in adapted
    assert [block["type"] for block in adapted["messages"][1]["content"]] == ["text", "tool_use"]


def test_a_budget_is_off_in_a_tool_loop_that_began_without_thinking() -> None:
    loop = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "a", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
    ]
    assert adapt(body(messages=loop, thinking=ADAPTIVE), "claude-other-9", SONNET_45) == body(messages=loop)


def test_a_request_is_fit_for_whoever_takes_over_in_one_step() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    called = {"type": "tool_use", "id": "functions.Bash:0", "name": "a", "input": {}}
    loop = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [thought, called]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "functions.Bash:0"}]},
    ]
    fitted = fit(body(messages=loop, thinking=budget(5_000), max_tokens=128_000), "claude-opus-5-5", SONNET_45)
    [call], [result] = (message["content"] for message in fitted["messages"][1:])
    assert call["id"] == result["tool_use_id"] == "toolu_" + call["id"].removeprefix("toolu_")
    assert "thinking" not in fitted
    assert fitted["max_tokens"] == 64_000


def test_what_is_fit_already_stays_the_same_object() -> None:
    request = capture.request("01")
    assert fit(request.body, request.model, request.model, request.memo) is request.body
