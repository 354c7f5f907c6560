"""A whole chat-completions answer as a Message (OpenAI, "Chat completions"; Messages API)."""

from __future__ import annotations

from ccproxy_tray.errors import AttemptFailed, Failure, Fault
from ccproxy_tray.translate.block import OpenBlock
from ccproxy_tray.translate.error_object import error_object
from ccproxy_tray.translate.event_writer import DELTA_OF
from ccproxy_tray.translate.faults import from_event
from ccproxy_tray.translate.foreign import mapping, string
from ccproxy_tray.translate.jsontext import Json, JsonError
from ccproxy_tray.translate.openai_answer import Answering, ChatAnswer
from ccproxy_tray.translate.openai_call import broken
from ccproxy_tray.translate.openai_content import blocks
from ccproxy_tray.translate.openai_tools import ToolNames
from ccproxy_tray.translate.openai_usage import miscalled, rendered, searches, stop_reason, thought, usage
from ccproxy_tray.translate.seal import seals_in
from ccproxy_tray.translate.stream import Progress


def message(
    chat: Json,
    *,
    model: str,
    message_id: str,
    names: ToolNames,
    searched: str = "",
    input_estimate: int = 0,
    omit_thinking: bool = False,
) -> Json:
    """The Message that a chat answer stands for.

    ``model`` is the requested name, which is echoed; ``searched`` is what the web was searched for, if it was.
    ``omit_thinking``: the client wants no text of Claude's thinking.
    Raises AttemptFailed for an error inside a 200, for an answer without a choice and for unusable tool calls: no
    byte has gone out, so the next target may do better.
    """
    choice = _choice(chat)
    said = mapping(choice.get("message"))
    content = _BlockList()
    answer = ChatAnswer(content, Answering(message_id, names, searched, omit_thinking))
    # Numbered, so that two calls that share an id stay two.
    calls = [{**call, "index": i} for i, call in enumerate(blocks(said.get("tool_calls")))]
    answer.take({**said, "tool_calls": calls})
    answer.cite(choice.get("annotations"))
    answer.end(searches(chat.get("usage")))
    finish, native = string(choice.get("finish_reason")), string(choice.get("native_finish_reason"))
    if not answer.tools and miscalled(finish, native):
        raise broken("a tool call that it could not read itself")
    if not content.blocks and not finish:
        raise AttemptFailed(Failure(Fault.BROKEN, "the provider's answer neither says anything nor ends", 502))
    counted = usage(chat.get("usage"), input_estimate=input_estimate, characters=answer.characters)
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content.blocks,
        "stop_reason": stop_reason(finish, native, called=bool(answer.tools), refused=answer.refused),
        "stop_sequence": None,
        "usage": rendered(counted, answer.searches, thought(chat.get("usage"))),
    }


def progress(found: Json, chat: Json) -> Progress:
    """What was learned from a Message made of ``chat``, in the terms of a finished stream."""
    counts = found["usage"]
    counted = usage(chat.get("usage"))
    counted.estimated = counted.estimated or counted.output_tokens != counts["output_tokens"]
    counted.input_tokens, counted.output_tokens = counts["input_tokens"], counts["output_tokens"]
    return Progress(
        started=True,
        content=True,
        stop_reason=found["stop_reason"],
        finished=True,
        model=found["model"],
        tools=[block["name"] for block in found["content"] if block["type"] == "tool_use"],
        seals=list(seals_in(found["content"])),
        usage=counted,
    )


def error_of(chat: Json) -> Failure | None:
    """The failure that an answer or a chunk with status 200 carries, or None.

    OpenRouter puts an ``error`` at the top and into the choice; vLLM makes the whole object one.
    """
    if error := error_object(chat):
        return from_event(error)
    for choice in blocks(mapping(chat).get("choices"))[:1]:
        if error := mapping(choice.get("error")):
            return from_event(error)
        if choice.get("finish_reason") == "error":
            return Failure(Fault.BROKEN, "the provider ended its answer with an error", 502)
    return None


def _choice(chat: Json) -> dict[str, Json]:
    if failure := error_of(chat):
        raise AttemptFailed(failure)
    choices = blocks(mapping(chat).get("choices"))
    if not choices or not isinstance(choices[0].get("message"), dict):
        raise AttemptFailed(Failure(Fault.BROKEN, "the provider's answer holds no message", 502))
    return choices[0]


class _BlockList:
    """A :class:`BlockSink` that keeps whole blocks."""

    def __init__(self) -> None:
        self.blocks: list[Json] = []
        self._open = OpenBlock({})
        self._delta = ("", "")

    def open(self, block: Json) -> None:
        self._open = OpenBlock(block)
        self._delta = DELTA_OF.get(block["type"], ("", ""))

    def append(self, piece: str) -> None:
        kind, key = self._delta
        self._open.add({"type": kind, key: piece})

    def extend(self, pieces: list[str]) -> None:
        for piece in pieces:
            self.append(piece)

    def sign(self, signature: str) -> None:
        self._open.add({"type": "signature_delta", "signature": signature})

    def close(self) -> None:
        try:
            self.blocks.append(self._open.whole())
        except JsonError as error:
            raise AttemptFailed(Failure(Fault.BROKEN, f"the provider broke off a tool call: {error}", 502)) from None
