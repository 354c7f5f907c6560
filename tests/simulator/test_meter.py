from __future__ import annotations

from typing import Any

from ccproxy_tray.simulator.meter import (
    CACHE_MINIMUM,
    DOCUMENT_TOKENS,
    IMAGE_TOKENS,
    PromptCache,
    prompt_tokens,
    tokens,
)
from ccproxy_tray.simulator.turn import Tokens

LONG = "x" * (CACHE_MINIMUM * 4)
MARK = {"cache_control": {"type": "ephemeral"}}


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text, **more}]}


def test_four_characters_make_a_token() -> None:
    assert [tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


def test_media_count_by_the_piece_and_not_by_their_base64() -> None:
    image = {"type": "image", "source": {"data": "A" * 100_000}}
    document = {"type": "document", "source": {"data": "A" * 100_000}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image, document]}
    assert prompt_tokens({"messages": [{"role": "user", "content": [result]}]}) == IMAGE_TOKENS + DOCUMENT_TOKENS


def test_a_billing_block_is_not_part_of_the_prompt() -> None:
    system = [{"type": "text", "text": "x-anthropic-billing-header: cc_version=1;"}, {"type": "text", "text": "abcd"}]
    assert prompt_tokens({"system": system, "messages": [user("abcd")]}) == 2


def test_a_prefix_is_written_once_and_then_read() -> None:
    cache = PromptCache()
    body = {"messages": [user(LONG, **MARK), user("more")]}
    assert cache.charge("m", body) == Tokens(input=1, cache_write=CACHE_MINIMUM)
    assert cache.charge("m", body) == Tokens(input=1, cache_read=CACHE_MINIMUM)


def test_a_longer_conversation_reads_what_it_has_and_writes_the_rest() -> None:
    cache = PromptCache()
    cache.charge("m", {"messages": [user(LONG, **MARK)]})
    longer = {"messages": [user(LONG), user("abcdabcd", **MARK)]}
    assert cache.charge("m", longer) == Tokens(cache_read=CACHE_MINIMUM, cache_write=2)


def test_another_model_or_another_prefix_reads_nothing() -> None:
    cache = PromptCache()
    cache.charge("m", {"messages": [user(LONG, **MARK)]})
    assert cache.charge("other", {"messages": [user(LONG, **MARK)]}).cache_read == 0
    assert cache.charge("m", {"messages": [user("y" + LONG, **MARK)]}).cache_read == 0


def test_short_or_unmarked_prompts_are_not_cached() -> None:
    cache = PromptCache()
    for body in ({"messages": [user("short", **MARK)]}, {"messages": [user(LONG)]}):
        assert cache.charge("m", body) == cache.charge("m", body)
        assert cache.charge("m", body).cache_read == cache.charge("m", body).cache_write == 0


def test_a_mark_on_the_request_stands_for_its_last_block() -> None:
    body = {"messages": [user(LONG)], **MARK}
    assert PromptCache().charge("m", body) == Tokens(cache_write=CACHE_MINIMUM)


def test_what_was_stored_long_ago_is_forgotten() -> None:
    cache = PromptCache()
    first = {"messages": [user(LONG, **MARK)]}
    cache.charge("m", first)
    for number in range(4096):
        cache.charge(f"m{number}", first)
    assert cache.charge("m", first).cache_read == 0
