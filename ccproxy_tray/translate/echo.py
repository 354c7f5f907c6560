"""The model's name in an answer: the client reads the one that it asked for, whoever served it."""

from __future__ import annotations

import re

from ccproxy_tray.translate.jsontext import Json, render

_KEY = b'"model"'
_MODEL = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')


def renamed(data: bytes, answer: Json, message: dict[str, Json], model: str) -> bytes:
    """The bytes of an answer with ``model`` as its name, otherwise unchanged where that can be done safely.

    ``answer`` is what ``data`` parses to, ``message`` the object within it that is the Message; both may be changed.
    """
    if message.get("model") == model:
        return data
    found = _MODEL.search(data) if data.count(_KEY) == 1 and "model" in message else None
    if found:
        start, end = found.span(1)
        return data[:start] + render(model) + data[end:]
    message["model"] = model
    return render(answer)
