"""Answers that come whole: a Message is checked and named; a stream that nobody asked for becomes a Message."""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.errors import AttemptFailed, Failure, Fault
from ccproxy_tray.translate import faults
from ccproxy_tray.translate.assemble import Incomplete, message
from ccproxy_tray.translate.echo import renamed
from ccproxy_tray.translate.error_object import error_object
from ccproxy_tray.translate.jsontext import Json, JsonError, parse, render
from ccproxy_tray.translate.required import complete_message
from ccproxy_tray.translate.seal import seals_in
from ccproxy_tray.translate.sse import SseDecoder
from ccproxy_tray.translate.stream import Progress, StreamCodec


def reply(body: bytes, model: str, message_id: str) -> tuple[bytes, Progress]:
    """The body of a 200, checked to be a Message (Messages API, "Create a Message"), and what it says.

    The bytes stay as they are but for the name of the model, which becomes ``model``, and for what clients cannot do
    without, as in a stream: ``message_id`` is the id of a Message that has none.
    Raises AttemptFailed for an error inside the 200 and for anything else that is not a Message.
    """
    try:
        answer = parse(body, duplicates=True)
    except JsonError as broken:
        raise _nonsense(f"not JSON ({broken})" if body.strip() else "empty") from None
    if not isinstance(answer, dict) or answer.get("type") != "message":
        error = error_object(answer)
        raise AttemptFailed(faults.from_event(error)) if error is not None else _nonsense("not a Message")
    _check(answer)
    if complete_message(answer, message_id):
        body = render(answer)
    progress = _progress(answer)
    return renamed(body, answer, answer, model), progress


def collect(codec: StreamCodec, data: bytes) -> dict[str, Json]:
    """The Message in a whole body of stream events, for an upstream that streams without having been asked to.

    Raises AttemptFailed with the codec's failure.
    """
    out = codec.feed(data) + codec.finish()
    if codec.failure is not None:
        raise AttemptFailed(codec.failure)
    try:
        return message(parse(text) for _, text in SseDecoder(max_event=len(out)).feed(out))
    except Incomplete as error:
        raise _nonsense(str(error)) from None


def _nonsense(what: str) -> AttemptFailed:
    return AttemptFailed(Failure(Fault.BROKEN, f"the provider's answer cannot be used: {what}"))


def _check(answer: Mapping[str, Json]) -> None:
    if answer.get("role") != "assistant":
        raise _nonsense("a Message that is not the assistant's")
    content = answer.get("content")
    if not isinstance(content, list) or not all(map(_is_block, content)):
        raise _nonsense("a Message without content")
    if not content and not isinstance(answer.get("stop_reason"), str):
        raise _nonsense("a Message with neither content nor a stop reason")
    if not isinstance(answer.get("usage"), dict):
        raise _nonsense("a Message without usage")


def _is_block(block: Json) -> bool:
    return isinstance(block, dict) and isinstance(block.get("type"), str)


def _progress(answer: Mapping[str, Json]) -> Progress:
    model, reason = answer.get("model"), answer.get("stop_reason")
    progress = Progress(started=True, content=True, finished=True)
    progress.model = model if isinstance(model, str) else ""
    progress.stop_reason = reason if isinstance(reason, str) else None
    progress.tools = [str(block.get("name")) for block in answer["content"] if block.get("type") == "tool_use"]
    progress.seals = list(seals_in(answer["content"]))
    progress.usage.observe(answer["usage"])
    return progress
