from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.translate.splice import replace_model, with_fields

Json = Any
TEXTS = st.text(max_size=12) | st.sampled_from(["model", '"model":"x"', '{"model":"x"}', "\\", '\\"', "}{][", "a\\\\"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.builds(
    lambda before, model, after: {**before, "model": model, **{k: v for k, v in after.items() if k != "model"}},
    st.dictionaries(TEXTS, VALUES, max_size=4),
    TEXTS,
    st.dictionaries(TEXTS, VALUES, max_size=4),
)
LAYOUTS = st.sampled_from([{"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}, {}])


@given(BODIES, LAYOUTS, TEXTS)
def test_only_the_model_changes_and_it_is_the_request_s_own(body: Json, layout: Json, model: str) -> None:
    raw = json.dumps(body, **layout).encode("utf-8", "surrogatepass")
    spliced = replace_model(raw, model)
    assert json.loads(spliced.decode("utf-8", "surrogatepass")) == {**body, "model": model}
    assert replace_model(spliced, body["model"]) == replace_model(raw, body["model"])


@pytest.mark.parametrize(
    ("raw", "spliced"),
    [
        ('{"model":"a","x":1}', '{"model":"b","x":1}'),
        ('\n{ "model" :\t"a" }', '\n{ "model" :\t"b" }'),
        ('{"x":{"model":"n"},"model":"a"}', '{"x":{"model":"n"},"model":"b"}'),
        ('{"x":"{\\"model\\":\\"n\\"","model":"a"}', '{"x":"{\\"model\\":\\"n\\"","model":"b"}'),
        ('{"x":["model",{"model":"n"}],"model":"a"}', '{"x":["model",{"model":"n"}],"model":"b"}'),
        ('{"model":"q\\"}","x":1}', '{"model":"b","x":1}'),
        ('{"x":"model","mod\\u0065l":"a"}', '{"x":"model","mod\\u0065l":"b"}'),
        ('{"x":{"model":"n"},"mod\\u0065l":"a"}', '{"x":{"model":"n"},"mod\\u0065l":"b"}'),
        ('{"\\"model":"n","model":"a"}', '{"\\"model":"n","model":"b"}'),
        ('{"x":"\\\\","model":"a"}', '{"x":"\\\\","model":"b"}'),
    ],
)
def test_nothing_that_looks_like_the_model_is_taken_for_it(raw: str, spliced: str) -> None:
    assert replace_model(raw.encode(), "b") == spliced.encode()


def test_an_object_without_a_model_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="without a model"):
        replace_model(b'{"x":[{"model":"a"},{"model":"a"}]}', "b")


def test_a_megabyte_of_backslashes_takes_no_time_to_speak_of() -> None:
    text = json.dumps("\\" * 1_000_000)
    raw = f'{{"x":{text},"y":{{"model":"n"}},"model":"a"}}'.encode()
    assert replace_model(raw, "bb") == raw[:-3] + b'bb"}'


def test_fields_are_put_in_front() -> None:
    raw = b' { "model":"a"}'
    assert with_fields(raw, {}) is raw
    assert with_fields(raw, {"x": [1, 2], "y": {}}) == b' {"x":[1,2],"y":{}, "model":"a"}'
