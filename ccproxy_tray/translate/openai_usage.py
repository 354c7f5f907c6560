"""Token counts and stop reasons of chat completions in Anthropic's terms."""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.translate.foreign import mapping
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.stream import CHARACTERS_PER_TOKEN, MOST, Usage, charged

_LENGTH = frozenset({"length", "max_tokens"})
_FILTERED = frozenset({
    *("content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii", "language"),
    *("image_safety", "image_prohibited_content", "image_recitation"),
})  # fmt: skip
_MISCALLED = frozenset({
    *("function_call_filter", "malformed_function_call", "unexpected_tool_call", "too_many_tool_calls"),
    *("malformed_response", "missing_thought_signature"),
})  # fmt: skip
"""Reasons to stop (OpenAI, "Chat completions"; Gemini, ``FinishReason``), in lower case."""


def usage(counts: Json, *, input_estimate: int = 0, characters: int = 0) -> Usage:
    """The ``usage`` object of a chat answer, as Anthropic counts.

    OpenAI's ``prompt_tokens`` include what the cache served and stored, Anthropic's ``input_tokens`` do not. Where a
    server counts nothing, the estimate stands for the input, and ``characters`` of answer for the output: a guess
    keeps Claude Code's picture of the context truer than zero would.
    """
    found = mapping(counts)
    details = mapping(found.get("prompt_tokens_details"))
    # DeepSeek and Moonshot report cache hits in fields of their own, LiteLLM what it stores.
    read = _first(details.get("cached_tokens"), found.get("prompt_cache_hit_tokens"), found.get("cached_tokens"))
    written = _first(details.get("cache_write_tokens"), found.get("cache_creation_input_tokens"))
    prompt, answered = _count(found.get("prompt_tokens")), _answered(found)
    guessed = -(-characters // CHARACTERS_PER_TOKEN)
    return Usage(
        input_tokens=max(0, prompt - read - written) if prompt else input_estimate,
        output_tokens=answered or guessed,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        cost=charged(found),
        estimated=not prompt or not (answered or not guessed),
        web_searches=searches(counts),
        off_list=found.get("is_byok") is True,
    )


def counts_of(chunk: Mapping[str, Json], choice: Mapping[str, Json]) -> Json:
    """The ``usage`` object of a chunk, wherever it stands: Moonshot puts it into the choice, Groq into ``x_groq``."""
    return chunk.get("usage") or choice.get("usage") or mapping(chunk.get("x_groq")).get("usage")


def counts_input(chat: Json) -> bool:
    """Whether a chat answer says how many tokens its request had."""
    return _count(mapping(mapping(chat).get("usage")).get("prompt_tokens")) > 0


def _answered(counts: Mapping[str, Json]) -> int:
    """The tokens of the answer with its thinking, which xAI counts beside ``completion_tokens``: its total tells."""
    answered, reasoned = _count(counts.get("completion_tokens")), thought(counts)
    beside = _count(counts.get("total_tokens")) == _count(counts.get("prompt_tokens")) + answered + reasoned
    return answered + reasoned if beside else answered


def searches(counts: Json) -> int:
    """Web searches that the server says it ran (OpenRouter, "Web Search": ``usage.server_tool_use``)."""
    return _count(mapping(mapping(counts).get("server_tool_use")).get("web_search_requests"))


def thought(counts: Json) -> int:
    """The tokens of the answer that went into its thinking."""
    return _count(mapping(mapping(counts).get("completion_tokens_details")).get("reasoning_tokens"))


def rendered(found: Usage, searched: int, thinking: int = 0) -> dict[str, Json]:
    """The ``usage`` object of a message (Messages API).

    ``searched`` is how many web searches were made, ``thinking`` how many of the output tokens went into thinking.
    """
    counts: dict[str, Json] = {
        "input_tokens": found.input_tokens,
        "cache_creation_input_tokens": found.cache_creation_input_tokens,
        "cache_read_input_tokens": found.cache_read_input_tokens,
        "output_tokens": found.output_tokens,
    }
    if thinking:
        counts["output_tokens_details"] = {"thinking_tokens": min(thinking, found.output_tokens)}
    if searched:
        counts["server_tool_use"] = {"web_search_requests": searched, "web_fetch_requests": 0}
    return counts


def stop_reason(finish: str, native: str, *, called: bool, refused: bool) -> str:
    """Anthropic's ``stop_reason``: ``tool_use`` if and only if a tool was called, whatever the server says.

    ``finish`` is OpenAI's ``finish_reason``, ``native`` what OpenRouter says the model's own server said.
    """
    word = _word(finish)
    if word in _LENGTH:
        return native if native == "model_context_window_exceeded" else "max_tokens"
    if word in _FILTERED or native == "refusal" or refused:
        return "refusal"
    if called:
        return "tool_use"
    return native if native == "stop_sequence" else "end_turn"


def miscalled(finish: str, native: str) -> bool:
    """Whether the server says that the model tried to call a tool, and that there is nothing to be read in it.

    Taken for an end, it would end the work of an agent in silence.
    """
    return not _MISCALLED.isdisjoint((_word(finish), _word(native)))


def _word(finish: str) -> str:
    """``content_filter: SAFETY`` as ``content_filter``: Gemini's own reasons, and how its chat interface has them."""
    return finish.partition(":")[0].lower()


def _first(*values: Json) -> int:
    """The first that counts anything."""
    return next((count for value in values if (count := _count(value))), 0)


def _count(value: Json) -> int:
    return value if type(value) is int and 0 < value <= MOST else 0
