"""What one maker's servers insist on: they say so once, in their own words, and get it from then on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.faultd import Script
from tests.faults.stage import staged
from tests.faults.test_status import said
from tests.faults.wire import BEDROCK, CHAT, MESSAGES, WIRES, Wire, chat_chunk, compact, data, status, streamed

Json = Any
PLACE = {"type": "string", "enum": ["a", "b"]}
ASK: dict[str, Json] = {
    "messages": [
        {"role": "user", "content": "read a"},
        {"role": "system", "content": "Be quick."},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_0123456789", "name": "Read", "input": {"path": "a"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_0123456789", "content": "A"}]},
        {"role": "assistant", "content": "It says A."},
        {"role": "user", "content": "and b?"},
    ],
    "tools": [
        {
            "name": "Read",
            "input_schema": {
                "type": "object",
                "properties": {"path": {"$ref": "#/$defs/Place"}, "limit": {"type": "integer", "exclusiveMinimum": 0}},
                "anyOf": [{"required": ["path"]}, {"required": ["limit"]}],
                "$defs": {"Place": PLACE},
            },
        }
    ],
}
FORMAT = {"type": "json_schema", "schema": {"type": "object", "properties": {"note": {"type": "string"}}}}
PLAIN = {"type": "object", "properties": {"path": PLACE, "limit": {"type": "integer"}}}


def refusal(message: str, kind: str = "invalid_request_error", code: int = 400, **more: str) -> Script:
    """As OpenAI's kind of server says it."""
    return status(code, compact({"error": {"message": message, "type": kind, "code": None, **more}}))


def turns(body: Json, role: str) -> list[Json]:
    """The messages of one speaker."""
    return [message for message in body["messages"] if message["role"] == role]


def thinks_in_every_turn(body: Json) -> bool:
    return all(turn.get("reasoning_content") for turn in turns(body, "assistant"))


def seals_its_calls(body: Json) -> bool:
    calls = [call for turn in turns(body, "assistant") for call in turn.get("tool_calls", [])]
    return all(call.get("extra_content", {}).get("google", {}).get("thought_signature") for call in calls)


def has_short_ids(body: Json) -> bool:
    [call] = [call for turn in turns(body, "assistant") for call in turn.get("tool_calls", [])]
    [answer] = turns(body, "tool")
    ident: str = call["id"]
    return len(ident) == 9 and ident.isalnum() and answer["tool_call_id"] == ident


def does_without_effort(body: Json) -> bool:
    return bool(body.get("reasoning_effort") == "none")


def has_plain_schemas(body: Json) -> bool:
    return bool(body["tools"][0]["function"]["parameters"] == PLAIN)


def has_no_stops(body: Json) -> bool:
    return "stop" not in body


def promises_no_format(body: Json) -> bool:
    return body["response_format"]["json_schema"]["strict"] is False


def does_not_think(body: Json) -> bool:
    return "thinking" not in body


def begins_every_turn_with_thinking(body: Json) -> bool:
    return all(turn["content"][0]["type"] == "thinking" for turn in turns(body, "assistant"))


def has_plain_inputs(body: Json) -> bool:
    return bool(body["tools"][0]["input_schema"] == PLAIN)


def has_no_system_messages(body: Json) -> bool:
    return turns(body, "system") == []


