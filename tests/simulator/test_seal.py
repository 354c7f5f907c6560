from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.simulator.seal import Seal, fingerprint, judge, mint

BEFORE = fingerprint([{"role": "user", "content": "hi"}])
ELSEWHERE = fingerprint([{"role": "user", "content": "ho"}])


def test_a_signature_is_good_where_it_was_minted() -> None:
    assert judge("bedrock", mint("bedrock", "thought", BEFORE), "thought", BEFORE) is Seal.GOOD


def test_an_omitted_text_is_no_alteration() -> None:
    assert judge("bedrock", mint("bedrock", "thought", BEFORE), "", BEFORE) is Seal.GOOD


def test_another_account_does_not_know_it() -> None:
    assert judge("openrouter", mint("bedrock", "thought", BEFORE), "thought", BEFORE) is Seal.FOREIGN


def test_another_text_is_an_alteration() -> None:
    assert judge("bedrock", mint("bedrock", "thought", BEFORE), "thoughts", BEFORE) is Seal.ALTERED


def test_another_conversation_is_a_move() -> None:
    assert judge("bedrock", mint("bedrock", "thought", BEFORE), "thought", ELSEWHERE) is Seal.MOVED


@given(st.text() | st.binary(max_size=80).map(lambda raw: base64.b64encode(raw).decode()))
def test_made_up_signatures_are_foreign(signature: str) -> None:
    assert judge("bedrock", signature, "thought", BEFORE) is Seal.FOREIGN


def test_cache_marks_and_the_form_of_content_do_not_change_a_conversation() -> None:
    marked = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    assert fingerprint([{"role": "user", "content": [marked]}]) == BEFORE
    plain = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
    listed = {**plain, "content": [{"type": "text", "text": "ok"}]}
    one, two = ([{"role": "user", "content": [block]}] for block in (plain, listed))
    assert fingerprint(one) == fingerprint(two) != BEFORE
