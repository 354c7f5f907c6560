from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.errors import Fault
from ccproxy_tray.translate import wording
from ccproxy_tray.translate.bedrock_fault import masked

WINDOW_OF_9024 = (
    "maximum context length is 9024 tokens. However, you requested 4000 output tokens and your prompt contains"
)


@pytest.mark.parametrize(
    ("message", "fault", "subject"),
    [
        ("thinking blocks have an invalid signature", Fault.SIGNATURE, ""),
        ("a thinking block is too long", Fault.REFUSED, ""),
        ("this text cannot be modified", Fault.REFUSED, ""),
        ("Invalid model name passed in model=x", Fault.NO_MODEL, ""),
        ("model x is not in the operator's model allowlist", Fault.NO_MODEL, ""),
        ("This model version has reached the end of its life.", Fault.NO_MODEL, ""),
        ("The model is not available in this Region.", Fault.NO_MODEL, ""),
        ("Access to Bedrock models is not allowed for this account.", Fault.NO_MODEL, ""),
        ("Your account is not authorized to invoke this API operation.", Fault.NO_MODEL, ""),
        ("Account 1 is not authorized to perform: bedrock:InvokeModel on resource: x", Fault.NO_MODEL, ""),
        ("Insufficient credits", Fault.NO_CREDIT, ""),
        ("extraneous key in the request", Fault.FIELD_REFUSED, ""),
        # Signatures (Messages API, "Extended thinking").
        ("messages.1.content.0: Invalid `signature` in `thinking` block", Fault.SIGNATURE, ""),
        ("messages.1.content.0: Invalid `data` in `redacted_thinking` block", Fault.SIGNATURE, ""),
        (
            "messages.3.content.1: Invalid block. The block is bound to a different conversation.",
            Fault.SIGNATURE,
            "",
        ),
        (
            "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
            Fault.SIGNATURE,
            "",
        ),
        ("messages.1.content.0.thinking.signature: Field required", Fault.SIGNATURE, ""),
        (
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
            Fault.SIGNATURE,
            "",
        ),
        # Keys that are told to be wrong with a 400 (Gemini).
        ("API key not valid. Please pass a valid API key.", Fault.CREDENTIALS, ""),
        ("API key expired. Please renew the API key.", Fault.CREDENTIALS, ""),
        # Models that are there, but not for chat, or not yet (OpenAI, LM Studio).
        ("This model is only supported in v1/responses and not in v1/chat/completions.", Fault.NO_MODEL, ""),
        ("No models loaded. Please load a model in the developer page.", Fault.OVERLOADED, ""),
        # A field whose value one model alone does not take (OpenAI).
        (
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported.",
            Fault.FIELD_REFUSED,
            "temperature",
        ),
        # Fields and betas.
        (
            "tools.0.custom.defer_loading: Extra inputs are not permitted",
            Fault.FIELD_REFUSED,
            "tools.0.custom.defer_loading",
        ),
        ("messages[1].output_config: Extra inputs are not permitted", Fault.FIELD_REFUSED, "messages.1.output_config"),
        ("context_management: Extra inputs are not permitted", Fault.FIELD_REFUSED, "context_management"),
        (
            "***.thinking.adaptive.display: Extra inputs are not permitted",
            Fault.FIELD_REFUSED,
            "thinking.adaptive.display",
        ),
        (
            "Malformed input request: #: extraneous key [top_k] is not permitted, please reformat your input",
            Fault.FIELD_REFUSED,
            "top_k",
        ),
        ("Malformed input request: #/messages/0: expected type: JSONArray", Fault.FIELD_REFUSED, ""),
        ("The provided request is not valid", Fault.FIELD_REFUSED, ""),
        (
            "Unsupported parameter: 'reasoning_effort' is not supported with this model.",
            Fault.FIELD_REFUSED,
            "reasoning_effort",
        ),
        ("Unknown parameter: 'tools[0].strict'.", Fault.FIELD_REFUSED, "tools.0.strict"),
        ("Unrecognized request argument supplied: parallel_tool_calls", Fault.FIELD_REFUSED, "parallel_tool_calls"),
        ("property 'stream_options' is unsupported", Fault.FIELD_REFUSED, "stream_options"),
        ("Argument not supported on this model: stop", Fault.FIELD_REFUSED, "stop"),
        ("Model grok-4-latest does not support parameter user.", Fault.FIELD_REFUSED, "user"),
        ("temperature and top_p cannot both be specified for this model.", Fault.FIELD_REFUSED, "top_p"),
        # Claude from 4.7 on, asked directly, and by Bedrock, which hands on all of its answer.
        ("`temperature` is deprecated for this model.", Fault.FIELD_REFUSED, "temperature"),
        (
            'The model returned the following errors: {"error":{"message":"`top_k` is deprecated for this model."}}',
            Fault.FIELD_REFUSED,
            "top_k",
        ),
        ("Prompt caching is deprecated for this model.", Fault.REFUSED, ""),
        ('"qwen3-coder:30b" does not support thinking', Fault.FIELD_REFUSED, "thinking"),
        ("'claude-3-5-haiku-20241022' does not support thinking.", Fault.FIELD_REFUSED, "thinking"),
        (
            "Only 'enabled' and 'disabled' are supported for thinking; 'adaptive' is not supported.",
            Fault.FIELD_REFUSED,
            "thinking.adaptive",
        ),
        ('"thinking.type.enabled" is not supported for this model. Use', Fault.FIELD_REFUSED, "thinking.enabled"),
        (
            "`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive",
            Fault.FIELD_REFUSED,
            "need:settled edits",
        ),
        ("messages[0].content[1].type: unknown variant `image`, expected one of `text`", Fault.FIELD_REFUSED, ""),
        ("messages[0].content[1].type: unknown variant `document`, expected `text`", Fault.FIELD_REFUSED, ""),
        ("This response_format type is unavailable now", Fault.FIELD_REFUSED, ""),
        ("This model does not support response format `json_schema`.", Fault.FIELD_REFUSED, ""),
        # How long an answer may be.
        ("This model supports at most 16384 completion tokens", Fault.FIELD_REFUSED, "most:16384"),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", Fault.FIELD_REFUSED, "most:8192"),
        ("max_completion_tokens must be <= 04096", Fault.FIELD_REFUSED, "most:4096"),
        ("max_tokens must be at most 1", Fault.REFUSED, ""),
        (
            "This model's maximum context length is 32768 tokens and your request has 31744 input tokens.",
            Fault.FIELD_REFUSED,
            "window:32768",
        ),
        (
            "This model's maximum context length is 32768 tokens and your request has 31745 input tokens.",
            Fault.REFUSED,
            "",
        ),
        (
            "maximum context length is 9000 tokens. However, you requested 9100 tokens (5100 of x, 4000 in the output)",
            Fault.FIELD_REFUSED,
            "window:9000",
        ),
        (f"{WINDOW_OF_9024} at least 8000 input tokens, for a total of", Fault.FIELD_REFUSED, "window:9024"),
        (f"{WINDOW_OF_9024} 8001 input tokens", Fault.REFUSED, ""),
        # Rules that one maker or one chat template has: how many tools, which turns, which parts.
        (
            "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with 142.",
            Fault.FIELD_REFUSED,
            "",
        ),
        ("'tools' : maximum number of items is 128", Fault.FIELD_REFUSED, ""),
        ("Maximum tools limit reached. 219 tools have been provided but the maximum is 200.", Fault.FIELD_REFUSED, ""),
        (
            "Please ensure that function call turn comes immediately after a user turn or after a function response.",
            Fault.FIELD_REFUSED,
            "",
        ),
        ("Requests ending with a model turn are not supported.", Fault.FIELD_REFUSED, ""),
        ("Unexpected role 'user' after role 'tool'", Fault.FIELD_REFUSED, ""),
        ("Conversation roles must alternate user/assistant/user/assistant/...", Fault.FIELD_REFUSED, ""),
        ("The number of tools exceeds the limit of 64.", Fault.FIELD_REFUSED, ""),
        (
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
            Fault.FIELD_REFUSED,
            "",
        ),
        ("Only user and assistant roles are supported!", Fault.FIELD_REFUSED, ""),
        ("System role not supported", Fault.FIELD_REFUSED, ""),
        ("Assistant response prefill is incompatible with enable_thinking.", Fault.FIELD_REFUSED, ""),
        ("Param Incorrect: `text` is not present", Fault.FIELD_REFUSED, ""),
        ("The messages parameter is illegal. Please check the documentation.", Fault.FIELD_REFUSED, ""),
        ("Invalid value: 'file'. Supported values are: 'text', 'image_url'.", Fault.FIELD_REFUSED, ""),
        ("messages[2].content[0]: unknown variant `tool_reference`, expected `text`", Fault.FIELD_REFUSED, ""),
        ("messages[2].content[0]: unknown variant `file`, expected `text` or `image_url`", Fault.FIELD_REFUSED, ""),
        ("Input tag 'file' found using 'type' does not match any of the expected tags", Fault.FIELD_REFUSED, ""),
        (
            "messages.2.content.0: Input tag 'tool_reference' found using 'type' does not match any of the expected",
            Fault.FIELD_REFUSED,
            "",
        ),
        ("Response format `json_schema` is not supported by this model.", Fault.FIELD_REFUSED, ""),
        # What one maker's servers insist on.
        ("The `content[].thinking` in the thinking mode must be passed back.", Fault.FIELD_REFUSED, "need:thinking"),
        (
            "Missing `reasoning_content` field in the assistant message at message index 1.",
            Fault.FIELD_REFUSED,
            "need:thinking",
        ),
        (
            "function call `WebSearch` in the 6. content block is missing a `thought_signature`. Learn more",
            Fault.FIELD_REFUSED,
            "need:call seals",
        ),
        (
            "Tool call id was x_y but must be a-z, A-Z, 0-9, with a length of 9.",
            Fault.FIELD_REFUSED,
            "need:short ids",
        ),
        (
            "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions.",
            Fault.FIELD_REFUSED,
            "need:no effort",
        ),
        (
            "Unable to submit request because `x` functionDeclaration `parameters.y` schema didn't specify the type",
            Fault.FIELD_REFUSED,
            "need:plain schemas",
        ),
        ("tools.0: Invalid JSON schema for tool 'Read': unknown keyword", Fault.FIELD_REFUSED, "need:plain schemas"),
        ("messages[1].role must be either 'user' or 'assistant'", Fault.FIELD_REFUSED, "need:no system"),
        ("the thinking mode has no reasoning_content", Fault.REFUSED, ""),
        (
            "tools.11: Input tag 'web_search_20260209' found using 'type' does not match any of the expected tags: 'x'",
            Fault.FIELD_REFUSED,
            "",
        ),
        ("invalid beta flag", Fault.FIELD_REFUSED, "betas"),
        ("anthropic_beta: Extra inputs are not permitted", Fault.FIELD_REFUSED, "betas"),
        (
            "Unexpected value(s) `a-2025-01-01`, `b-2025-01-02` for the `anthropic-beta` header. Please",
            Fault.FIELD_REFUSED,
            "beta:a-2025-01-01,b-2025-01-02",
        ),
        (
            "The long context beta is not yet available for this subscription.",
            Fault.FIELD_REFUSED,
            "beta:context-1m-2025-08-07",
        ),
        # Accounts.
        ("Your credit balance is too low to access the Anthropic API.", Fault.NO_CREDIT, ""),
        (
            "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
            Fault.NO_CREDIT,
            "",
        ),
        ("This request requires more credits, or fewer max_tokens.", Fault.NO_CREDIT, ""),
        ("This organization has been disabled.", Fault.CREDENTIALS, ""),
        # Models.
        ("The provided model identifier is invalid.", Fault.NO_MODEL, ""),
        (
            "Invocation of model ID anthropic.claude-x with on-demand throughput isn\u2019t supported. Retry",
            Fault.NO_MODEL,
            "",
        ),
        ("Invocation of model ID x with on-demand throughput isn't supported.", Fault.NO_MODEL, ""),
        ("You don't have access to the model with the specified model ID.", Fault.NO_MODEL, ""),
        ("Access denied. This Model is marked by provider as Legacy and you have not used it", Fault.NO_MODEL, ""),
        ("Operation not allowed", Fault.NO_MODEL, ""),
        ("Operation not allowed.", Fault.NO_MODEL, ""),
        ("anthropic/claude-x is not a valid model ID", Fault.NO_MODEL, ""),
        ("No endpoints found that support tool use.", Fault.NO_MODEL, ""),
        # Models without tools: no use to Claude Code (Ollama, vLLM, OpenAI, Groq, DeepInfra, DeepSeek, Bedrock).
        ("registry.ollama.ai/library/gemma:2b does not support tools", Fault.NO_MODEL, ""),
        (
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            Fault.NO_MODEL,
            "",
        ),
        ("tools is not supported in this model. For a list of supported models, refer to", Fault.NO_MODEL, ""),
        ("`tool calling` is not supported with this model", Fault.NO_MODEL, ""),
        ("deepinfra error: Tool calling is not supported for model: x", Fault.NO_MODEL, ""),
        ("deepseek-reasoner does not support Function Calling", Fault.NO_MODEL, ""),
        ("This model doesn't support tool use in streaming mode.", Fault.NO_MODEL, ""),
        ("messages: text content blocks must be non-empty", Fault.REFUSED, ""),
        ("messages: text content blocks must contain non-whitespace text", Fault.REFUSED, ""),
        # Models without eyes: of use as soon as there is nothing to see.
        ("No endpoints found that support image input", Fault.FIELD_REFUSED, ""),
        ("Invalid content type. image_url is only supported by certain models.", Fault.FIELD_REFUSED, ""),
        # OpenRouter: of use as soon as the request asks for less.
        ("No endpoints found that support the provided 'tool_choice' value. To learn more", Fault.FIELD_REFUSED, ""),
        ("No endpoints found that can handle the requested parameters.", Fault.FIELD_REFUSED, ""),
        ("No endpoints found that support input audio", Fault.FIELD_REFUSED, ""),
        ("No endpoints found for x/y.", Fault.NO_MODEL, ""),
        ("No endpoints found matching your data policy (Free model publication).", Fault.NO_MODEL, ""),
        ("messages[1]: unknown variant `image_url`, expected `text` at line 1", Fault.FIELD_REFUSED, ""),
        ("qwen is not a multimodal model", Fault.FIELD_REFUSED, ""),
        ("At most 0 image(s) may be provided in one request.", Fault.FIELD_REFUSED, ""),
        ("You are not authorized to access the model in eu-west-1.", Fault.NO_MODEL, ""),
        ("Access to this model is not authorized for your account.", Fault.NO_MODEL, ""),
        ("This feature is not authorized for your organization.", Fault.REFUSED, ""),
        ("This model does not support image input.", Fault.FIELD_REFUSED, ""),
        ("This model doesn't support the image content block that you provided.", Fault.FIELD_REFUSED, ""),
        ("This model doesn\u2019t support images.", Fault.FIELD_REFUSED, ""),
        ("x does not support vision", Fault.FIELD_REFUSED, ""),
        ("x does not support multimodal content", Fault.FIELD_REFUSED, ""),
        # Models and accounts that are not there, from servers that say so with a 400.
        ("User location is not supported for the API use.", Fault.NO_MODEL, ""),
        ("API Key not found. Please pass a valid API key.", Fault.CREDENTIALS, ""),
        ("Your organization must be verified to stream this model. Please go to", Fault.NO_MODEL, ""),
        ("The model `x` has been decommissioned and is no longer supported.", Fault.NO_MODEL, ""),
        ("The model `x` requires terms acceptance. Please have the org admin accept", Fault.NO_MODEL, ""),
        ("Model Not Exist", Fault.NO_MODEL, ""),
        ("Model does not exist. Please check it carefully.", Fault.NO_MODEL, ""),
        ("\u6a21\u578b\u4e0d\u5b58\u5728\uff0c\u8bf7\u68c0\u67e5\u6a21\u578b\u4ee3\u7801\u3002", Fault.NO_MODEL, ""),
        ("Invalid model: x", Fault.NO_MODEL, ""),
        ("Unable to access model x. Please visit https://x.example", Fault.NO_MODEL, ""),
        ("The chatCompletion operation does not work with the specified model, x.", Fault.NO_MODEL, ""),
        ("The requested model is not supported.", Fault.NO_MODEL, ""),
        ("The requested model 'x' is not supported by any provider you have enabled.", Fault.NO_MODEL, ""),
        ("Incorrect API key provided: xa***.", Fault.CREDENTIALS, ""),
        ("This credential is only authorized for use with Claude Code and cannot be used", Fault.FIELD_REFUSED, ""),
        ("Insufficient Balance", Fault.NO_CREDIT, ""),
        ("Your account is not active, please check your billing details", Fault.NO_CREDIT, ""),
        ("You're out of extra usage. Add more at claude.ai/settings/usage", Fault.FIELD_REFUSED, ""),
        ("Third-party apps now draw from your extra usage, not your plan limits.", Fault.FIELD_REFUSED, ""),
        # What no other target does better: it reaches the client.
        ("Invalid image: we only support image/png, image/jpeg, image/gif and image/webp", Fault.REFUSED, ""),
        ("We only support images in PNG", Fault.REFUSED, ""),
        ("This model does not support toolsets", Fault.REFUSED, ""),
        ("messages.0.content.0: Input tag 'video' found using 'type' does not match", Fault.REFUSED, ""),
        ("This model does not support image/bmp", Fault.REFUSED, ""),
        ("This model does not support image format BMP", Fault.REFUSED, ""),
        ("We do not support images larger than 20 MB", Fault.REFUSED, ""),
        ("Parallel function calling is not supported with Structured Outputs.", Fault.REFUSED, ""),
        ("Parallel tool calling is not supported", Fault.REFUSED, ""),
        ("response_format json_object does not support tools when streaming", Fault.REFUSED, ""),
        ("Tool use is not supported with a forced prefix", Fault.REFUSED, ""),
        ("'claude-x' does not support tool types: computer_20250124.", Fault.REFUSED, ""),
        ("This model does not support tools of type 'custom'", Fault.REFUSED, ""),
        # A user's own words, which the server repeats.
        (
            "[{'type': 'missing', 'loc': ('body', 'messages'), 'input': 'x: Extra inputs are not permitted'}]",
            Fault.REFUSED,
            "",
        ),
        (
            "1 validation error\nrole\n  Input should be 'user' [type=enum, input_value='does not support tools']",
            Fault.REFUSED,
            "",
        ),
        ("Invalid value at 'contents[0].role' (TYPE_STRING), \"invalid model name\"", Fault.REFUSED, ""),
        ("prompt is too long: 215000 tokens > 200000 maximum", Fault.REFUSED, ""),
        ("Input is too long for requested model.", Fault.REFUSED, ""),
        ("input length and `max_tokens` exceed context limit: 195000 + 32000 > 200000", Fault.REFUSED, ""),
        ("max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens", Fault.REFUSED, ""),
        ("messages.1.role: Input should be 'user' or 'assistant'", Fault.REFUSED, ""),
        ("adaptive thinking is not supported on this model", Fault.REFUSED, ""),
        ("This model does not support the effort parameter.", Fault.REFUSED, ""),
        ("safeguards: not available for this organization", Fault.REFUSED, ""),
        ("messages.0.content.1.image: Could not process image", Fault.REFUSED, ""),
        ("image exceeds 5 MB maximum", Fault.REFUSED, ""),
        ("deepseek-reasoner does not support this tool_choice", Fault.REFUSED, ""),
        ("messages: roles must alternate", Fault.REFUSED, ""),
        ("Operation not allowed here", Fault.REFUSED, ""),
        ("", Fault.REFUSED, ""),
    ],
)
def test_a_refusal_is_understood_by_its_wording(message: str, fault: Fault, subject: str) -> None:
    assert wording.read(message) == wording.Reading(fault, subject)


