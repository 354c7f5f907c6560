"""What may be sent to which model."""

from __future__ import annotations

import pytest

from ccproxy_tray.translate.openai_dialect import GENERIC, OPENROUTER, ChatDialect, ChatModel, Echo


@pytest.mark.parametrize(
    ("model", "dialect", "claude"),
    [
        ("anthropic/claude-sonnet-4.5", OPENROUTER, True),
        ("google/gemini-3-pro", OPENROUTER, False),
        ("claude-sonnet-4-5", GENERIC, False),
    ],
)
def test_anthropics_extensions_go_to_claude_behind_openrouter_only(
    model: str, dialect: ChatDialect, claude: bool
) -> None:
    assert ChatModel(model, dialect).claude is claude


def test_thinking_goes_back_in_the_form_that_its_reader_wants() -> None:
    assert ChatModel("anthropic/claude-opus-5.5", OPENROUTER).echo is Echo.DETAILS
    assert ChatModel("deepseek/deepseek-v3.2", OPENROUTER).echo is Echo.STRING
    assert ChatModel("kimi-k2-thinking", GENERIC).echo is Echo.CONTENT
    assert ChatModel("openai/gpt-5", OPENROUTER).echo is Echo.NONE


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("gpt-5", True),
        ("gpt-5.1", True),
        ("gpt-5-mini-2025-08-07", True),
        ("o3", True),
        ("o4-mini", True),
        ("openai/gpt-oss-120b", True),
        ("gpt-oss:20b", True),
        ("gpt-5-chat-latest", False),
        ("gpt-5.4", False),
        ("gpt-4o", False),
        ("qwen-3-coder-480b", False),
        ("foo3", False),
    ],
)
def test_effort_is_sent_only_to_families_that_are_known_to_take_it(model: str, takes: bool) -> None:
    assert ChatModel(model, GENERIC).takes_effort is takes


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("gpt-5", "max_completion_tokens"),
        ("gpt-5.4-mini", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("gpt-4o", "max_tokens"),
        ("gpt-oss-120b", "max_tokens"),
        ("qwen-3-coder-480b", "max_tokens"),
    ],
)
def test_openais_reasoning_models_know_the_output_limit_by_another_name(model: str, field: str) -> None:
    assert ChatModel(model, GENERIC).limit_field == field
    assert ChatModel(f"openai/{model}", OPENROUTER).limit_field == "max_tokens"
