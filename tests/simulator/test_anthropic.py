from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import pytest

from ccproxy_tray.simulator import API_KEY, Rule, Script, Simulator, When
from ccproxy_tray.simulator.brain import search
from ccproxy_tray.simulator.seal import Binding
from ccproxy_tray.simulator.turn import Redacted, Text, Thinking, Tokens, ToolUse, Turn
from tests.simulator.client import ANTHROPIC, MODEL, OLD_MODEL, SLUG, TOOL, chat, hello, messages, openrouter_chat, send
from tests.strict_sse import check

RICH = Turn((Thinking("I wonder."), Redacted(), Text("Words, words."), ToolUse("Read", {"file_path": "/ä" * 40})))
ADAPTIVE: dict[str, Any] = {"thinking": {"type": "adaptive"}, "tools": [TOOL]}
Json = Any


def client(sim: Simulator, key: str = API_KEY) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(
        api_key=key, base_url=sim.anthropic.url, max_retries=0, _strict_response_validation=True
    )


def rich(sim: Simulator) -> None:
    sim.script = Script((Rule(When(round=0), RICH),))


async def test_the_official_sdk_takes_a_whole_answer_under_strict_validation(sim: Simulator) -> None:
    rich(sim)
    async with client(sim) as sdk:
        said = await sdk.messages.create(**hello(**ADAPTIVE))
    assert [block.type for block in said.content] == ["thinking", "redacted_thinking", "text", "tool_use"]
    assert said.stop_reason == "tool_use"


async def test_the_official_sdk_takes_a_streamed_answer_under_strict_validation(sim: Simulator) -> None:
    rich(sim)
    async with client(sim) as sdk:
        async with sdk.messages.stream(**hello(**ADAPTIVE)) as stream:
            said = await stream.get_final_message()
        whole = await sdk.messages.create(**hello(**ADAPTIVE))
    assert [block.type for block in said.content] == [block.type for block in whole.content]
    assert said.content[3].input == {"file_path": "/ä" * 40}  # type: ignore[union-attr]  # the fourth is the tool call
    assert said.usage.output_tokens == whole.usage.output_tokens


async def test_the_official_sdk_counts_tokens_and_lists_models(sim: Simulator) -> None:
    async with client(sim) as sdk:
        counted = await sdk.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "a" * 40}])
        listed = await sdk.models.list()
        one = await sdk.models.retrieve(MODEL)
    assert counted.input_tokens == 10
    assert one.id in [model.id for model in listed.data]


async def test_a_stream_satisfies_the_strict_validator(sim: Simulator) -> None:
    rich(sim)
    got = await messages(sim, hello(stream=True, **ADAPTIVE))
    assert got.headers["content-type"].startswith("text/event-stream")
    assert check(got.raw)[0] == []
    assert b"event: ping\n" in got.raw


async def test_a_web_search_comes_with_its_result_and_citations(sim: Simulator) -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]
    got = await messages(sim, hello(stream=True, tools=tools))
    problems, said = check(got.raw)
    assert problems == []
    assert said is not None
    assert [block["type"] for block in said["content"]] == ["server_tool_use", "web_search_tool_result", "text"]
    assert said["content"][1]["tool_use_id"] == said["content"][0]["id"]
    assert said["content"][2]["citations"][0]["url"].startswith("https://")


async def test_a_foreign_key_is_refused(sim: Simulator) -> None:
    with pytest.raises(anthropic.AuthenticationError):
        async with client(sim, "sk-ant-other") as sdk:
            await sdk.messages.create(**hello())


@pytest.mark.parametrize("headers", [{"x-api-key": API_KEY}, {"authorization": f"bearer {API_KEY}"}])
async def test_either_credential_header_will_do_but_a_version_is_needed(
    sim: Simulator, headers: dict[str, str]
) -> None:
    url = f"{sim.anthropic.url}/v1/messages?beta=true"
    assert (await send(url, hello(), {**headers, "anthropic-version": "2023-06-01"})).status == 200
    assert (await send(url, hello(), headers)).error == "anthropic-version: header is required"
    assert (await send(url, hello(), {"anthropic-version": "2023-06-01"})).status == 401


async def test_a_clients_own_credential_can_be_let_in(sim: Simulator) -> None:
    sim.anthropic.keys.add("sk-ant-oat-client")
    headers = {"authorization": "Bearer sk-ant-oat-client", "anthropic-version": "2023-06-01"}
    assert (await send(f"{sim.anthropic.url}/v1/messages", hello(), headers)).status == 200


async def test_errors_have_the_envelope_and_the_same_id_as_the_header(sim: Simulator) -> None:
    got = await send(f"{sim.anthropic.url}/v1/nothing", method="GET", headers=ANTHROPIC)
    assert got.status == 404
    assert got.json["type"] == "error"
    assert got.json["request_id"] == got.headers["request-id"]


async def test_an_unknown_beta_is_named(sim: Simulator) -> None:
    got = await messages(sim, hello(), {"anthropic-beta": "claude-code-20250219, made-up-2026-01-01"})
    assert got.status == 400
    assert got.error.startswith("Unexpected value(s) `made-up-2026-01-01` for the `anthropic-beta` header")


async def test_an_unknown_model_is_not_found(sim: Simulator) -> None:
    got = await messages(sim, hello("gpt-9"))
    assert (got.status, got.error) == (404, "model: gpt-9")
    got = await send(f"{sim.anthropic.url}/v1/models/gpt-9", method="GET", headers=ANTHROPIC)
    assert got.status == 404


