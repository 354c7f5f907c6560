"""A content block, cut into its start and its deltas, and put together again (Messages API, Streaming).

Text, thinking and tool input travel as deltas: Claude Code takes them from nowhere else, so a tool call whose input
came only with its ``content_block_start`` runs with ``{}``. Every other kind of block comes whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.errors import ProtocolError
from ccproxy_tray.translate.jsontext import Json, JsonError, parse, render

_TEXT_OF_DELTA = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
_FIELD_OF_DELTA = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "input"}
_COMPACTION = ("content", "encrypted_content")


def split(block: Mapping[str, Json]) -> tuple[dict[str, Json], list[dict[str, Json]]]:
    """The block as its ``content_block_start`` has it, and the deltas with the rest; none when it comes whole."""
    start = dict(block)
    deltas: list[dict[str, Json]] = []
    match block.get("type"):
        case "text":
            deltas += _moved(start, "text", "text_delta")
            citations = block.get("citations")
            if isinstance(citations, list) and citations:
                start["citations"] = []
                deltas += [{"type": "citations_delta", "citation": citation} for citation in citations]
        case "thinking":
            deltas += _moved(start, "thinking", "thinking_delta")
            deltas += _moved(start, "signature", "signature_delta")
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            if block.get("input"):
                start["input"] = {}
                deltas.append({"type": "input_json_delta", "partial_json": render(block["input"]).decode()})
        case "compaction" if block.get("content") is not None:
            moved = {key: start.pop(key) for key in _COMPACTION if key in start}
            start["content"] = None
            deltas.append({"type": "compaction_delta", **moved})
    return start, deltas


def _moved(start: dict[str, Json], key: str, delta: str) -> list[dict[str, Json]]:
    text = start.get(key)
    if not isinstance(text, str) or not text:
        return []
    start[key] = ""
    return [{"type": delta, key: text}]


def checked(delta: Json) -> dict[str, Json]:
    """A delta that has what its type promises; unknown types may have anything. Raises :class:`ProtocolError`."""
    if not isinstance(delta, dict) or not isinstance(delta.get("type"), str):
        raise ProtocolError("a content_block_delta has no delta")
    field = _TEXT_OF_DELTA.get(delta["type"])
    if field is not None and not isinstance(delta.get(field), str):
        raise ProtocolError(f"a {delta['type']} has no {field}")
    return delta


class OpenBlock:
    """A block that is still being streamed."""

    def __init__(self, start: Mapping[str, Json]) -> None:
        self._block = dict(start)
        self._pieces: dict[str, list[str]] = {}

    def add(self, delta: Json) -> None:
        """Take one delta; types that are not known are ignored, as the SDKs do. Raises :class:`ProtocolError`."""
        delta = checked(delta)
        match delta["type"]:
            case "text_delta" | "thinking_delta" | "input_json_delta" as kind:
                self._pieces.setdefault(_FIELD_OF_DELTA[kind], []).append(delta[_TEXT_OF_DELTA[kind]])
            case "signature_delta":
                self._block["signature"] = delta["signature"]
            case "citations_delta":
                self._block["citations"] = [*(self._block.get("citations") or ()), delta.get("citation")]
            case "compaction_delta":
                self._block.update({key: delta[key] for key in _COMPACTION if key in delta})
            case _:
                pass

    def whole(self) -> dict[str, Json]:
        """The block when it is complete. Raises :class:`JsonError` for a tool input that is not a JSON object."""
        block = dict(self._block)
        for field, pieces in self._pieces.items():
            text = _joined(pieces)
            if field != "input":
                given = block.get(field)
                block[field] = given + text if isinstance(given, str) else text
            elif text:
                block[field] = _tool_input(text)
        return block


def _joined(pieces: list[str]) -> str:
    """One text. A character outside the basic plane that was cut between two deltas becomes one character again."""
    text = "".join(pieces)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return text


def _tool_input(text: str) -> Json:
    value = parse(text, duplicates=True)
    if not isinstance(value, dict):
        raise JsonError("the input of a tool call is not an object")
    return value
