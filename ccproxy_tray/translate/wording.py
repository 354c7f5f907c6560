"""What the wording of a refusal means, where the status alone does not tell.

Providers answer 400 for a request that is wrong everywhere, for a field that only they do not know, for a model
that they do not have and for an account without money. The wording is the only difference, and Claude Code reads
it too, so it is only ever read here, never changed. Cues are lower-case substrings of the message without
backticks; the order of the rows decides, most specific first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ccproxy_tray.errors import Fault
from ccproxy_tray.routing.repair import ALL_BETAS, BETA
from ccproxy_tray.translate.demand import demand

ACCESS = "access"
"""The subject of a CREDENTIALS failure that concerns one model: the account as such is good."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A message, understood. ``subject`` is as in :class:`~ccproxy_tray.errors.Failure`."""

    fault: Fault
    subject: str = ""


_CUES: tuple[tuple[Fault, tuple[str, ...]], ...] = (
    (
        Fault.SIGNATURE,
        (
            "signature in thinking block",
            "invalid data in redacted_thinking block",
            "thinking.signature: field required",
            "bound to a different conversation",
            "expected thinking or redacted_thinking, but found",
        ),
    ),
    (
        Fault.NO_CREDIT,
        (
            "credit balance is too low",
            "requires more credits",
            "insufficient credits",
            "reached your specified api usage limits",
            "insufficient balance",  # servers that know no 402
            "your account is not active, please check your billing",  # OpenAI
        ),
    ),
    (
        Fault.CREDENTIALS,
        (
            "this organization has been disabled",
            # Gemini and xAI refuse a key with a 400.
            "api key not valid",
            "api key not found",
            "api key expired",
            "incorrect api key provided",
        ),
    ),
    (Fault.OVERLOADED, ("no models loaded",)),  # LM Studio: there will be one when the user has chosen it.
    (
        # A Claude plan takes this one request for another program's, by its prompt or the names of its tools. It says
        # so too while the plan's own limits leave room.
        Fault.FIELD_REFUSED,
        ("only authorized for use with claude code", "draw from your extra usage", "you're out of extra usage"),
    ),
    (
        # A model that sees nothing refuses this conversation only: others are welcome, so nothing cools.
        Fault.FIELD_REFUSED,
        (
            "not a multimodal model",
            "image_url is only supported by certain models",
            "unknown variant image",
            "at most 0 image",
        ),
    ),
    (
        # How many tools, and which turns in which order: every maker, and every chat template, has rules of its own.
        Fault.FIELD_REFUSED,
        (
            "invalid 'tools': array too long",
            "'tools' : maximum number of items",
            "maximum tools limit reached",
            "number of tools exceeds",
            "turn comes immediately after a",
            "requests ending with a model turn",
            "unexpected role 'user' after role 'tool'",
            "expected last role user or tool",
            "roles must alternate user/assistant",
            "only user and assistant roles are supported",
            "system role not supported",
            "prefill is incompatible with enable_thinking",
            "text is not present",
            "the messages parameter is illegal",
            "invalid value: 'file'",
            "input tag 'file'",
            "unknown variant file",
            "unknown variant document",
            "response_format type is unavailable",
            "response format json_schema is not supported",
            "does not support response format json_schema",
            "unknown variant tool_reference",
            "input tag 'tool_reference'",
        ),
    ),
    (
        Fault.NO_MODEL,
        (
            # Bedrock InvokeModel, ValidationException.
            "the provided model identifier is invalid",
            "on-demand throughput isn't supported",
            "on-demand throughput isn\u2019t supported",
            "don't have access to the model",
            "marked by provider as legacy",
            "reached the end of its life",
            "is not available in this region",
            "is not allowed for this account",
            "is not authorized to invoke",
            "is not authorized to perform",
            # OpenRouter, and gateways that guard their list of models.
            "is not a valid model id",
            "no endpoints found",
            "invalid model name",
            "model allowlist",
            "not in v1/chat/completions",
            "requires --enable-auto-tool-choice",
            # Others that know no 404: DeepSeek and DashScope, SiliconFlow, Zhipu, Groq, Mistral, Together, Azure,
            # Copilot and Hugging Face.
            "model not exist",
            "model does not exist",
            "\u6a21\u578b\u4e0d\u5b58\u5728",
            "has been decommissioned",
            "requires terms acceptance",
            "invalid model: ",
            "unable to access model",
            "operation does not work with the specified model",
            "the requested model is not supported",
            "is not supported by any provider you have enabled",
            # OpenAI's models for known customers, and Gemini where it is not offered.
            "organization must be verified to",
            "user location is not supported",
        ),
    ),
    (
        # Bedrock says this for a tool that it does not run and for a body that its schema does not know.
        Fault.FIELD_REFUSED,
        ("the provided request is not valid", "malformed input request", "extraneous key"),
    ),
)
_READ = 10_000
"""Characters of a message that are read; no wording is longer, whatever an upstream appends to it."""
_EXACT = {"operation not allowed": Fault.NO_MODEL}  # Bedrock, an account without any quota for the model.

