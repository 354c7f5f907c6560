"""Events of a Messages stream in the spelling of Anthropic and Bedrock, recognised without being parsed.

Each pattern is exactly the JSON grammar of what it stands for. Whatever is spelled otherwise is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_INDEX = rb"(0|[1-9]\d{0,6})"
_SAYING = rb'text_delta","text|thinking_delta","thinking|input_json_delta","partial_json'
_DELTA = (
    rb'\{"type":"content_block_delta","index":%b,"delta":\{"type":"(?:%b)":'
    rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"\} *\}'
)
PLAIN_DELTA = re.compile(_DELTA % (_INDEX, _SAYING + rb'|signature_delta","signature'))
"""The data of one delta; the group is the number of its block."""
HEAD = b"event: content_block_delta\ndata: "
"""What stands before it in a stream as we write it."""
_EVENT = HEAD + _DELTA + rb"\n\n"
PLAIN_RUN = re.compile(_EVENT % (_INDEX, _SAYING) + rb"(?:" + _EVENT % (rb"\1", _SAYING) + rb")*+")
"""As many as follow each other in one block, but for signatures, which are remembered; the group is its number."""
AROUND = 80
"""Bytes of a delta's data around what it says, at least."""
FRAME = len(HEAD) + len(b"\n\n")
"""Bytes around the data of one."""
PLAIN_STOP = re.compile(rb'\{"type":"content_block_stop","index":(0|[1-9]\d{0,6}) *\}')
"""The data of one end of a block; the group is its number."""


def plain_runs(data: bytes) -> Iterator[re.Match[bytes]]:
    """Where deltas stand among server-sent events, framed and spelled as we would, for one block each."""
    return PLAIN_RUN.finditer(data)