@pytest.mark.parametrize("raw", [b"{", b"", b"[]", b'"x"'])
async def test_a_body_that_is_no_object_is_refused(sim: Simulator, raw: bytes) -> None:
    assert (await messages(sim, raw)).status == 400
    url = f"{sim.anthropic.url}/v1/messages/count_tokens"
    assert (await send(url, raw, ANTHROPIC)).status == 400


async def test_counting_does_not_take_what_only_an_answer_needs(sim: Simulator) -> None:
    url = f"{sim.anthropic.url}/v1/messages/count_tokens"
    assert (await send(url, hello(), ANTHROPIC)).error == "max_tokens: Extra inputs are not permitted"


async def test_the_newest_version_of_the_api_takes_no_sampling(sim: Simulator) -> None:
    old, new = ({"anthropic-version": version} for version in ("2023-06-01", "2026-10-21"))
    body = hello(OLD_MODEL, temperature=0.5)
    assert (await messages(sim, body, old)).status == 200
    assert (await messages(sim, body, new)).error == "temperature: Extra inputs are not permitted"


async def two_turns(sim: Simulator, said: list[Json], model: str = MODEL) -> Any:
    history = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": said},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": said[-1]["id"], "content": "ok"}]},
    ]
    return await messages(sim, hello(model, messages=history, **ADAPTIVE))


async def test_signed_thinking_makes_the_round_trip(sim: Simulator) -> None:
    rich(sim)
    said = (await messages(sim, hello(**ADAPTIVE))).json["content"]
    assert (await two_turns(sim, said)).status == 200


async def test_thinking_that_was_altered_is_refused(sim: Simulator) -> None:
    rich(sim)
    said = (await messages(sim, hello(**ADAPTIVE))).json["content"]
    said[0]["thinking"] += "!"
    got = await two_turns(sim, said)
    assert got.error.startswith("messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest")
    assert "cannot be modified" in got.error


async def test_thinking_of_another_account_is_refused(sim: Simulator) -> None:
    rich(sim)
    said = (await messages(sim, hello(**ADAPTIVE))).json["content"]
    sim.anthropic.account.name = "another"
    got = await two_turns(sim, said)
    assert got.error == "messages.1.content.0: Invalid `signature` in `thinking` block"
    got = await two_turns(sim, said[1:])
    assert got.error == "messages.1.content.0: Invalid `data` in `redacted_thinking` block"
    assert (await two_turns(sim, said[2:])).status == 200


async def test_thinking_can_be_held_to_its_conversation_or_not_at_all(sim: Simulator) -> None:
    rich(sim)
    said = (await messages(sim, hello(**ADAPTIVE, messages=[{"role": "user", "content": "other"}]))).json["content"]
    assert "bound to a different conversation" in (await two_turns(sim, said)).error
    sim.anthropic.account.binding = Binding.ACCOUNT
    assert (await two_turns(sim, said)).status == 200
    sim.anthropic.account.binding = Binding.CONVERSATION
    assert "bound to a different conversation" in (await two_turns(sim, said)).error
    sim.anthropic.account.binding = Binding.OFF
    said[0]["signature"] = "nonsense"
    assert (await two_turns(sim, said)).status == 200


async def test_older_models_do_not_mind_where_their_thinking_stands(sim: Simulator) -> None:
    rich(sim)
    body = hello("claude-opus-4-6", messages=[{"role": "user", "content": "other"}], **ADAPTIVE)
    said = (await messages(sim, body)).json["content"]
    assert (await two_turns(sim, said, "claude-opus-4-6")).status == 200


async def test_omitted_thinking_has_only_a_signature_and_is_taken_back(sim: Simulator) -> None:
    rich(sim)
    omitted: dict[str, Any] = {"thinking": {"type": "adaptive", "display": "omitted"}, "tools": [TOOL]}
    said = (await messages(sim, hello(**omitted))).json["content"]
    assert said[0]["thinking"] == ""
    streamed = await messages(sim, hello(stream=True, **omitted))
    assert b"thinking_delta" not in streamed.raw
    assert b"signature_delta" in streamed.raw
    assert (await two_turns(sim, said)).status == 200


async def test_what_was_served_adds_up(sim: Simulator) -> None:
    usages = [(await messages(sim, hello())).json["usage"] for _ in range(3)]
    assert sim.anthropic.served == Tokens(
        input=sum(usage["input_tokens"] for usage in usages), output=sum(usage["output_tokens"] for usage in usages)
    )
    assert sim.served == sim.anthropic.served
    assert [record.tokens is not None for record in sim.anthropic.answers] == [True] * 3


async def test_a_search_counts_in_the_usage(sim: Simulator) -> None:
    sim.anthropic.script = lambda ask: search(ask.prompt)
    assert (await messages(sim, hello())).json["usage"]["server_tool_use"]["web_search_requests"] == 1


async def test_every_upstream_has_its_own_brain_or_the_common_one(sim: Simulator) -> None:
    sim.script = lambda _: Turn((Text("common"),))
    sim.openrouter.script = lambda _: Turn((Text("own"),))
    assert (await messages(sim, hello())).json["content"][0]["text"] == "common"
    said = (await openrouter_chat(sim, chat(SLUG))).json["choices"][0]["message"]["content"]
    assert said == "own"


async def test_many_requests_at_once_are_all_served(sim: Simulator) -> None:
    answers = await asyncio.gather(*(messages(sim, hello(stream=True)) for _ in range(25)))
    assert all(check(got.raw)[0] == [] for got in answers)
    assert len({got.headers["request-id"] for got in answers}) == 25
