"""The conversation of a Messages request as chat-completions messages.

Laws, which every chat server insists on and the Messages API does not:

* The tool messages that answer an assistant's calls follow it directly, one for each call and none for any other.
* No message is empty, and no two of one role stand side by side (some chat templates raise an error on that).
* What was said earlier reads the same when the conversation grows, or no prompt cache would hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ccproxy_tray.translate.foreign import string
from ccproxy_tray.translate.jsontext import Json, render
from ccproxy_tray.translate.memo import NO_MEMO, Memo
from ccproxy_tray.translate.openai_content import Block, Part, blocks, breakpoint_of, content, is_media, parts, text_of
from ccproxy_tray.translate.openai_dialect import ChatModel, Echo
from ccproxy_tray.translate.openai_tools import ToolNames, call_id
from ccproxy_tray.translate.tool_input import as_object

_Turn = tuple[str, list[Block]]
"""Who speaks, and what."""
BILLING = "x-anthropic-billing-header:"
"""Opens a system block that Anthropic's endpoints strip. It varies from prompt to prompt, so elsewhere it would only
spoil the prompt cache."""
_REMINDER = "<system-reminder>"
_NO_RESULT = "(no result: the call was interrupted)"
_NO_OUTPUT = "(no output)"
_SEE_MEDIA = "(see the attached media)"
_NOTHING = "(empty message)"
_UNKNOWN_THOUGHT = "."
"""The thinking of a turn that brought none, as those of other makers' models, for a server that insists on some."""
_ORPHAN = "[result of an earlier tool call]"


def chat_messages(body: Mapping[str, Json], model: ChatModel, names: ToolNames, memo: Memo = NO_MEMO) -> list[Json]:
    """The system prompt and all turns of a request; nobody may change what a ``memo`` keeps of them."""
    caching, echo = model.claude, model.echo
    otherwise = _UNKNOWN_THOUGHT if model.thinks_aloud and not model.claude else ""

    def translated(before: _Turn | None, turn: _Turn) -> list[Json]:
        role, said = turn
        if role == "assistant":
            return [_assistant(said, names, caching=caching, echo=echo, otherwise=otherwise)]
        return _user(said, _calls(before), caching=caching)

    turns = _turns(memo.each("turns", body.get("messages", []), _turn))
    if names.wire:
        memo = NO_MEMO  # names are shortened by what others there are
    name = ("messages for chat", caching, echo, otherwise)
    found = [message for messages in memo.along(name, turns, translated) for message in messages]
    unanswered = _calls(turns[-1]) if turns else []
    return [
        *_system(body.get("system"), caching=caching),
        *found,
        *[_tool(call, [], caching=False) for call in unanswered],
    ]


def last_user_text(messages: Json) -> str:
    """The words of the last user message, as the client wrote them; empty when there are none."""
    for message in reversed(blocks(messages)):
        said = "\n".join(string(block.get("text")) for block in blocks(message.get("content"))).strip()
        if message.get("role") == "user" and said:
            return said
    return ""


def _system(system: Json, *, caching: bool) -> list[Json]:
    kept = [block for block in blocks(system) if not string(block.get("text")).startswith(BILLING)]
    found = [part for block in kept for part in parts(block, caching=caching)]
    return [{"role": "system", "content": content(found, caching=caching)}] if found else []


def _turns(said: list[_Turn]) -> list[_Turn]:
    """What messages say, as alternating turns.

    What has nothing to say in chat completions (a turn of thinking alone) is left out, and its neighbours become one.
    """
    turns: list[_Turn] = []
    for turn in said:
        role, found = turn
        if not found:
            continue
        if turns and turns[-1][0] == role:
            turns[-1] = (role, [*turns[-1][1], *found])
        else:
            turns.append(turn)
    return turns


def _calls(turn: _Turn | None) -> list[str]:
    """The ids of the calls that an assistant's turn makes."""
    role, found = turn or ("", [])
    calls = [call_id(string(block.get("id"))) for block in found if block.get("type") == "tool_use"]
    return list(dict.fromkeys(calls)) if role == "assistant" else []


def _turn(message: Block) -> _Turn:
    found = blocks(message.get("content"))
    match message.get("role"):
        case "assistant":
            return "assistant", found if _speaks(found) else []
        case "system":
            return "user", _reminder(found)
        case _:
            return "user", found or [{"type": "text", "text": ""}]


def _speaks(turn: list[Block]) -> bool:
    for block in turn:
        text = text_of(block)
        if (text and not text.isspace()) or block.get("type") == "tool_use":
            return True
    return False


def _reminder(found: list[Block]) -> list[Block]:
    """A system message in mid-conversation, worded as Claude Code words it for models that know no such thing.

    Many chat templates refuse a system message anywhere but at the top, whatever the server in front of them says.
    """
    text = "\n".join(text_of(block) for block in found).strip()
    if not text:
        return []
    if not text.startswith(_REMINDER):
        text = f"{_REMINDER}\n{text}\n</system-reminder>"
    return [{"type": "text", "text": text, "cache_control": found[-1].get("cache_control")}]


