"""The fast reader is held to the exact one: whatever it takes, the other takes for the same value."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccproxy_tray.translate import jsontext, roundtrip
from ccproxy_tray.translate.roundtrip import MAX_DEPTH, UNPROVED, value_of

KEYS = ["a", "b", ":", '\\"', "\\\\", "a\\\\", "\\u0061", "\\u0022", '\\":', "\\u003a", ": ", "", "é", "\\u00e9", ","]
STRINGS = [
    *KEYS,
    '\\":1,\\"a',
    ":1",
    '\\"a\\":',
    "\\/",
    "\\n",
    "\\u000a",
    "\\b",
    "\\u0008",
    "\x7f",
    "\\u001f",
    "\\u001F",
]
STRINGS += [
    "\\ud83d\\ude00",
    "😀",
    "\\ud83d",
    "\\ude00",
    "\\ud83dx",
    "null",
    "[[[",
    "}}}",
    "\\q",
    "\n",
    "\\u12",
    "\u2028",
]
NUMBERS = ["0", "-0", "-0.0", "0.0", "1", "1.0", "1E5", "1e5", "100000.0", "1e400", "-1e400", "1e-400", "1e22", "1e+22"]
NUMBERS += ["5e-324", "0.1", "0.10", "9007199254740993", "9223372036854775808", "18446744073709551615", "1e16", "1e308"]
NUMBERS += [
    "18446744073709551616",
    "100000000000000000000",
    "1e20",
    "-9223372036854775809",
    "01",
    "1.",
    ".5",
    "+1",
    "0x1",
]
OTHERS = ["true", "false", "null", "NaN", "Infinity", "-Infinity", "nul", "", "[", "]", "{", "}", '"', ",", ":", "\x00"]
SPACE = st.sampled_from(["", "", "", "", "", " ", "\n", "\t"])


def quoted(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return inside.map(lambda text: f'"{text}"')


STRING = quoted(st.sampled_from(STRINGS)) | st.text(max_size=6).map(json.dumps)
LEAF = STRING | st.sampled_from(NUMBERS) | st.sampled_from(OTHERS[:3]) | st.integers().map(str) | st.floats().map(repr)
KEY = quoted(st.sampled_from(KEYS))


def within(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.lists(st.builds("{}{}:{}{}".format, KEY, SPACE, SPACE, inner), max_size=4)
    return st.builds("[{}{}]".format, SPACE, st.lists(inner, max_size=4).map(",".join)) | st.builds(
        "{{{}{}}}".format, SPACE, members.map(",".join)
    )


TEXT = st.recursive(LEAF, within, max_leaves=12)
"""JSON in all spellings, compact ones nearly always, with keys given twice nearly always."""
NONSENSE = st.lists(st.sampled_from([*OTHERS, *NUMBERS, '"a"', '"a":1', '{"a":']), max_size=8).map("".join)


def outcome(read: Callable[[], object]) -> str:
    """The value with its types and the order of its keys; or in which words it is refused."""
    try:
        return repr(read())
    except jsontext.JsonError as error:
        return f"refused: {error}"


@settings(max_examples=1500)
@given(TEXT | NONSENSE)
@example('{"a":1,"b":{"a":1,"a":1}}')
@example('{"a":":","a" :1}')
@example('[{"\\u0061":1,"a":2}]')
@example("\ufeff1")
@example('"\ud800"')
def test_every_text_is_read_as_the_exact_reader_reads_it(text: str) -> None:
    for data in (text, text.encode("utf-8", "surrogatepass")):
        for duplicates in (False, True):
            exact = outcome(lambda: jsontext.parse_exactly(data, duplicates=duplicates))  # noqa: B023  called at once
            assert outcome(lambda: jsontext.parse(data, duplicates=duplicates)) == exact  # noqa: B023  likewise


@settings(max_examples=300)
@given(st.binary(max_size=30) | st.binary(max_size=10).map(lambda inside: b'"%b"' % inside))
def test_any_bytes_are_read_as_the_exact_reader_reads_them(data: bytes) -> None:
    exact = outcome(lambda: jsontext.parse_exactly(data, duplicates=False))
    assert outcome(lambda: jsontext.parse(data)) == exact


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.parametrize("size", [0, 10_000])
@pytest.mark.parametrize("value", [[], {}, {"model": "m", "messages": [{"role": "user", "content": ""}]}, 1.5, "x"])
def test_what_a_compact_printer_wrote_is_read_fast(size: int, value: object) -> None:
    document = [value, "x" * size]
    assert value_of(compact(document)) == value_of(compact(document).decode()) == document


@pytest.mark.parametrize(
    "text", ['{"a": 1}', "[1, 2]", '{"a":1,"a":1}', "1.50", "[1e20]", '"\\u0061"', "[1] ", "NaN", ""]
)
def test_what_it_cannot_vouch_for_is_left_to_the_exact_reader(text: str) -> None:
    assert value_of(text) is UNPROVED
    filled = f'["{"x" * 10_000}",{text}]'
    assert value_of(filled) is UNPROVED


@pytest.mark.parametrize("filling", [0, 10_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[1,{"a":', "}]")])
@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1])
def test_exactly_the_bound_of_levels_is_taken(filling: int, opening: str, closing: str, levels: int) -> None:
    inner = f'"{"x" * filling}"'
    half = opening.count("[") + opening.count("{")
    text = (
        opening * (levels // half) + "[" * (levels % half) + inner + "]" * (levels % half) + closing * (levels // half)
    )
    found = outcome(lambda: jsontext.parse(text))
    assert found == outcome(lambda: jsontext.parse_exactly(text, duplicates=False))
    assert found.startswith("refused") == (levels > MAX_DEPTH)
    if filling:
        assert (value_of(text) is UNPROVED) == (levels > MAX_DEPTH)


def test_the_printer_refuses_what_is_deep() -> None:
    assert roundtrip._ROOM > 0, "without a bound of its own, everything large is left to the exact reader"


def test_a_printer_that_never_refuses_proves_nothing_of_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roundtrip, "MAX_DEPTH", 10)  # so that no value is tried that today's printer refuses
    assert roundtrip._room() == 0
