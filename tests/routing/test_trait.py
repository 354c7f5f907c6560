import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.routing.origin import Kind
from ccproxy_tray.routing.trait import MAX_TOKENS, ORDINARY, Purpose, Trait, Word, read_trait


@pytest.mark.parametrize(
    ("text", "trait"),
    [
        ("subagent", Trait(Word.SUBAGENT)),
        ("Sub-Agent", Trait(Word.SUBAGENT)),
        (" BACKGROUND ", Trait(Word.BACKGROUND)),
        ("web_search", Trait(Word.WEB_SEARCH)),
        ("Web Search", Trait(Word.WEB_SEARCH)),
        ("websearch", Trait(Word.WEB_SEARCH)),
        ("long_context: 200000", Trait(Word.LONG_CONTEXT, 200_000)),
        ("Long context:200_000", Trait(Word.LONG_CONTEXT, 200_000)),
        ("long-context : 200k", Trait(Word.LONG_CONTEXT, 200_000)),
        ("longContext: 1", Trait(Word.LONG_CONTEXT, 1)),
        ("long_context: 100000K", Trait(Word.LONG_CONTEXT, MAX_TOKENS)),
    ],
)
def test_the_words_are_read_in_any_spelling(text: str, trait: Trait) -> None:
    assert read_trait(text) == trait


@pytest.mark.parametrize(
    "text", ["", "haiku", "default", "subagents", "claude-background-1", "arn:aws:bedrock:x", "my:subagent", "subagen"]
)
def test_anything_else_is_the_name_of_a_model(text: str) -> None:
    assert read_trait(text) is None


@pytest.mark.parametrize(
    "number",
    [
        "",
        ":",
        ": ",
        ": 0",
        ": -5",
        ": many",
        ": 1.5",
        ": 2m",
        ": 200000 tokens",
        f": {MAX_TOKENS + 1}",
        ": " + "9" * 5000,
    ],
)
def test_a_long_context_needs_a_sensible_number(number: str) -> None:
    with pytest.raises(
        ValueError, match=r'^long_context needs its number of tokens; write model: "long_context: 200000"'
    ):
        read_trait(f"long_context{number}")


@pytest.mark.parametrize("text", ["subagent: 5", "web search:", "background: x"])
def test_the_other_words_take_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="takes no number; write model: "):
        read_trait(text)


TRAITS = st.builds(Trait, st.sampled_from([word for word in Word if word is not Word.LONG_CONTEXT])) | st.builds(
    Trait, st.just(Word.LONG_CONTEXT), st.integers(1, MAX_TOKENS)
)


@given(TRAITS)
def test_a_trait_reads_back_as_it_prints_itself(trait: Trait) -> None:
    assert read_trait(str(trait)) == trait


@given(TRAITS)
def test_an_ordinary_request_has_no_trait(trait: Trait) -> None:
    assert not trait.holds(ORDINARY)


def test_a_web_search_of_claude_code_is_a_background_errand_too() -> None:
    search = Purpose(Kind.BACKGROUND, web_search=True)
    held = [word for word in Word if Trait(word, 1).holds(search)]
    assert held == [Word.BACKGROUND, Word.WEB_SEARCH]


def test_a_context_is_long_from_the_number_on() -> None:
    trait = Trait(Word.LONG_CONTEXT, 1000)
    assert [trait.holds(Purpose(tokens=tokens)) for tokens in (0, 999, 1000, 1001)] == [False, False, True, True]
