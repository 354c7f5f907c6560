from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from ccproxy_tray.aside import aside
from ccproxy_tray.config.schema import ApiStyle, ProviderConfig, Secret, Variant
from ccproxy_tray.errors import AttemptFailed, Fault
from ccproxy_tray.providers import dialect
from ccproxy_tray.providers.base import Call
from ccproxy_tray.providers.dialect import counted, listed
from ccproxy_tray.providers.table import providers
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.translate import survey, tokens
from ccproxy_tray.translate.messages import parse_request
from tests.translate.sample import frames, sse

ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s"}
KEY = Secret("a-key-of-some-length")
CONFIGS = {
    "bedrock": ProviderConfig("bedrock", ProviderType.BEDROCK, region="us-east-1"),
    "openrouter": ProviderConfig("openrouter", ProviderType.OPENROUTER, "https://openrouter.ai", KEY),
    "chat": ProviderConfig("chat", ProviderType.OPENROUTER, "https://openrouter.ai", KEY, ApiStyle.CHAT),
    "anthropic": ProviderConfig("anthropic", ProviderType.ANTHROPIC, "https://api.anthropic.com", KEY),
    "local": ProviderConfig("local", ProviderType.OPENAI, "http://127.0.0.1:9/v1", KEY),
}
BODY = {"model": "claude-sonnet-4-5", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("limit", "elsewhere"), [(0, True), (10_000, False)])
async def test_every_provider_shapes_a_large_request_beside_the_loop(
    name: str, limit: int, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    async def watched(work: Any, size: int, limit: int) -> Any:
        def noted() -> Any:
            threads.append(threading.get_ident())
            return work()

        return await aside(noted, size, limit)

    monkeypatch.setattr(dialect, "aside", watched)
    monkeypatch.setattr(dialect, "INLINE_SHAPE", limit)
    request = parse_request(json.dumps(BODY).encode(), {})
    call = Call(Target(name, "anthropic.claude-sonnet-4-5", "us-east-1"), request, "req_1")
    provider = providers(CONFIGS, ENVIRON)[name]
    assert b"hi" in (await provider.outgoing(call)).body
    assert (threads != [threading.get_ident()]) is elsewhere
    assert len(threads) == 1


@pytest.mark.parametrize("name", CONFIGS)
async def test_the_loop_looks_at_no_message_of_a_request(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is large is read and shaped in threads; between and behind them, what they found is asked for."""
    call = Call(
        Target(name, "anthropic.claude-sonnet-4-5", "us-east-1"),
        parse_request(json.dumps(BODY | {"stream": True}).encode(), {}),
        "req_1",
    )
    provider = providers(CONFIGS, ENVIRON)[name]
    looks: list[str] = []

    def watched(module: Any, function: str) -> None:
        real = getattr(module, function)

        def noted(message: Any) -> Any:
            looks.append(function)
            return real(message)

        monkeypatch.setattr(module, function, noted)

    watched(survey, "_of_message")
    watched(tokens, "_message")
    assert provider.candidate(Variant(), call.request).skip == ""
    assert looks == []
    await provider.outgoing(call)
    looks.clear()
    provider.codec(call)
    assert looks == []


NAMELESS_MESSAGE = {"type": "message", "role": "assistant", "content": [], "stop_reason": "end_turn", "usage": {}}


@pytest.mark.parametrize("name", ["bedrock", "openrouter", "anthropic"])
def test_an_answer_without_an_id_bears_that_of_its_request(name: str) -> None:
    """Claude Code takes two answers with one id for one; the official SDKs demand that there be one."""
    call = Call(Target(name, "m", "us-east-1"), parse_request(json.dumps(BODY).encode(), {}), "req_17")
    provider = providers(CONFIGS, ENVIRON)[name]
    assert json.loads(provider.reply(call, json.dumps(NAMELESS_MESSAGE).encode()).body)["id"] == "msg_17"
    start = {"type": "message_start", "message": NAMELESS_MESSAGE}
    wire = frames(start) if name == "bedrock" else sse(start)
    assert b'"id":"msg_17"' in provider.codec(call).feed(wire).replace(b": ", b":")


@pytest.mark.parametrize("answer", [{"input_tokens": 7}, {"input_tokens": 0, "more": [1]}])
def test_a_count_is_read(answer: Mapping[str, Any]) -> None:
    assert counted(json.dumps(answer).encode(), "input_tokens") == answer["input_tokens"]


@pytest.mark.parametrize("body", [b"", b"7", b"{}", b'{"input_tokens":true}', b'{"input_tokens":-1}', b"<html>"])
def test_a_count_that_is_none_is_a_broken_answer(body: bytes) -> None:
    with pytest.raises(AttemptFailed) as caught:
        counted(body, "input_tokens")
    assert caught.value.failure.fault is Fault.BROKEN


def test_a_list_of_models_is_read_and_what_is_no_model_left_out() -> None:
    assert listed(b'{"data":[{"id":"a"},{"name":"b"},7,{"id":"c"}]}') == {"a", "c"}


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"data":{}}', b"no json"])
def test_a_list_of_models_that_is_none_is_a_broken_answer(body: bytes) -> None:
    with pytest.raises(AttemptFailed) as caught:
        listed(body)
    assert caught.value.failure.fault is Fault.BROKEN
