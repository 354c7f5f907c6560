from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.translate.tokens import estimate
from tests import capture
from tests.translate.test_media import b64, png

Json = Any
PROSE = "The quick brown fox jumps over the lazy dog, and then it goes home to sleep. "
BIG = base64.b64encode(bytes(3_000_000)).decode()


def hello(*blocks: Json, **more: Json) -> int:
    return estimate({"messages": [{"role": "user", "content": list(blocks) or "hi"}], **more})


def text(words: str) -> int:
    return hello({"type": "text", "text": words})


def image(data: str) -> Json:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def document(**source: Json) -> Json:
    return {"type": "document", "source": source}


def test_prose_has_a_token_for_about_every_four_characters() -> None:
    # 17 words and two commas: 19 tokens in every Claude tokenizer that is documented, give or take a few.
    assert 17 * 100 <= text(PROSE * 100) <= 25 * 100


def test_a_chinese_character_is_about_one_token() -> None:
    assert 90 <= text("\u4e2d" * 100) <= 130


def test_more_text_is_never_fewer_tokens() -> None:
    assert text("a") <= text("ab" * 10) < text("ab" * 1000)
    assert hello() < hello(system=PROSE) < hello(system=[{"type": "text", "text": PROSE * 2}])


@pytest.mark.parametrize(("size", "tokens"), [((750, 100), 100), ((1000, 600), 800), ((8000, 8000), 1600), ((1, 1), 0)])
def test_an_image_counts_by_its_pixels(size: tuple[int, int], tokens: int) -> None:
    assert hello(image(b64(png(*size)))) - hello(image(b64(png(1, 1)))) == pytest.approx(tokens, abs=1)


def test_no_image_counts_by_the_length_of_its_base64() -> None:
    assert hello(image(BIG)) < 1700
    assert hello({"type": "image", "source": {"type": "url", "url": "https://a.example/a.png"}}) < 1700


def test_an_image_alone_is_not_nothing() -> None:
    assert hello(image(b64(png(1000, 1000)))) > 1300


def test_a_document_counts_by_its_pages() -> None:
    pages = [hello(document(type="base64", data=b64(b"%PDF /Count " + str(n).encode()))) for n in (1, 2, 10)]
    assert pages[1] - pages[0] == (pages[2] - pages[0]) / 9
    assert 1500 <= pages[1] - pages[0] <= 4600
    assert hello(document(type="text", data=PROSE)) == text(PROSE)
    assert hello(document(type="content", content=[{"type": "text", "text": PROSE}])) >= text(PROSE)
    assert hello(document(type="url", url="https://a.example")) == hello(document(type="file", file_id="f"))


def test_media_in_a_tool_s_result_count_the_same() -> None:
    picture = image(b64(png(1000, 600)))
    result = {"type": "tool_result", "tool_use_id": "t", "content": [picture]}
    assert hello(result) == pytest.approx(hello(picture), abs=3)
    assert hello({"type": "tool_result", "tool_use_id": "t"}) < 12


def test_what_the_model_never_reads_does_not_count() -> None:
    thought: Json = {"type": "thinking", "thinking": PROSE, "signature": ""}
    assert hello(thought) == hello({**thought, "signature": BIG}) == pytest.approx(text(PROSE), abs=1)
    assert hello({"type": "redacted_thinking", "data": BIG}) < 12
    found: Json = {"type": "web_search_result", "title": "A", "url": "https://a.example", "page_age": None}
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{**found, "encrypted_content": BIG}]}
    assert hello(result) < 20


def test_a_tool_counts_with_its_schema_and_its_calls_with_their_input() -> None:
    tool = {
        "name": "Bash",
        "description": PROSE,
        "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}},
    }
    assert hello(tools=[tool]) > hello() + 346 + 20
    assert hello(tools=[]) == hello()
    call: Json = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": PROSE}}
    assert hello(call) > text(PROSE)


def test_a_request_has_at_least_one_token() -> None:
    assert estimate({"messages": [{"role": "user", "content": []}]}) >= 1


@pytest.mark.parametrize("name", [name for name in capture.FIRST_PARTY if "quota" not in name])
def test_claude_code_s_requests_have_a_token_for_every_three_or_four_bytes(name: str) -> None:
    captured = capture.load(name)
    size = len(captured.raw) - len(str(captured.body.get("metadata", "")))
    tools = 346 if captured.body.get("tools") else 0
    assert size / 5 <= estimate(captured.body) <= size / 3 + tools + 1600


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=9,
    )
)
def test_no_unknown_block_breaks_the_count(content: Json) -> None:
    assert hello({"type": "something_new", "content": content}) >= 1


def test_half_a_surrogate_pair_does_not_make_the_rest_of_a_call_longer() -> None:
    def call(content: str) -> int:
        return hello({"type": "tool_use", "id": "toolu_1", "name": "Write", "input": {"content": content}})

    assert call("漢" * 3000 + "\ud83d") <= call("漢" * 3000) + 2
