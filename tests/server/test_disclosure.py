from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.redact import Redactor
from ccproxy_tray.server.disclosure import Disclosure

SECRET = 'canary "quoted" \\ ümlaut'


def told(document: object, *secrets: str) -> Any:
    return json.loads(Disclosure(Redactor(secrets).known).encode(document))


def test_every_text_is_masked_wherever_it_stands() -> None:
    document = {"a": SECRET, "b": [f"x {SECRET} y", {"c": (SECRET,)}], f"name {SECRET}": None}
    assert told(document, SECRET) == {"a": "***", "b": ["x *** y", {"c": ["***"]}], "name ***": None}


def test_a_name_that_somebody_chose_is_masked_as_well() -> None:
    assert told({"canary-name": {"a": 1}}, "canary-name") == {"***": {"a": 1}}


def test_what_is_no_text_stays_as_it_is() -> None:
    document = {"number": 123456, "decimal": 123456.5, "text": "123456", "none": None, "true": True}
    assert told(document, "123456") == {**document, "text": "***"}


def test_our_own_keys_stay_even_where_a_secret_is_spelled_like_one() -> None:
    assert told({"served": 1, "outcome": "served"}, "served") == {"served": 1, "outcome": "***"}


def test_a_secret_that_was_cut_is_masked_too() -> None:
    assert told({"a": "key sk-canary-0123…", "b": "b"}, "sk-canary-0123456789") == {"a": "key ***…", "b": "b"}


def test_without_secrets_the_document_stays_as_it_is() -> None:
    assert told({"a": [SECRET, 1, None]}) == {"a": [SECRET, 1, None]}


TEXTS = st.text(st.sampled_from('ab"\\ \n\u00fc\u2026,:'), max_size=12)
DOCUMENTS = st.recursive(
    st.none() | st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner)
)


@given(DOCUMENTS, st.text(st.sampled_from('ab"\\\u00fc'), min_size=6, max_size=8))
def test_nothing_told_holds_a_secret_and_everything_told_is_json_on_one_line(document: object, secret: str) -> None:
    encoded = Disclosure(Redactor((secret,)).known).encode(document)
    assert b"\n" not in encoded
    assert not [text for text in texts(json.loads(encoded)) if secret in text]


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        # Keys of letters only are those of our own documents.
        names = [name for name in value if not name.replace("_", "").isalpha() or not name.isascii()]
        return names + [text for each in value.values() for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


EXPOSITION = b"""# HELP requests Ended requests.
requests_total{model="a \\"canary1\\" b",kind="main"} 123456.0
cooling{target="123456"} 1.0
"""


def test_labels_of_metrics_are_masked_and_numbers_are_not() -> None:
    masked = Disclosure(Redactor(("canary1", "123456")).known).exposition(EXPOSITION)
    assert masked == EXPOSITION.replace(b"canary1", b"***").replace(b'"123456"', b'"***"')


@pytest.mark.parametrize("secrets", [(), ("nowhere-else",)])
def test_metrics_without_secrets_stay_as_they_are(secrets: tuple[str, ...]) -> None:
    assert Disclosure(Redactor(secrets).known).exposition(EXPOSITION) == EXPOSITION
