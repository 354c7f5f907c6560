"""What a server demands in a refusal: each maker in words of its own, and only where it can be given what it wants.

A demand is the subject of the refusal (see :func:`~ccproxy_tray.routing.repair.repairs_for`), read from its lower-case
wording without backticks.
"""

from __future__ import annotations

import re

from ccproxy_tray.routing.repair import MOST, NEED, WINDOW
from ccproxy_tray.routing.target import Need

_NEEDS: tuple[tuple[Need, re.Pattern[str]], ...] = (
    # DeepSeek, MiMo; Moonshot, on both wires; DeepSeek before V4.
    (
        Need.THINKING,
        re.compile(
            r"(?:reasoning_content|content\[\]\.thinking).{0,40}must be passed back"
            r"|reasoning_content is missing in assistant|missing reasoning_content field in the assistant"
        ),
    ),
    (Need.CALL_SEALS, re.compile(r"is missing a thought_signature")),
    (Need.SHORT_IDS, re.compile(r"tool call id.{0,200}must be a-z, a-z, 0-9, with a length of 9")),
    (Need.NO_EFFORT, re.compile(r"function tools with reasoning_effort are not supported")),
    (
        Need.PLAIN_SCHEMAS,
        re.compile(
            r"invalid schema for function|moonshot flavored json schema|invalid json schema for tool"
            r"|function_declarations\[\d+\]\.parameters|functiondeclaration.{0,200} schema"
            r"|input_schema does not support oneof, allof, or anyof at the top level"
        ),
    ),
    (Need.SETTLED_EDITS, re.compile(r"clear_thinking_\d{8} strategy requires thinking")),
    (Need.LOOSE_FORMAT, re.compile(r"invalid schema for response_format")),
    # Two other wordings make Claude Code itself fold such messages.
    (
        Need.NO_SYSTEM,
        re.compile(r"role: unknown variant system, expected|role must be (?:either|one of):? ['\"]?(?:user|assistant)"),
    ),
)
"""What the makers of other models insist on, each in its own words."""
_LIMIT = r"(?:max_tokens|max_completion_tokens|max_output_tokens)"
_MOST = (
    re.compile(r"supports at most (\d{1,9}) (?:completion|output) tokens"),  # OpenAI
    re.compile(_LIMIT + r".{0,40} \[\d{1,9}, ?(\d{1,9})\]"),  # DeepSeek, DashScope
    re.compile(_LIMIT + r" must be (?:less than or equal to|<=|at most) (\d{1,9})"),  # Groq, Mistral
    re.compile(_LIMIT + r".{0,80}expected a value <= (\d{1,9})"),  # Volcengine
    re.compile(r"maximum tokens you requested exceeds the model limit of (\d{1,9})"),  # Bedrock
)
"""How long an answer may be, from servers that rather refuse than give less; Claude Code knows none of these."""
_WINDOW = r"maximum context length is (?P<window>\d{1,9}) tokens"
_WINDOWS = (
    re.compile(_WINDOW + r" and your request has (?P<input>\d{1,9}) input tokens"),
    re.compile(_WINDOW + r"\. however, you requested \d{1,9} output tokens and your prompt contains (?:at least )?"
               r"(?P<input>\d{1,9}) input tokens"),
    re.compile(_WINDOW + r"\. however, you requested (?:about )?(?P<all>\d{1,9}) tokens \(.{1,120}?"
               r"(?P<output>\d{1,9}) in the (?:completion|output)\)"),
    re.compile(r"inputs tokens \+ max_new_tokens must be <= (?P<window>\d{1,9})\. given: (?P<input>\d{1,9}) inputs"),
)  # fmt: skip
"""A window that is too small for the request with the answer that was asked for (vLLM, OpenAI, OpenRouter, TGI)."""
_ROOM = 1024
"""Tokens that have to be left for an answer; with less, the request itself is too long."""
_LEAST = 256
"""A lower limit than this is none to work with, whatever a server says."""


def demand(plain: str) -> str:
    """The subject of a refusal that demands something; empty when it does not."""
    return _need(plain) or _most(plain) or _window(plain)


def _need(plain: str) -> str:
    return next((NEED + need for need, pattern in _NEEDS if pattern.search(plain)), "")


def _most(plain: str) -> str:
    found = next((match for pattern in _MOST if (match := pattern.search(plain))), None)
    return f"{MOST}{int(found[1])}" if found and int(found[1]) >= _LEAST else ""


def _window(plain: str) -> str:
    """A request that fits, if only the answer may be shorter; Claude Code would take it for one that is too long."""
    found = next((match for pattern in _WINDOWS if (match := pattern.search(plain))), None)
    if found is None:
        return ""
    said = {name: int(digits) for name, digits in found.groupdict().items()}
    asked = said["input"] if "input" in said else said["all"] - said["output"]
    return f"{WINDOW}{said['window']}" if asked + _ROOM <= said["window"] else ""
