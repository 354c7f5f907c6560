"""Content blocks of the Messages API as parts of chat-completions messages (OpenAI, "Chat completions")."""

from __future__ import annotations

from collections.abc import Iterable

from ccproxy_tray.translate.foreign import mapping, string
from ccproxy_tray.translate.jsontext import Json, render

Block = dict[str, Json]
Part = dict[str, Json]

_SILENT = ("tool_use", "thinking", "redacted_thinking")
"""Blocks that say nothing in words: calls and thinking have places of their own."""


_TEXT_PART = frozenset({"type", "text"})


def blocks(content: Json) -> list[Block]:
    """The content of a message or tool result as a list; a plain string is one text block."""
    if isinstance(content, list):
        return [block for block in content if isinstance(block, dict)]
    return [{"type": "text", "text": content}] if isinstance(content, str) else []


def parts(block: Block, *, caching: bool = False) -> list[Part]:
    """A block as parts: media as media, everything else as text, nothing for what says nothing.

    ``caching`` keeps Anthropic's cache breakpoints, which OpenRouter takes on text parts only.
    """
    kind = block.get("type")
    if kind in _SILENT:
        return []
    if kind == "image":
        found = _image(block)
    elif kind == "document":
        found = _document(block)
    else:
        text = text_of(block)
        found = [_text(text)] if text and not text.isspace() else []
    if caching and found and not is_media(found[-1]) and (marker := breakpoint_of(block)):
        found[-1] = {**found[-1], "cache_control": marker}
    return found


def is_media(part: Part) -> bool:
    """True for a part that only a user message may hold."""
    return "text" not in part


def text_of(block: Block) -> str:
    """What a block says in words; empty for thinking, media and what is meant for Anthropic's servers alone."""
    kind = block.get("type")
    if kind == "text":
        return string(block.get("text"))
    return "" if kind in _SILENT else _text_of_unusual(block)


def _text_of_unusual(block: Block) -> str:
    match block.get("type"):
        case "search_result":
            return "\n".join(filter(None, (string(block.get("title")), string(block.get("source")), _inner(block))))
        case "tool_reference":
            return f"[tool available: {string(block.get('tool_name'))}]"
        case "compaction":
            return string(block.get("content"))
        case "server_tool_use" | "mcp_tool_use":
            return f"[{string(block.get('name'))} {render(block.get('input')).decode()}]"
        case "web_search_tool_result":
            return "\n".join(_hit(hit) for hit in blocks(block.get("content")))
        case str(kind) if kind.endswith("_tool_result"):
            return _inner(block)
        case _:
            return ""


def spoken(content: Json) -> list[tuple[str, str]]:
    """What the ``content`` of an answer says, piece by piece in its order: the kind of block, and the words.

    Mistral puts the thinking among the parts of the content ("Reasoning", chunks of type ``thinking``).
    """
    said: list[tuple[str, str]] = []
    for part in blocks(content):
        if part.get("type") == "thinking":
            said += [("thinking", string(inner.get("text"))) for inner in blocks(part.get("thinking"))]
        else:
            said.append(("text", string(part.get("text"))))
    return said


def content(found: list[Part], *, caching: bool) -> Json:
    """Parts as the content of a message: a string wherever that says the same, because some servers choke on arrays.

    With ``caching`` the parts stay apart, so that a breakpoint moves without changing what stands before it.
    """
    if len(found) == 1 and found[0].keys() == _TEXT_PART:
        return found[0]["text"]
    if any(is_media(part) or "cache_control" in part for part in found) or (caching and len(found) > 1):
        return found
    return "\n".join(part["text"] for part in found)


def breakpoint_of(block: Block) -> Json:
    """The cache breakpoint on a block or tool, without what only Anthropic's own endpoint takes (``scope``)."""
    marker = mapping(block.get("cache_control"))
    return {key: marker[key] for key in ("type", "ttl") if key in marker}


def files(found: Iterable[Block]) -> Iterable[str]:
    """Ids of uploaded files that the blocks refer to, those inside tool results and documents included."""
    for block in found:
        if "source" not in block and not isinstance(block.get("content"), list):
            continue
        source = mapping(block.get("source"))
        if source.get("type") == "file":
            yield string(source.get("file_id"))
        for inner in (block.get("content"), source.get("content")):
            if isinstance(inner, list):
                yield from files(blocks(inner))


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _inner(block: Block) -> str:
    return "\n".join(text for inner in blocks(block.get("content")) if (text := text_of(inner)))


def _hit(hit: Block) -> str:
    return f"- {string(hit.get('title'))}: {string(hit.get('url'))}"


def _url(source: Block) -> str:
    if source.get("type") == "base64":
        return f"data:{string(source.get('media_type'))};base64,{string(source.get('data'))}"
    return string(source.get("url"))


def _image(block: Block) -> list[Part]:
    url = _url(mapping(block.get("source")))
    return [{"type": "image_url", "image_url": {"url": url}}] if url else []


def _document(block: Block) -> list[Part]:
    source, title = mapping(block.get("source")), string(block.get("title"))
    if source.get("type") in ("base64", "url"):
        return [{"type": "file", "file": {"filename": title or "document.pdf", "file_data": _url(source)}}]
    inner = blocks(source.get("data") if source.get("type") == "text" else source.get("content"))
    found = [part for each in inner for part in parts(each)]
    context = [text for text in (title, string(block.get("context"))) if text]
    return [_text(text) for text in context] + found if found else []
