from __future__ import annotations

import contextlib
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.translate.jsontext import JsonError, parse, render
from ccproxy_tray.translate.roundtrip import MAX_DEPTH

TRAILING_COMMA = (
    "Illegal trailing comma before end of object at line 1, column 7"
    if sys.version_info >= (3, 13)
    else "Expecting property name enclosed in double quotes at line 1, column 8"
)


def _values(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )


WITHOUT_FRACTIONS = st.none() | st.booleans() | st.integers() | st.text()
VALUES = _values(WITHOUT_FRACTIONS | st.floats(allow_nan=False, allow_infinity=False))


@settings(max_examples=200)
@given(VALUES)
def test_what_is_printed_parses_to_the_same_value(value: object) -> None:
    assert parse(render(value)) == value


@settings(max_examples=200)
@given(st.binary(max_size=40))
def test_any_bytes_parse_or_are_refused_as_json(data: bytes) -> None:
    with contextlib.suppress(JsonError):
        parse(data)


@settings(max_examples=200)
@given(VALUES)
def test_whatever_the_standard_parser_takes_is_read_alike(value: object) -> None:
    text = json.dumps(value).encode()
    assert parse(text) == json.loads(text)
    assert parse(text, duplicates=True) == json.loads(text)


def test_printing_is_compact_utf8() -> None:
    assert render({"a": [1, 2.5, None], "é": "☃"}) == '{"a":[1,2.5,null],"é":"☃"}'.encode()


@settings(max_examples=300)
@given(_values(WITHOUT_FRACTIONS))
def test_what_has_no_fractions_is_printed_as_the_standard_library_prints_it(value: object) -> None:
    wanted = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert render(value) == render(value, finite=True) == wanted.encode()


@pytest.mark.parametrize("value", [2**63, 2**64, -(2**63) - 1, [10**20], {1: 2}, (1, (2,)), {"a": None}])
def test_what_the_fast_printer_does_not_know_is_printed_all_the_same(value: object) -> None:
    assert render(value) == json.dumps(value, separators=(",", ":")).encode()


def test_half_a_surrogate_pair_survives_as_an_escape() -> None:
    value = parse(b'{"text":"\\ud83d"}')
    assert render(value) == b'{"text":"\\ud83d"}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_numbers_that_json_cannot_say_are_not_printed(value: object) -> None:
    with pytest.raises(JsonError, match="cannot be written"):
        render(value)


def test_a_value_without_end_is_not_printed() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(JsonError, match="cannot be written"):
        render(value)


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Expecting value at line 1, column 1"),
        (b'{"a" 1}', "Expecting ':' delimiter at line 1, column 6"),
        (b'{"a":1,}', TRAILING_COMMA),
        (b'{"a":1}\n x', "Extra data at line 2, column 2"),
        (b'"abc', "Unterminated string starting at line 1, column 1"),
        (b'"a\nb"', "Invalid control character at line 1, column 3"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b'{"a":1e999}', "the number 1e999 is out of range"),
        (b"-1e999", "the number -1e999 is out of range"),
        (b"[" + b"7" * 5000 + b"]", "a number has too many digits"),
        (b'{"a":"\xff"}', "invalid UTF-8 at byte 6"),
        (b'"\xed\xa0\x80"', "invalid UTF-8 at byte 1"),
        ('{"a":1}'.encode("utf-16"), "invalid UTF-8 at byte 0"),
    ],
)
def test_what_is_not_strict_json_is_refused_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(JsonError) as refused:
        parse(data)
    assert str(refused.value) == message


def test_numbers_within_range_keep_their_value() -> None:
    assert parse(b"[1e308, -0.5, 123456789012345678901234567890]") == [1e308, -0.5, 123456789012345678901234567890]


@pytest.mark.parametrize("data", [b'{"model":1,"x":2,"model":3}', b'[{"a":{"y":0,"model":1,"model":1}}]'])
def test_a_key_given_twice_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(JsonError, match='the key "model" occurs twice'):
        parse(data)


def test_a_key_given_twice_may_be_allowed_and_then_the_last_one_wins() -> None:
    assert parse(b'{"a":1,"a":2}', duplicates=True) == {"a": 2}


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_a_hundred_thousand_levels_are_refused_without_a_crash(opening: bytes) -> None:
    with pytest.raises(JsonError, match="nested deeper than 200 levels"):
        parse(opening * 100_000)


def test_nesting_is_allowed_up_to_the_bound_and_refused_beyond_it() -> None:
    value = parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert parse(render(value)) == value
    inner = MAX_DEPTH - 1
    assert len(parse(b"[{}," + b"[" * inner + b"]" * inner + b"]")) == 2
    with pytest.raises(JsonError, match="nested deeper"):
        parse(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    with pytest.raises(JsonError, match="nested deeper"):
        parse(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1))


def test_many_brackets_that_are_not_nested_are_fine() -> None:
    assert len(parse(b"[" + b"[],{}," * 1000 + b"1]")) == 2001
    assert parse(b'"' + b"[" * 1000 + b'"') == "[" * 1000
