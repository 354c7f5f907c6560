"""Ids of tool calls that Anthropic's servers would refuse (Messages API: ``^[a-zA-Z0-9_-]+$``).

Other makers' models name their calls ``functions.Bash:0``, also behind servers that speak the Messages API, and such
an id stays in the conversation for good. Without another one, no Claude could take over from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.sharing import each_block, put

Body = Mapping[str, Json]

_LEGAL = re.compile(r"[a-zA-Z0-9_-]+")
_FIELD = {"tool_use": "id", "tool_result": "tool_use_id"}


def legal_ids(body: Body) -> Body:
    """The body with legal ids, calls and results alike; the same object when all of them are.

    The same id always becomes the same one, so that the prompt stays what a cache knows.
    """
    return each_block(body, _renamed)


def id_of(block: Json) -> str | None:
    """The id of a call, of a tool or of its result; None for other blocks."""
    field = _FIELD.get(block["type"])
    return None if field is None else block[field]


def is_legal(ident: str) -> bool:
    """Whether Anthropic's servers take it."""
    return _LEGAL.fullmatch(ident) is not None


def _renamed(block: Json) -> Json:
    field = _FIELD.get(block["type"])
    if field is None or is_legal(block[field]):
        return block
    return put(block, field, f"toolu_{sha256(block[field].encode('utf-8', 'surrogatepass')).hexdigest()[:24]}")
