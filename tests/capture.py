"""Requests of the real Claude Code CLI, captured in tests/data/requests, with long texts replaced by filler.

``@@FILL:n@@`` in a file stands for n characters of neutral text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccproxy_tray.translate.messages import MessagesRequest, parse_request

Json = Any
HERE = Path(__file__).parent / "data" / "requests"
_FILL = re.compile(r"@@FILL:(\d+)@@")
_TEXT = "plain words in place of the prompt that stood here "

NAMES = tuple(sorted(path.stem for path in HERE.glob("*.json")))
FIRST_PARTY = tuple(name for name in NAMES if name < "20")
"""What the CLI sends to a Messages server."""
COUNTING = tuple(name for name in FIRST_PARTY if "count_tokens" in name)
MESSAGES = tuple(name for name in FIRST_PARTY if name not in COUNTING)


@dataclass(frozen=True, slots=True)
class Capture:
    """One captured request; header names in lower case."""

    name: str
    path: str
    headers: Mapping[str, str]
    body: Json

    @property
    def raw(self) -> bytes:
        """The body as the CLI prints it: compact, not escaped."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


def load(name: str) -> Capture:
    """One capture by name, or by the number that it begins with."""
    path = next(iter(sorted(HERE.glob(f"{name}*.json"))))
    data = json.loads(path.read_text(encoding="utf-8"))
    headers = {key.lower(): value for key, value in data["headers"]}
    return Capture(path.stem, data["path"], headers, _expanded(data["body"]))


def request(name: str) -> MessagesRequest:
    """One capture, as the proxy reads it."""
    capture = load(name)
    return parse_request(capture.raw, capture.headers, counting=capture.name in COUNTING)


def _expanded(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _expanded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    return _FILL.sub(_filler, value) if isinstance(value, str) else value


def _filler(match: re.Match[str]) -> str:
    length = int(match[1])
    return (_TEXT * (length // len(_TEXT) + 1))[:length]