CASES: tuple[tuple[str, Wire, Script, Callable[[Json], bool]], ...] = (
    (
        "Moonshot",
        CHAT,
        refusal("thinking is enabled but reasoning_content is missing in assistant tool call message at index 2"),
        thinks_in_every_turn,
    ),
    (
        "DeepSeek",
        CHAT,
        refusal("The `reasoning_content` in the thinking mode must be passed back to the API."),
        thinks_in_every_turn,
    ),
    (
        "MiMo",
        CHAT,
        refusal("Param Incorrect", param="The reasoning_content in the thinking mode must be passed back to the API."),
        thinks_in_every_turn,
    ),
    (
        "MiMo, framed as an event",
        CHAT,
        status(
            400,
            b'data:{"error":{"code":"400","message":"Param Incorrect","param":"The reasoning_content in the thinking '
            b'mode must be passed back to the API.","type":""}}\n\n',
        ),
        thinks_in_every_turn,
    ),
    (
        "Gemini",
        CHAT,
        status(
            400,
            compact(
                [
                    {
                        "error": {
                            "code": 400,
                            "message": "Function call is missing a thought_signature in functionCall parts. This is"
                            " required for tools to work correctly. Additional data, function call `default_api:Read` ,"
                            " position 2.",
                            "status": "INVALID_ARGUMENT",
                        }
                    }
                ]
            ),
        ),
        seals_its_calls,
    ),
    (
        "Mistral",
        CHAT,
        status(
            400,
            compact(
                {
                    "object": "error",
                    "message": "Tool call id was toolu_0123456789 but must be a-z, A-Z, 0-9, with a length of 9.",
                    "type": "invalid_function_call",
                    "code": "3280",
                }
            ),
        ),
        has_short_ids,
    ),
    (
        "OpenAI",
        CHAT,
        refusal(
            "Function tools with reasoning_effort are not supported for gpt-5.6-terra in /v1/chat/completions. To use"
            " function tools, use /v1/responses or set reasoning_effort to 'none'.",
            param="reasoning_effort",
        ),
        does_without_effort,
    ),
    (
        "OpenAI, by its code",
        CHAT,
        status(
            400,
            compact(
                {
                    "error": {
                        "message": "Invalid schema for function 'Read': schema must have type 'object' and not have"
                        " 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level.",
                        "type": "invalid_request_error",
                        "param": "tools[0].function.parameters",
                        "code": "invalid_function_parameters",
                    }
                }
            ),
        ),
        has_plain_schemas,
    ),
    (
        "Moonshot's schemas",
        CHAT,
        refusal(
            "tools.function.parameters is not a valid moonshot flavored json schema, details: <At path 'root': when"
            " using anyOf, type should be defined in anyOf items instead of the parent schema>"
        ),
        has_plain_schemas,
    ),
    (
        "Gemini's schemas",
        CHAT,
        refusal(
            'Invalid JSON payload received. Unknown name "exclusiveMinimum" at'
            " 'tools[0].function_declarations[0].parameters.properties[1].value': Cannot find field."
        ),
        has_plain_schemas,
    ),
    (
        "xAI",
        CHAT,
        status(
            400,
            compact(
                {
                    "code": "Client specified an invalid argument",
                    "error": "Argument not supported on this model: stop",
                }
            ),
        ),
        has_no_stops,
    ),
    (
        "OpenAI's formats",
        CHAT,
        refusal(
            "Invalid schema for response_format 'output': In context=(), 'required' is required to be supplied and to"
            " be an array including every key in properties. Missing 'note'."
        ),
        promises_no_format,
    ),
    (
        "DashScope's Messages",
        MESSAGES,
        refusal(
            "event:error\ndata:{\"message\":\"Only 'enabled' and 'disabled' are supported for thinking; 'adaptive' is"
            ' not supported."}\n\n'
        ),
        does_not_think,
    ),
    ("Ollama's Messages", MESSAGES, refusal('"qwen3-coder:30b" does not support thinking'), does_not_think),
    (
        "DeepSeek's Messages",
        MESSAGES,
        refusal("The `content[].thinking` in the thinking mode must be passed back to the API."),
        begins_every_turn_with_thinking,
    ),
    (
        "Moonshot's Messages",
        MESSAGES,
        refusal("thinking is enabled but reasoning_content is missing in assistant tool call message at index 2"),
        begins_every_turn_with_thinking,
    ),
    (
        "Anthropic's schemas",
        MESSAGES,
        refusal("tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"),
        has_plain_inputs,
    ),
    (
        "DeepSeek's roles",
        MESSAGES,
        refusal(
            "Failed to deserialize the JSON body into the target type: messages[1].role: unknown variant `system`,"
            " expected `user` or `assistant` at line 1 column 79"
        ),
        has_no_system_messages,
    ),
    (
        "Zhipu's roles",
        MESSAGES,
        refusal("messages[1].role must be either 'user' or 'assistant', but got 'system'"),
        has_no_system_messages,
    ),
)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("wire", "script", "is_met"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_what_a_server_insists_on_is_supplied_once_it_has_said_so(
    tmp_path: Path, wire: Wire, script: Script, is_met: Callable[[Json], bool], stream: bool
) -> None:
    more = {"stop_sequences": ["END"], "thinking": {"type": "adaptive"}, "output_config": {"format": FORMAT}}
    ask = {**ASK, **more, "stream": stream}
    async with staged(tmp_path, wire, alone=True) as stage:
        stage.primary.play(script)
        assert (await stage.ask(**ask)).status == 200
        await stage.expect(primary=2, backup=0, story=["primary field refused", "primary ok"])
        assert (await stage.ask(**ask)).status == 200
        await stage.expect(primary=3, backup=0, story=["primary ok"])
        assert [is_met(call.json) for call in stage.primary.calls] == [False, True, True]


LESSONS = {
    "a field": (MESSAGES, "thinking: Extra inputs are not permitted", {"thinking": {"type": "adaptive"}}),
    "a beta": (MESSAGES, "invalid beta flag", {"headers": {"anthropic-beta": "context-1m-2025-08-07"}}),
    "a need": (CHAT, "Invalid schema for response_format 'output': no", {"output_config": {"format": FORMAT}}),
    "a limit": (CHAT, "max_tokens must be less than or equal to 256", {"max_tokens": 30_000}),
    "a window": (CHAT, "This model's maximum context length is 2000 tokens and your request has 10 input tokens.", {}),
}


@pytest.mark.parametrize(("wire", "message", "more"), LESSONS.values(), ids=LESSONS.keys())
async def test_no_refusal_changes_later_requests_for_ever(
    tmp_path: Path, wire: Wire, message: str, more: dict[str, Any]
) -> None:
    """It may have meant one odd request, or not have been true."""
    ask: dict[str, Any] = {"max_tokens": 9_000, **more}
    async with staged(tmp_path, wire, alone=True) as stage:
        stage.primary.play(refusal(message))
        await stage.ask(**ask)
        stage.clock.advance(3599.0)
        await stage.ask(**ask)
        stage.clock.advance(1.0)
        await stage.ask(**ask)
        await stage.expect(primary=4, backup=0, story=["primary ok"])
        asked = [(call.json, call.headers.get("anthropic-beta")) for call in stage.primary.calls]
        assert asked[1] == asked[2] != asked[0] == asked[3]


async def test_a_tool_whose_schema_is_made_plain_promises_nothing_any_more(tmp_path: Path) -> None:
    """One tool of one session must not have every strict tool refused that comes after it."""
    refused = "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
    strict = {"name": "Note", "strict": True, "input_schema": {"type": "object", "additionalProperties": False}}
    async with staged(tmp_path, MESSAGES, alone=True) as stage:
        stage.primary.play(refusal(refused))
        assert (await stage.ask(**{**ASK, "tools": [*ASK["tools"], strict]})).status == 200
        await stage.expect(primary=2, backup=0, story=["primary field refused", "primary ok"])
        note = stage.primary.last.json["tools"][1]
        assert note == {"name": "Note", "input_schema": {"type": "object", "properties": {}}}


CLEAR_THINKING = {"type": "clear_thinking_20251015", "keep": "all"}
CLEAR_TOOLS = {"type": "clear_tool_uses_20250919"}


@pytest.mark.parametrize(
    ("refused", "kind", "other"),
    [
        (
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"',
            "enabled",
            "adaptive",
        ),
        (
            "Only 'enabled' and 'disabled' are supported for thinking; 'adaptive' is not supported.",
            "adaptive",
            "enabled",
        ),
    ],
)
async def test_one_kind_of_thinking_that_is_refused_leaves_the_other_to_those_who_ask_for_it(
    tmp_path: Path, refused: str, kind: str, other: str
) -> None:
    edits: Json = {"context_management": {"edits": [CLEAR_THINKING]}}
    thinking = {"enabled": {"type": "enabled", "budget_tokens": 2000}, "adaptive": {"type": "adaptive"}}
    async with staged(tmp_path, MESSAGES, alone=True) as stage:
        stage.primary.play(refusal(refused))
        assert (await stage.ask(thinking=thinking[kind], max_tokens=4000, **edits)).status == 200
        await stage.expect(primary=2, backup=0, story=["primary field refused", "primary ok"])
        assert (await stage.ask(thinking=thinking[other], max_tokens=4000, **edits)).status == 200
        await stage.expect(primary=3, backup=0, story=["primary ok"])
        _, without, with_other = [call.json for call in stage.primary.calls]
        assert not {"thinking", "context_management"} & without.keys()
        assert (with_other["thinking"], with_other["context_management"]) == (
            thinking[other],
            {"edits": [CLEAR_THINKING]},
        )


async def test_thinking_is_cleared_where_there_is_some_though_a_request_without_any_was_refused_for_it(
    tmp_path: Path,
) -> None:
    both: Json = {"context_management": {"edits": [CLEAR_THINKING, CLEAR_TOOLS]}}
    async with staged(tmp_path, MESSAGES, alone=True) as stage:
        stage.primary.play(refusal("`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive"))
        assert (await stage.ask(**both)).status == 200
        await stage.expect(primary=2, backup=0, story=["primary field refused", "primary ok"])
        for kind in ("disabled", "adaptive"):
            assert (await stage.ask(thinking={"type": kind}, **both)).status == 200
        await stage.expect(primary=4, backup=0, story=["primary ok"])
        found = [call.json["context_management"]["edits"] for call in stage.primary.calls]
        everything = [CLEAR_THINKING, CLEAR_TOOLS]
        assert found == [everything, [CLEAR_TOOLS], [CLEAR_TOOLS], everything]


LIMITS: tuple[tuple[str, Wire, Script, int], ...] = (
    (
        "OpenAI",
        CHAT,
        refusal(
            "max_tokens is too large: 32000. This model supports at most 16384 completion tokens, whereas you provided"
            " 32000.",
            code=400,
        ),
        16384,
    ),
    ("DeepSeek", CHAT, refusal("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"), 8192),
    (
        "DashScope",
        CHAT,
        refusal("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]"),
        8192,
    ),
    (
        "Groq",
        CHAT,
        refusal("`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than"),
        8192,
    ),
    (
        "Volcengine",
        CHAT,
        refusal(
            "The parameter `max_tokens` specified in the request are not valid: integer above maximum value, expected"
            " a value <= 12288, but got 32000 instead."
        ),
        12288,
    ),
    (
        "Volcengine's Messages",
        MESSAGES,
        refusal(
            "The parameter max_tokens specified in the request is not valid: integer above maximum value, expected a"
            " value <= 32768, but got 64000 instead."
        ),
        32768,
    ),
    (
        "Bedrock",
        BEDROCK,
        status(
            400,
            compact(
                {
                    "message": "The maximum tokens you requested exceeds the model limit of 8192. Try again with a"
                    " maximum tokens value that is lower than 8192."
                }
            ),
            more={"x-amzn-errortype": "ValidationException"},
        ),
        8192,
    ),
)


@pytest.mark.parametrize(("wire", "script", "most"), [case[1:] for case in LIMITS], ids=[case[0] for case in LIMITS])
async def test_an_answer_is_asked_no_longer_than_its_server_can_give(
    tmp_path: Path, wire: Wire, script: Script, most: int
) -> None:
    thinking = {"type": "enabled", "budget_tokens": 40_000}
    async with staged(tmp_path, wire, alone=True) as stage:
        stage.primary.play(script)
        assert (await stage.ask(max_tokens=64_000, thinking=thinking)).status == 200
        await stage.expect(primary=2, backup=0, story=["primary field refused", "primary ok"])
        assert (await stage.ask(max_tokens=1_000)).status == 200
        await stage.expect(primary=3, backup=0, story=["primary ok"])
        asked = [call.json for call in stage.primary.calls]
        assert [body["max_tokens"] for body in asked[1:]] == [most, 1_000]
        assert asked[1].get("thinking", {}).get("budget_tokens", 0) < most


WINDOW = "maximum context length is 32768 tokens"
SHORTER = "Please reduce the length of the messages or completion."
CROWDED = {
    "vLLM": f"'max_tokens' is too large: 32000. This model's {WINDOW} and your request has 20000 input tokens.",
    "vLLM, later": f"This model's {WINDOW}. However, you requested 32000 output tokens and your prompt contains at"
    " least 20000 input tokens, for a total of at least 52000 tokens.",
    "OpenAI": f"This model's {WINDOW}. However, you requested 52000 tokens (20000 in the messages, 32000 in the"
    f" completion). {SHORTER}",
    "OpenRouter": f"This endpoint's {WINDOW}. However, you requested about 52000 tokens (15000 of text input, 5000 of"
    " tool input, 32000 in the output). Please reduce the length of either one.",
    "TGI": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 32768. Given: 20000 `inputs` tokens"
    " and 32000 `max_new_tokens`",
}


@pytest.mark.parametrize(("wire", "asked"), [(CHAT, 32_000), (MESSAGES, 64_000)], ids=["chat", "messages"])
@pytest.mark.parametrize("message", CROWDED.values(), ids=CROWDED.keys())
async def test_an_answer_is_asked_no_longer_than_fits_beside_the_request(
    tmp_path: Path, message: str, wire: Wire, asked: int
) -> None:
    """Claude Code reads "Prompt is too long" out of each of these, and gives up."""
    async with staged(tmp_path, wire, alone=True) as stage:
        stage.primary.play(refusal(message))
        assert (await stage.ask(**ASK, max_tokens=64_000)).status == 200
        await stage.expect(primary=2, backup=0, story=["primary field refused", "primary ok"])
        assert (await stage.ask(max_tokens=1_000)).status == 200
        await stage.expect(primary=3, backup=0, story=["primary ok"])
        first, second, third = [call.json["max_tokens"] for call in stage.primary.calls]
        assert (first, third) == (asked, 1_000)
        assert 8_192 < second < 16_384


async def test_a_request_that_a_shorter_answer_does_not_help_is_refused_as_ever(tmp_path: Path) -> None:
    """The next target would only say the same, and Claude Code has the conversation compacted."""
    async with staged(tmp_path, CHAT) as stage:
        stage.primary.play(refusal(CROWDED["OpenAI"]), refusal(CROWDED["OpenAI"]))
        refused = await stage.ask(max_tokens=500)
        assert (refused.status, refused.error["message"]) == (400, CROWDED["OpenAI"])
        await stage.expect(primary=2, backup=0, story=["primary field refused", "primary field refused"])


async def test_a_request_that_leaves_no_room_for_an_answer_is_refused_as_ever(tmp_path: Path) -> None:
    message = (
        f"This model's {WINDOW}. However, you requested 64000 tokens (32000 in the messages, 32000 in the completion)."
        f" {SHORTER}"
    )
    async with staged(tmp_path, CHAT) as stage:
        stage.primary.play(refusal(message))
        refused = await stage.ask()
        assert (refused.status, refused.error["message"]) == (400, message)
        await stage.expect(primary=1, backup=0, story=["primary refused"])


@pytest.mark.parametrize(
    "message",
    [
        "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length 142.",
        "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
        "Unexpected role 'user' after role 'tool'",
    ],
)
async def test_a_rule_that_nobody_can_keep_for_the_client_leaves_the_request_to_the_next(
    tmp_path: Path, message: str
) -> None:
    async with staged(tmp_path, CHAT) as stage:
        stage.primary.play(refusal(message))
        assert (await stage.ask(**ASK)).message()["id"].startswith("msg_backup")
        await stage.expect(primary=1, backup=1, story=["primary field refused", "backup ok"])


@pytest.mark.parametrize("wire", [CHAT, MESSAGES], ids=lambda wire: wire.name)
@pytest.mark.parametrize(
    "message",
    [
        "No endpoints found that support the provided 'tool_choice' value.",
        "No endpoints found that can handle the requested parameters.",
    ],
)
async def test_a_model_is_not_left_alone_for_an_hour_because_one_request_asked_too_much_of_it(
    tmp_path: Path, message: str, wire: Wire
) -> None:
    """OpenRouter says it with the status of a model that it does not have."""
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(refusal(message, "not_found_error", 404))
        forced = {**ASK, "tool_choice": {"type": "tool", "name": "Read"}}
        assert (await stage.ask(**forced)).message()["id"].startswith("msg_backup")
        await stage.expect(primary=1, backup=1, story=["primary field refused", "backup ok"])
        assert (await stage.ask(**ASK)).status == 200
        await stage.expect(primary=2, backup=1, story=["primary ok"])


@pytest.mark.parametrize(("code", "kind"), [(404, "not_found_error"), (403, "permission_error")])
async def test_a_file_that_an_account_does_not_hold_takes_no_model_out_of_service(
    tmp_path: Path, code: int, kind: str
) -> None:
    """It lies with the account that it was given to: the next may be that one."""
    ident = "file_011CNha8iCJcU1wXNR6q4V8w"
    document = {"type": "document", "source": {"type": "file", "file_id": ident}}
    async with staged(tmp_path, MESSAGES) as stage:
        stage.primary.play(refusal(f"File not found: {ident}", kind, code))
        asked = await stage.ask(messages=[{"role": "user", "content": [document]}])
        assert asked.message()["id"].startswith("msg_backup")
        await stage.expect(primary=1, backup=1, story=["primary field refused", "backup ok"])
        assert (await stage.ask()).status == 200
        await stage.expect(primary=2, backup=1, story=["primary ok"])


async def test_a_plan_without_long_context_serves_without_it_and_cools_for_nobody(tmp_path: Path) -> None:
    """Claude Code asks for a million tokens of window long before it fills them."""
    refused = refusal("Extra usage is required for long context requests.", "rate_limit_error", 429)
    betas = {"anthropic-beta": "claude-code-20250219,context-1m-2025-08-07"}
    async with staged(tmp_path, MESSAGES) as stage:
        stage.primary.play(refused)
        assert (await stage.ask(headers=betas)).message()["id"].startswith("msg_primary")
        await stage.expect(primary=2, backup=0, story=["primary field refused", "primary ok"])
        assert (await stage.ask()).message()["id"].startswith("msg_primary")
        await stage.expect(primary=3, backup=0, story=["primary ok"])
        asked = [call.headers.get("anthropic-beta") for call in stage.primary.calls]
        assert asked == ["claude-code-20250219,context-1m-2025-08-07", "claude-code-20250219", None]


async def test_a_plan_that_refuses_its_own_long_context_leaves_the_request_to_the_next(tmp_path: Path) -> None:
    """Newer models have the long window without asking for it: nothing can be left out."""
    refused = refusal("Extra usage is required for long context requests.", "rate_limit_error", 429)
    async with staged(tmp_path, MESSAGES) as stage:
        stage.primary.play(refused, refused)
        assert (await stage.ask()).message()["id"].startswith("msg_backup")
        await stage.expect(primary=2, backup=1, story=["primary field refused"] * 2 + ["backup ok"])
        assert (await stage.ask()).message()["id"].startswith("msg_primary")
        await stage.expect(primary=3, backup=1, story=["primary ok"])


NOT_THE_REQUEST = {
    "Gemini abroad": ("User location is not supported for the API use.", {}, "model not available", 3600.0),
    "xAI's keys": ("Incorrect API key provided: xa***.", {}, "credentials", 300.0),
    "DeepSeek's models": ("Model Not Exist", {"code": "invalid_request_error"}, "model not available", 3600.0),
    "DashScope's bills": ("Access denied.", {"code": "Arrearage"}, "no credit", 600.0),
}


@pytest.mark.parametrize(("message", "more", "fault", "seconds"), NOT_THE_REQUEST.values(), ids=NOT_THE_REQUEST.keys())
async def test_a_400_that_is_about_the_account_or_the_model_falls_over(
    tmp_path: Path, message: str, more: dict[str, str], fault: str, seconds: float
) -> None:
    """The session would end with a next target at hand."""
    async with staged(tmp_path, CHAT) as stage:
        stage.primary.play(status(400, compact({"error": {"message": message, "type": "error", **more}})))
        assert (await stage.ask()).message()["id"].startswith("msg_backup")
        await stage.expect(primary=1, backup=1, story=[f"primary {fault}", "backup ok"], cooling={"primary": seconds})
        assert (await stage.ask()).message()["id"].startswith("msg_backup")
        await stage.expect(primary=1, backup=2, story=["backup ok"], cooling={"primary": seconds})


@pytest.mark.parametrize(
    "message",
    [
        "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
        "Third-party apps now draw from your extra usage, not your plan limits. Add more at claude.ai/settings/usage.",
        "You're out of extra usage. Add more at claude.ai/settings/usage and keep going.",
    ],
    ids=["another program's", "third party", "out of extra usage"],
)
async def test_a_claude_plan_that_takes_one_request_for_another_program_s_stays_in_service_for_the_others(
    tmp_path: Path, message: str
) -> None:
    """It judges by the prompt and the names of tools, so other sessions have their plan all the while."""
    async with staged(tmp_path) as stage:
        stage.primary.play(said(400, message, "invalid_request_error"))
        assert (await stage.ask()).message()["id"].startswith("msg_backup")
        await stage.expect(primary=1, backup=1, story=["primary field refused", "backup ok"])
        assert (await stage.ask()).message()["id"].startswith("msg_primary")
        await stage.expect(primary=2, backup=1, story=["primary ok"])
    async with staged(tmp_path, alone=True) as stage:
        stage.primary.play(said(400, message, "invalid_request_error"))
        refused = await stage.ask()
        assert (refused.status, refused.error["message"]) == (400, message)
        await stage.expect(primary=1, backup=0, story=["primary field refused"])


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_call_that_the_server_could_not_read_itself_leaves_the_request_to_the_next(
    tmp_path: Path, stream: bool
) -> None:
    """Gemini, in 200 and with nothing but a reason to stop."""
    reason = "function_call_filter: MALFORMED_FUNCTION_CALL"
    choice = {"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": reason}
    whole = status(200, compact({"id": "gen", "object": "chat.completion", "choices": [choice]}))
    pieces = streamed(CHAT, lambda frames: (*frames.start, data(chat_chunk("x", {}, reason)), *frames.stop))
    async with staged(tmp_path, CHAT) as stage:
        stage.primary.play(pieces if stream else whole)
        assert (await stage.ask(stream=stream)).message()["id"].startswith("msg_backup")
        await stage.expect(primary=1, backup=1, story=["primary broken", "backup ok"])


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("given", [["a"], "a", 5], ids=repr)
async def test_a_call_without_an_object_does_not_spoil_the_conversation_for_good(
    tmp_path: Path, wire: Wire, given: Json
) -> None:
    """What some models call a tool with; the client tells them so, and sends it along ever after."""
    ask = json.loads(json.dumps(ASK))
    ask["messages"][2]["content"][0]["input"] = given
    async with staged(tmp_path, wire, alone=True) as stage:
        assert (await stage.ask(**ask)).status == 200
        await stage.expect(primary=1, backup=0, story=["primary ok"])
        assert compact({"input": given}).decode() in json.dumps(stage.primary.last.json, separators=(",", ":")).replace(
            "\\", ""
        )


async def test_a_server_that_insists_all_the_same_leaves_the_request_to_the_next(tmp_path: Path) -> None:
    refused = refusal("The `reasoning_content` in the thinking mode must be passed back to the API.")
    async with staged(tmp_path, CHAT) as stage:
        stage.primary.play(refused, refused, refused)
        assert (await stage.ask(**ASK)).message()["id"].startswith("msg_backup")
        await stage.expect(primary=2, backup=1, story=["primary field refused"] * 2 + ["backup ok"])
        assert (await stage.ask(**ASK)).message()["id"].startswith("msg_backup")
        await stage.expect(primary=3, backup=2, story=["primary field refused", "backup ok"])


async def test_thinking_in_turns_that_a_server_refuses_is_left_out_of_all_of_them(tmp_path: Path) -> None:
    """Groq: some models of those makers want theirs back, but this server takes none."""
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    ask = json.loads(json.dumps(ASK))
    ask["messages"][2]["content"].insert(0, thought)
    refused = refusal(
        "'messages.2' : for 'role:assistant' the following must be satisfied[('messages.2' : property"
        " 'reasoning_content' is unsupported)]"
    )
    async with staged(tmp_path, CHAT, alone=True, routing="max_wait_seconds: 0") as stage:
        stage.primary.play(refusal("Missing `reasoning_content` field in the assistant message at message index 1."))
        stage.primary.play(refused)
        assert (await stage.ask(**ask)).status == 200
        await stage.expect(primary=3, backup=0, story=["primary field refused"] * 2 + ["primary ok"])
        thinking = [["reasoning_content" in turn for turn in turns(call.json, "assistant")] for call in stage.calls]
        assert thinking == [[False, False], [True, True], [False, False]]
