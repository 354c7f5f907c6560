import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.translate import jsontext, longtext
from ccproxy_tray.translate.longtext import LARGE, LONG, parse

PLAIN = "0123456789abcdef/+" * (LONG // 16)
PADDING = " " * LARGE


def outcome(data: bytes, read: object) -> object:
    """What comes of reading: the value, or that it is refused."""
    try:
        return read(data)  # type: ignore[operator] # one of two functions of the same shape
    except jsontext.JsonError:
        return "refused"


def check(text: str | bytes) -> None:
    """Both readers agree, on the text as it is and padded beyond the size from which strings are cut out."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    for whole in (data, data + PADDING.encode(), PADDING.encode() + data):
        assert outcome(whole, parse) == outcome(whole, jsontext.parse)


def cuts(data: bytes) -> int:
    """How many strings are cut out of a body."""
    return sum(longtext._plain(data, *stretch) is not None for stretch in longtext._stretches(data))


LONG_TEXTS = st.builds(
    lambda times, extra: PLAIN[:1000] * times + extra,
    st.integers(min_value=LONG // 1000 - 1, max_value=LONG // 300),
    st.sampled_from(["", "x", "=", "\n", '"', "\\", "é", "日", "\U0001f600", "\x7f", "@cut", "@cut0@", ":", "]"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["@cut", "@cut@0@"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@given(VALUES, st.lists(LONG_TEXTS, min_size=1, max_size=4), st.booleans(), st.sampled_from([None, 1]))
@settings(max_examples=25, deadline=None)
def test_a_large_body_means_what_it_means_in_one_piece(
    value: object, texts: list[str], ascii_only: bool, indent: int | None
) -> None:
    body = {"value": value, "texts": texts, "nested": [{"data": text} for text in texts], "last": PLAIN * 2}
    data = json.dumps(body, ensure_ascii=ascii_only, indent=indent).encode() + PADDING.encode()
    assert parse(data) == body
    assert cuts(data) > 0


DAMAGED = json.dumps({"a": [PLAIN * 2, "b"], "c": PLAIN * 2, "d": 1}).encode() + PADDING.encode()
QUOTES = [match.start() for match in re.finditer(b'"', DAMAGED)]
NOISE = [b"", b'"', b"\\", b":", b",", b"]", b" ", b"x", b'\\"', b'"x"', b"\x00", b"\xff"]


@given(st.sampled_from(QUOTES), st.integers(-2, 2), st.sampled_from(NOISE), st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_damage_is_refused_exactly_when_it_is_in_one_piece(quote: int, shift: int, noise: bytes, lost: int) -> None:
    position = quote + shift
    damaged = DAMAGED[:position] + noise + DAMAGED[position + lost :]
    assert outcome(damaged, parse) == outcome(damaged, jsontext.parse)


@pytest.mark.parametrize(
    "text",
    [
        f'"{PLAIN}"',
        f'["{PLAIN}"]',
        f'[ "{PLAIN}" , "{PLAIN}"]',
        f'{{"{PLAIN}": 1}}',
        f'{{"{PLAIN}"  : 1}}',
        f'{{"{PLAIN}" \n: 1, "x": "{PLAIN}"}}',
        f'{{"a": 1, "{PLAIN}": "{PLAIN}"}}',
        f'{{"a": 1, "{PLAIN}" \n: 2}}',
        f'["\\"{PLAIN}"]',
        f'["a:\\"{PLAIN}\\""]',
        f'["a, \\\\"{PLAIN}"]',
        f'["a:"{PLAIN}"]',
        f'["a:" "{PLAIN}"]',
        f'["a"{PLAIN}"b"]',
        f'["{PLAIN}\\n"]',
        f'["{PLAIN}\n"]',
        f'["{PLAIN}é"]',
        f'["{PLAIN}\ud800"]',
        f'["{PLAIN}", "@cut0@", "@cut@@0@"]',
        f'["{PLAIN}", NaN]',
        f'{{"a": "{PLAIN}", "a": "{PLAIN}"}}',
        f'["{PLAIN}',
        f'[{PLAIN}"]',
        '["x", ' + "0," * LONG + ' "y"]',
        '["x:", ' + "0," * LONG + ' "y"]',
        '["x:"' + " " * LONG * 2 + ', "y"]',
        '["x,"' + "]" * LONG * 2 + '"y"]',
        '["x",' + "9" * 2 * LONG + ',"y"]',
        "[" * 1000 + f'"{PLAIN}"' + "]" * 1000,
        f'[["{PLAIN}"], {{"a": ["{PLAIN}", 1, true, null]}}]',
    ],
    ids=lambda text: text[:20],
)
def test_odd_texts_are_read_alike(text: str) -> None:
    check(text)


def test_long_strings_are_cut_wherever_a_value_may_stand() -> None:
    assert cuts(f'{{"a":"{PLAIN}","b": ["{PLAIN}",\n"{PLAIN}"]}}'.encode()) == 3


def test_bytes_that_are_no_text_are_refused_alike() -> None:
    check(b'["' + PLAIN.encode() + b'\xff"]')
    check(b'["' + PLAIN.encode() + b'", "\xff"]')


def test_a_small_body_is_parsed_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longtext, "_stretches", None)
    assert parse(json.dumps([PLAIN]).encode()) == [PLAIN]


def test_no_part_of_a_large_body_is_parsed_in_one_long_step(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    one_piece = jsontext.parse

    def watched(data: bytes) -> object:
        sizes.append(len(data))
        return one_piece(data)

    monkeypatch.setattr(jsontext, "parse", watched)
    text = PLAIN * 40
    assert parse(json.dumps({"a": text, "b": [{"c": text}]}).encode()) == {"a": text, "b": [{"c": text}]}
    assert sum(sizes) < 100