def _assistant(turn: list[Block], names: ToolNames, *, caching: bool, echo: Echo, otherwise: str) -> Json:
    said = [part for block in turn for part in parts(block, caching=caching) if not is_media(part)]
    calls: dict[str, Json] = {}
    for block in turn:
        if block.get("type") == "tool_use":
            ident = call_id(string(block.get("id")))
            calls.setdefault(ident, _call(ident, block, names))
    message: dict[str, Json] = {"role": "assistant", "content": content(said, caching=caching) or None}
    if calls:
        message["tool_calls"] = list(calls.values())
    if echo is not Echo.NONE and (thinking := _thinking(turn, echo, in_tool_loop=bool(calls)) or otherwise):
        message[echo.value] = thinking
    return message


def _call(ident: str, block: Block, names: ToolNames) -> Json:
    function = {
        "name": names.sent(string(block.get("name"))),
        "arguments": render(as_object(block.get("input")), finite=True).decode(),
    }
    return {"id": ident, "type": "function", "function": function}


def _thinking(turn: list[Block], echo: Echo, *, in_tool_loop: bool) -> Json:
    if echo is Echo.DETAILS:
        details = [detail for block in turn if (detail := _detail(block))]
        return [{**detail, "format": "anthropic-claude-v1", "index": i} for i, detail in enumerate(details)]
    # As text it is wanted beside tool calls only; elsewhere it is ignored, and paid for.
    thoughts = [string(block.get("thinking")) for block in turn if block.get("type") == "thinking"]
    return "\n".join(thoughts).strip() if in_tool_loop else ""


def _detail(block: Block) -> dict[str, Json]:
    """Unsigned thinking is left out: Claude refuses it, and a signature cannot be made up."""
    signature, data = string(block.get("signature")), string(block.get("data"))
    if block.get("type") == "thinking" and signature:
        return {"type": "reasoning.text", "text": string(block.get("thinking")), "signature": signature}
    if block.get("type") == "redacted_thinking" and data:
        return {"type": "reasoning.encrypted", "data": data}
    return {}


def _user(turn: list[Block], calls: list[str], *, caching: bool) -> list[Json]:
    """The answers to ``calls`` first, then everything else of the turn as one user message."""
    answers: dict[str, list[_Result]] = {call: [] for call in calls}
    rest: list[Part] = []
    for block in turn:
        if block.get("type") != "tool_result":
            rest.extend(parts(block, caching=caching))
        elif (ident := call_id(string(block.get("tool_use_id")))) in answers:
            answers[ident].append(_result(block))
        else:
            rest.extend(_orphan(_result(block)))
    tools = [_tool(call, results, caching=caching) for call, results in answers.items()]
    media = [part for call, results in answers.items() for part in _attached(call, results)]
    if media or rest:
        return [*tools, {"role": "user", "content": content(media + rest, caching=caching)}]
    return tools or [{"role": "user", "content": _NOTHING}]


class _Result(NamedTuple):
    """What a tool said: the words, the media, and where the prompt cache shall reach to."""

    text: str
    media: list[Part]
    breakpoint: Json


def _result(block: Block) -> _Result:
    said = block.get("content")
    if isinstance(said, str):
        text, media = ("" if said.isspace() else said), []
    else:
        found = [part for inner in blocks(said) for part in parts(inner)]
        text = "\n".join(part["text"] for part in found if not is_media(part))
        media = [part for part in found if is_media(part)]
    text = text or (_SEE_MEDIA if media else _NO_OUTPUT)
    if block.get("is_error") is True and not text.startswith("Error"):
        text = f"Error: {text}"
    return _Result(text, media, breakpoint_of(block) if "cache_control" in block else {})


def _tool(call: str, results: list[_Result], *, caching: bool) -> Json:
    text = "\n".join([result.text for result in results]) if results else _NO_RESULT
    markers = [result.breakpoint for result in results if result.breakpoint] if caching else []
    said: Json = [{"type": "text", "text": text, "cache_control": markers[-1]}] if markers else text
    return {"role": "tool", "tool_call_id": call, "content": said}


def _attached(call: str, results: list[_Result]) -> list[Part]:
    """Images and documents of tool results: a tool message holds text only, so they follow in the user's."""
    media = [part for result in results for part in result.media]
    return [{"type": "text", "text": f"[media from tool call {call}]"}, *media] if media else []


def _orphan(result: _Result) -> list[Part]:
    """A result whose call is gone (compaction cuts there): kept as words, because a tool message needs its call."""
    return [{"type": "text", "text": f"{_ORPHAN}\n{result.text}"}, *result.media]
