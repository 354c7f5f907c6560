"""Checks the messages of a Messages request: blocks, tool pairs, media, cache marks, thinking (Messages API)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from ccproxy_tray.simulator import dialect as known
from ccproxy_tray.simulator.body import EXTRA, MISSING, Rules, check_cache_control
from ccproxy_tray.simulator.media import check_document, check_image
from ccproxy_tray.simulator.meter import BILLING_MARK, listed
from ccproxy_tray.simulator.refusal import invalid
from ccproxy_tray.simulator.turn import Json

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_CACHE_MARKS = 4
_RESULTS = (
    "web_search",
    "web_fetch",
    "code_execution",
    "bash_code_execution",
    "text_editor_code_execution",
    "tool_search",
)
_BLOCKS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "text": (frozenset(("text",)), frozenset(("citations",))),
    "image": (frozenset(("source",)), frozenset()),
    "document": (frozenset(("source",)), frozenset(("title", "context", "citations"))),
    "search_result": (frozenset(("source", "title", "content")), frozenset(("citations",))),
    "thinking": (frozenset(("thinking", "signature")), frozenset()),
    "redacted_thinking": (frozenset(("data",)), frozenset()),
    "tool_use": (frozenset(("id", "name", "input")), frozenset(("caller",))),
    "tool_result": (frozenset(("tool_use_id",)), frozenset(("content", "is_error"))),
    "tool_reference": (frozenset(("tool_name",)), frozenset()),
    "server_tool_use": (frozenset(("id", "name", "input")), frozenset(("caller",))),
    **{f"{name}_tool_result": (frozenset(("tool_use_id", "content")), frozenset(("caller",))) for name in _RESULTS},
}
"""For each kind of block the fields that it must have and those that it may have; ``cache_control`` comes on top."""
_UNMARKED = ("thinking", "redacted_thinking")
_SAID_BY = {
    "user": frozenset(("text", "image", "document", "search_result", "tool_result")),
    "system": frozenset(("text",)),
    "assistant": frozenset(_BLOCKS) - {"image", "document", "tool_result", "tool_reference"},
}
_IN_RESULT = frozenset(("text", "image", "document", "search_result", "tool_reference"))

_UNANSWERED = (
    "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. "
    "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
)
_UNASKED = (
    "messages.{index}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. "
    "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
)
_NO_THINKING_FIRST = (
    "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{type}`. When `thinking` "
    "is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of "
    "`tool_use` and `tool_result` blocks). We recommend you include thinking blocks from previous turns. To avoid "
    "this requirement, disable `thinking`."
)
RESERVED = "x-anthropic-billing-header is a reserved keyword and may not be used in the system prompt."


def check_messages(body: Mapping[str, Json], rules: Rules) -> None:
    """Refuse what the real endpoints refuse, in their words."""
    messages = body["messages"]
    if not isinstance(messages, list):
        raise invalid("messages: Input should be a valid list")
    if not messages:
        raise invalid("messages: at least one message is required")
    _check_system(body.get("system"), rules)
    for index, message in enumerate(messages):
        _check_message(message, f"messages.{index}", rules)
    _check_tool_pairs(messages)
    _check_order(messages, rules)
    _check_cache_marks(body)
    if rules.thinking_first and (body.get("thinking") or {}).get("type") == "enabled":
        _check_thinking_first(messages)


def _check_system(system: Json, rules: Rules) -> None:
    if isinstance(system, str):
        if BILLING_MARK[:-1] in system:
            raise invalid(RESERVED)
        return
    for index, block in enumerate(system or ()):
        _check_block(block, f"system.{index}", frozenset(("text",)), rules)
        if index and BILLING_MARK[:-1] in block["text"]:
            raise invalid(RESERVED)


def _check_message(message: Json, path: str, rules: Rules) -> None:
    if not isinstance(message, dict):
        raise invalid(f"{path}: Input should be a valid dictionary or object to extract fields from")
    role = message.get("role")
    if role not in _SAID_BY or (role == "system" and not rules.model.system_messages):
        raise invalid(f"{path}.role: Input should be 'user' or 'assistant'")
    for key in message:
        gated = key == "output_config" and role == "system" and rules.has(*known.MESSAGE_OUTPUT)
        if key not in ("role", "content") and not gated:
            raise invalid(f"{path}.{key}: {EXTRA}")
    content = message.get("content")
    if content is None:
        raise invalid(f"{path}.content: {MISSING}")
    if not content and role != "system":  # `claude --bare` sends an empty one of those
        raise invalid(
            f"{path}: all messages must have non-empty content except for the optional final assistant message"
        )
    for place, block in enumerate(listed(content)):
        _check_block(block, f"{path}.content.{place}", _SAID_BY[role], rules)


def _check_block(block: Json, path: str, allowed: frozenset[str], rules: Rules) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in allowed:
        tags = ", ".join(f"'{tag}'" for tag in sorted(allowed))
        raise invalid(f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}")
    required, optional = _BLOCKS[kind]
    for key in block:
        if key not in required | optional | {"type"} and (key != "cache_control" or kind in _UNMARKED):
            raise invalid(f"{path}.{kind}.{key}: {EXTRA}")
    for key in required:
        if block.get(key) is None:
            raise invalid(f"{path}.{kind}.{key}: {MISSING}")
    check_cache_control(block, f"{path}.{kind}", rules)
    _check_content(block, f"{path}.{kind}", rules)


def _check_content(block: Mapping[str, Json], path: str, rules: Rules) -> None:
    match block["type"]:
        case "text":
            _check_text(block)
        case "tool_use":
            _check_tool_use(block, path)
        case "image":
            check_image(block["source"], f"{path}.source", rules)
        case "document":
            check_document(block["source"], f"{path}.source", rules)
        case "tool_result":
            for place, inner in enumerate(listed(block.get("content"))):
                if block.get("content") != "":
                    _check_block(inner, f"{path}.content.{place}", _IN_RESULT, rules)
        case "tool_reference":
            if not rules.has(*known.TOOL_SEARCH):
                raise invalid(f"{path}: Input tag 'tool_reference' does not match any of the expected tags")
        case _:
            pass


def _check_text(block: Mapping[str, Json]) -> None:
    if block["text"] == "":
        marked = "cache_control" in block
        raise invalid(
            "messages: cache_control cannot be set for empty text blocks"
            if marked
            else "messages: text content blocks must be non-empty"
        )
    if not str(block["text"]).strip():
        raise invalid("messages: text content blocks must contain non-whitespace text")


def _check_tool_use(block: Mapping[str, Json], path: str) -> None:
    if not _ID.fullmatch(str(block["id"])):
        raise invalid(f"{path}.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not isinstance(block["input"], dict):
        raise invalid(f"{path}.input: Input should be a valid dictionary")


def _check_order(messages: Sequence[Mapping[str, Json]], rules: Rules) -> None:
    if messages[0]["role"] != "user" and rules.model.version < (5, 0):
        raise invalid('messages: first message must use the "user" role')
    last = messages[-1]
    if last["role"] != "assistant":
        return
    if not rules.model.prefill:
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    text = listed(last["content"])[-1].get("text", "")
    if text != text.rstrip():
        raise invalid("messages: final assistant content cannot end with trailing whitespace")


def _check_tool_pairs(messages: Sequence[Mapping[str, Json]]) -> None:
    seen: set[str] = set()
    open_calls: list[str] = []
    caller = 0
    for index, message in enumerate(_without_system(messages)):
        blocks = listed(message["content"])
        if message["role"] == "user":
            _check_answers(blocks, open_calls, index, caller)
            open_calls = []
            continue
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        caller = index
        if len(set(open_calls)) < len(open_calls) or not seen.isdisjoint(open_calls):
            raise invalid("messages: `tool_use` ids must be unique")
        seen.update(open_calls)
    if open_calls:
        raise invalid(_UNANSWERED.format(index=caller, ids=", ".join(open_calls)))


def _check_answers(blocks: Sequence[Json], calls: Sequence[str], index: int, caller: int) -> None:
    answers = [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"]
    for place, block in enumerate(blocks):
        if block["type"] == "tool_result" and block["tool_use_id"] not in calls:
            raise invalid(_UNASKED.format(index=index, place=place, id=block["tool_use_id"]))
    if len(answers) != len(set(answers)):
        raise invalid(f"messages.{index}: each tool_use must have a single result. Found multiple `tool_result` blocks")
    early = [block["type"] for block in blocks[: len(answers)]]
    missing = [call for call in calls if call not in answers]
    if missing or (calls and any(kind != "tool_result" for kind in early)):
        raise invalid(_UNANSWERED.format(index=caller, ids=", ".join(missing or calls)))


def _without_system(messages: Sequence[Mapping[str, Json]]) -> Iterator[Mapping[str, Json]]:
    """Turns as the model sees them: system messages stand beside the conversation, same roles are joined."""
    said = (message for message in messages if message["role"] != "system")
    for role, group in groupby(said, key=lambda message: message["role"]):
        yield {"role": role, "content": [block for message in group for block in listed(message["content"])]}


def _check_cache_marks(body: Mapping[str, Json]) -> None:
    marks = [item["cache_control"] for item in _markable(body) if "cache_control" in item]
    if len(marks) > _CACHE_MARKS:
        raise invalid(f"A maximum of {_CACHE_MARKS} blocks with cache_control may be provided. Found {len(marks)}.")
    lasting = [mark.get("ttl") == "1h" for mark in marks]
    if sorted(lasting, reverse=True) != lasting:
        raise invalid("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.")


def _markable(body: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    yield from body.get("tools") or ()
    yield from listed(body.get("system"))
    for message in body["messages"]:
        for block in listed(message["content"]):
            yield block
            if block["type"] == "tool_result":
                yield from listed(block.get("content"))


def _check_thinking_first(messages: Sequence[Mapping[str, Json]]) -> None:
    """Manual thinking in a tool loop: the assistant's turn must start with its thinking ("Extended thinking")."""
    turns = [(index, message) for index, message in enumerate(messages) if message["role"] != "system"]
    last = turns[-1][1]
    if last["role"] != "user" or not any(block["type"] == "tool_result" for block in listed(last["content"])):
        return
    index, start = turns[-2]
    for earlier, message in reversed(turns[:-1]):
        if message["role"] == "user" and not any(b["type"] == "tool_result" for b in listed(message["content"])):
            break
        if message["role"] == "assistant":
            index, start = earlier, message
    kind = listed(start["content"])[0]["type"]
    if kind not in ("thinking", "redacted_thinking"):
        raise invalid(_NO_THINKING_FIRST.format(index=index, type=kind))