@pytest.mark.parametrize("piece", ["a", "a.", "unexpected value(s) ", "extraneous key [", "arn:aws:", "maximum 1"])
def test_a_megabyte_of_wording_takes_no_time_to_speak_of(piece: str) -> None:
    message = piece * (1_000_000 // len(piece))
    assert wording.read(message).fault in (Fault.REFUSED, Fault.FIELD_REFUSED)
    assert wording.prompt_too_long(message).startswith("capability_rejected")
    assert masked(message)


@given(st.text())
def test_any_wording_has_a_reading(message: str) -> None:
    assert wording.read(message).fault in set(Fault)


@pytest.mark.parametrize(
    ("message", "rewritten"),
    [
        (
            "This endpoint's maximum context length is 131072 tokens. However, you requested about 150,000.",
            "prompt is too long: 150000 tokens > 131072 maximum",
        ),
        ("prompt is too long: 7 tokens > 6 maximum", "prompt is too long: 7 tokens > 6 maximum"),
        ("The context is full.", "capability_rejected: prompt_too_long"),
        ("The maximum is 131072.", "capability_rejected: prompt_too_long"),
    ],
)
def test_a_full_context_is_said_in_the_words_that_make_the_client_compact(message: str, rewritten: str) -> None:
    assert wording.prompt_too_long(message) == rewritten