_FIELD = (
    # A path begins where nothing of a path stands before; so a long word is looked at once, not from every letter.
    re.compile(r"(?<![\w.\[\]-])([\w.\[\]-]++): Extra inputs are not permitted", re.IGNORECASE),
    re.compile(r"extraneous key \[([\w.-]+)\]", re.IGNORECASE),
    # Chat completions servers.
    re.compile(r"(?:unsupported|unknown|unrecognized) parameter:? '([\w.\[\]-]+)'", re.IGNORECASE),
    re.compile(r"unsupported value: '([\w.\[\]-]+)' does not support", re.IGNORECASE),
    re.compile(r"unrecognized request arguments? supplied: ([\w.-]+)", re.IGNORECASE),
    re.compile(r"property '([\w.-]+)' is unsupported", re.IGNORECASE),
    re.compile(r"argument not supported on this model: ([\w.]+)", re.IGNORECASE),
    re.compile(r"model [\w./:-]{1,100} does not support parameter ([\w.]+)", re.IGNORECASE),
    re.compile(r"temperature and (top_p) cannot both be specified", re.IGNORECASE),  # Claude from 4.1 to 4.5
    re.compile(r"\b(temperature|top_p|top_k) is deprecated for this model", re.IGNORECASE),  # Claude from 4.7 on
)
_MEANT = (
    (re.compile(r"['\"][\w./:@-]{1,200}['\"] does not support thinking\b"), "thinking"),  # Ollama, Claude before 3.7
    (re.compile(r"\"thinking\.type\.enabled\" is not supported"), "thinking.enabled"),  # Claude from 4.7 on
    (re.compile(r"are supported for thinking; 'adaptive' is not"), "thinking.adaptive"),  # DashScope
)
"""Fields that are meant, though not named as such."""
_BETA_HEADER = re.compile(r"unexpected value\(s\)(.{0,2000}?)for the anthropic-beta header", re.DOTALL)
_BETA_NAME = re.compile(r"[\w.-]+")
_LONG_CONTEXT = (
    "the long context beta is not yet available",
    "extra usage is required for long context",  # a Claude plan, with the status of a rate limit
)
_OVERFLOW = (
    *("when context the overflows", "input length exceeds the context length"),  # LM Studio, Ollama
    "prompt too long:",  # oMLX
    "size limit exceeded by",  # Cohere
    "exceed max message tokens",  # Volcengine
    "must be less than max_seq_len",  # SiliconFlow
    "inputs` must have less than",  # TGI
    "prompt token count of",  # Copilot
)
"""Those of OpenAI, vLLM, llama.cpp, SGLang, Groq, Cerebras, Gemini, Mistral, Moonshot, Zhipu, MiniMax, DashScope,
Fireworks and xAI are known to Claude Code."""
_OVERFLOW_MAXIMUM = re.compile(r"(?:maximum|limit)\D{0,40}(\d[\d,]{3,15})", re.IGNORECASE)
_OVERFLOW_ASKED = re.compile(r"(?:requested|resulted in|contains|used|has)\D{0,20}(\d[\d,]{3,15})", re.IGNORECASE)
_TOOL_TAG = re.compile(r"(?<![\w.])tools\.\d{1,4}: input tag ")
"""A Messages server in front of somebody who does not run Anthropic's own tools, such as the search of the web."""
_BLIND = re.compile(
    r"(?:not|['\u2019]t|endpoints found that) support (?:the )?(?:image|vision|multimodal)"
    r"(?!/|s?,? (?:format|type|size|dimension|over|above|larger|bigger|exceeding|with))"
)
"""No model that sees anything; images of another kind or size are for the client to change."""
_TOOLLESS = re.compile(
    r"(?:(?:not|['\u2019]t) support (?:tools\b|tool use|tool calling|function calling)"
    r"|(?<!parallel )(?:\btools|tool use|tool calling|function calling) is not supported)"
    r"(?! (?:of|other|when|while|if|together|alongside|combined|in combination|with (?!this model)))"
)
"""A model without tools is none for Claude Code (Ollama, vLLM, Groq, DeepInfra, DeepSeek, Bedrock). One that has tools,
but not two at a time or not beside something else, is."""
_UNROUTABLE = re.compile(r"no endpoints found that (?:support (?!tool use\b)|can handle )")
"""OpenRouter: nobody serves this model with what this one request asks for: a forced tool, a file, some parameter."""
_UNAUTHORIZED = re.compile(r"model.{0,200}not authorized|not authorized.{0,200}model", re.DOTALL)
"""An account that may not use this model (Bedrock); one that may not use some feature of it is another matter."""
_SHAPES = (
    (Fault.FIELD_REFUSED, _TOOL_TAG),
    (Fault.FIELD_REFUSED, _BLIND),
    (Fault.FIELD_REFUSED, _UNROUTABLE),
    (Fault.NO_MODEL, _TOOLLESS),
    (Fault.NO_MODEL, _UNAUTHORIZED),
)
_REFERENCE = re.compile(r"\b(?:file|container|skill)_[A-Za-z0-9]{8,}")
"""The id of what a request refers to and one account holds (Messages API, "Files", "Skills")."""
_QUOTE = re.compile(r"""['"]input['"]: |\binput_value=|\(TYPE_[A-Z0-9_]+\), """)
"""What the client wrote stands behind it, whatever that says (vLLM's validation and others', Gemini)."""
_EDITED_THINKING = ("cannot be modified", "invalid signature")


