"""The places in a JSON text, and what is said about a text that is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.desktop.json_text import BOM, MAX_DEPTH, NotEditable, read
from tests.desktop.claude.generated import settings_texts


def refusal(text: str) -> str:
    with pytest.raises(NotEditable) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  // hi\n  "a": 1\n}', "line 2, column 3: this is a comment, which JSON does not have"),
        ('{"a": 1} /* end */', "line 1, column 10: this is a comment, which JSON does not have"),
        ('{\r\n"a": 1,\r\n}', 'line 3, column 1: the last "," before "}" is one too many'),
        ('{"a": [1, ]}', 'line 1, column 11: the last "," before "]" is one too many'),
        ('{"a": 1', 'line 1, column 8: the text ends too early: a "," or "}" is missing'),
        ("{\r\r", 'line 3, column 1: the text ends too early: a key in double quotation marks or "}" is missing'),
        ('{"a" 1}', 'line 1, column 6: the ":" after a key is missing ("1" stands here)'),
        ("{'a': 1}", 'line 1, column 2: a key in double quotation marks or "}" is missing ("\'" stands here)'),
        ('{"a": }', 'line 1, column 7: a value is missing ("}" stands here)'),
        ('{"a": 1, 2: 3}', 'line 1, column 10: a key in double quotation marks is missing ("2" stands here)'),
        ('{"a": "x\ny"}', "line 1, column 7: this text is not closed on its line, or has a wrong escape"),
        ('{"a": "\\x"}', "line 1, column 7: this text is not closed on its line, or has a wrong escape"),
        ("{} {}", 'line 1, column 4: the text goes on behind its end ("{" stands here)'),
        ("[1 2]", 'line 1, column 4: a "," or "]" is missing ("2" stands here)'),
        ("[,]", 'line 1, column 2: a value or "]" is missing ("," stands here)'),
        ('{"a": NaN}', 'line 1, column 7: a value is missing ("N" stands here)'),
        ('{"a": 01}', 'line 1, column 8: a "," or "}" is missing ("1" stands here)'),
        ('{"a": \x00}', 'line 1, column 7: a value is missing ("\\x00" stands here)'),
        (f"{BOM}x", 'line 1, column 1: a value is missing ("x" stands here)'),
    ],
)
def test_the_first_mistake_is_named_with_its_line_and_column(text: str, said: str) -> None:
    assert refusal(text) == said


def test_no_more_than_one_character_of_the_text_is_told() -> None:
    assert "sk-" not in refusal('{"a": sk-ant-secret}')
    assert "sk-" not in refusal('{"a": "sk-ant-secret}')


def test_nesting_is_bounded_without_a_recursion_error() -> None:
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH).root is not None
    assert refusal('{"a":' * (MAX_DEPTH + 1)).endswith("more than 500 levels are nested here")
    assert f"column {MAX_DEPTH + 1}:" in refusal("[" * 1_000_000)


@pytest.mark.parametrize("text", ["", BOM, " \r\n\t", f"{BOM}\n"])
def test_white_space_is_a_document_without_a_root(text: str) -> None:
    assert read(text).root is None
    assert read(text).spelling(("env",)) is None
    assert read(text).hollow(()) is None


def test_a_key_in_any_spelling_is_found_with_the_spelling_of_its_value() -> None:
    document = read('{"\\u0065nv": {"A" : "a\\/b" , "B":[ 1 ]}, "x": {"y": {"z": 1}}}')
    assert document.spelling(("env", "A")) == '"a\\/b"'
    assert document.spelling(("env", "B")) == "[ 1 ]"
    assert document.spelling(("env", "C")) is None
    assert document.spelling(("env", "B", "C")) is None
    assert document.spelling(("x", "y")) == '{"z": 1}'


def test_the_inside_of_an_empty_object_is_kept() -> None:
    document = read('{"a": { \n}, "b": {"c": 1}, "d": 1}')
    assert [document.hollow((key,)) for key in "abde"] == [" \n", None, None, None]


def test_a_key_that_stands_twice_is_ambiguous() -> None:
    document = read('{"a": 1,\n "a": 2}')
    with pytest.raises(NotEditable, match=r'^line 2, column 2: the key "a" stands twice$'):
        document.value(("a",))


@given(settings_texts())
@settings(max_examples=100, deadline=None)
def test_every_member_lies_where_the_document_says(text: str) -> None:
    document = read(text)
    body = text.removeprefix(BOM)
    if document.root is None:
        assert not body.strip()
        return
    assert text[document.root.start : document.root.end] == body.strip(" \t\r\n")
    members = document.root.members
    assert members is not None
    pairs = json.loads(body, object_pairs_hook=list)
    assert [member.key for member in members] == [key for key, _ in pairs]
    for member in members:
        assert json.loads(text[member.start : member.key_end]) == member.key
        value = text[member.value.start : member.value.end]
        assert value == value.strip()
        assert json.loads(value, object_pairs_hook=list) == pairs[members.index(member)][1]


pieces = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        '"a"',
        '"env"',
        "1",
        "-",
        "1.",
        "e5",
        "true",
        "nul",
        " ",
        "\n",
        "//",
        '"',
        "\\",
        "\x07",
    ]
)


@given(st.lists(pieces, max_size=12).map("".join) | st.text(max_size=12))
@settings(max_examples=300, deadline=None)
def test_what_is_json_is_decided_as_by_python_but_for_infinities(text: str) -> None:
    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        json.loads(text, parse_constant=refuse)
        valid = True
    except ValueError:
        valid = False
    try:
        mine = read(text).root is not None
    except NotEditable:
        mine = False
    if not text.startswith(BOM):
        assert mine is valid