def read(message: str) -> Reading:
    """What a 400 with this message means; ``REFUSED`` when nothing says that another target may do better."""
    message = _QUOTE.split(message[:_READ].replace("`", ""), 1)[0]
    plain = message.lower()
    return _beta(plain) or _field(message) or _demand(plain) or Reading(_cue(plain))


def is_about_long_context(message: str) -> bool:
    """Whether an account has no long context: no waiting helps, and shorter requests are welcome all the while."""
    return any(cue in message[:_READ].lower() for cue in _LONG_CONTEXT)


def is_about_a_reference(message: str) -> bool:
    """Whether a server names something that it does not hold for this account: not its model, nor its key, is amiss."""
    return _REFERENCE.search(message[:_READ]) is not None


def is_overflow(message: str) -> bool:
    """Whether a server says that the context is full in words on which Claude Code does not compact by itself."""
    return any(cue in message[:_READ].lower() for cue in _OVERFLOW)


def prompt_too_long(message: str) -> str:
    """An overflow of the context window in the words on which Claude Code compacts the conversation.

    Without both numbers it is the class token that a gateway may answer with instead of a wording.
    """
    if "prompt is too long" in message.lower():
        return message
    maximum, asked = _OVERFLOW_MAXIMUM.search(message[:_READ]), _OVERFLOW_ASKED.search(message[:_READ])
    if maximum is None or asked is None:
        return "capability_rejected: prompt_too_long"
    return f"prompt is too long: {_number(asked[1])} tokens > {_number(maximum[1])} maximum"


def _number(digits: str) -> int:
    return int(digits.replace(",", ""))


def _beta(plain: str) -> Reading | None:
    """A refusal of betas (Messages API: "Unexpected value(s) ..."; Bedrock: "invalid beta flag")."""
    if match := _BETA_HEADER.search(plain):
        return Reading(Fault.FIELD_REFUSED, BETA + ",".join(_BETA_NAME.findall(match[1])))
    if any(cue in plain for cue in _LONG_CONTEXT):
        return Reading(Fault.FIELD_REFUSED, BETA + "context-1m-2025-08-07")
    if "invalid beta flag" in plain or "anthropic_beta: extra inputs" in plain:
        return Reading(Fault.FIELD_REFUSED, ALL_BETAS)
    return None


def _field(message: str) -> Reading | None:
    for pattern in _FIELD:
        if match := pattern.search(message):
            return Reading(Fault.FIELD_REFUSED, _dotted(match[1]))
    plain = message.lower()
    return next((Reading(Fault.FIELD_REFUSED, field) for meant, field in _MEANT if meant.search(plain)), None)


def _demand(plain: str) -> Reading | None:
    subject = demand(plain)
    return Reading(Fault.FIELD_REFUSED, subject) if subject else None


def _dotted(path: str) -> str:
    """``messages[0].content[1].x`` as ``messages.0.content.1.x``."""
    return path.replace("]", "").replace("[", ".").strip(".")


def _cue(plain: str) -> Fault:
    if ("thinking block" in plain or "redacted_thinking" in plain) and any(cue in plain for cue in _EDITED_THINKING):
        return Fault.SIGNATURE
    for fault, shape in _SHAPES:
        if shape.search(plain):
            return fault
    for fault, cues in _CUES:
        if any(cue in plain for cue in cues):
            return fault
    return _EXACT.get(plain.strip(" ."), Fault.REFUSED)
