"""Request bodies of a wanted size, shaped like Claude Code's: tools, a system prompt, a conversation with tools."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

MODEL = "claude-sonnet-4-5"
TURN = "@@turn@@"
"""Where each request of a load has its own number."""
_LINE = 'def handler_{n}(request: Request) -> Response:  # naïve, "quoted"\n    return render({n}, request)\n'


def request(size: int, *, stream: bool, model: str = MODEL) -> bytes:
    """A Messages request of about ``size`` bytes: one short question when small, else a conversation.

    Its last message holds TURN, for a number of its own.
    """
    said: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": TURN + "x" * (size - 200)}]}
    if size > 2000:
        tools = [_tool(n) for n in range(18)]
        fixed = {"system": _system(), "tools": tools}
        said = {"model": model, "messages": _conversation(size - len(_dumped(fixed)) - 300), **fixed}
        said["metadata"] = {"user_id": "user_bench_account_bench_session_00000000-0000-4000-8000-000000000000"}
    return _dumped({**said, "max_tokens": 1024, "stream": stream})


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _system() -> list[dict[str, Any]]:
    text = "You help with software. Answer in few words; say what you have done and what you have not. " * 130
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]


def _tool(number: int) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {f"argument_{n}": {"type": "string", "description": "What it is for. " * 4} for n in range(5)},
        "required": ["argument_0"],
    }
    return {"name": f"tool_{number}", "description": "Reads or writes a file. " * 30, "input_schema": schema}


def _conversation(size: int) -> list[dict[str, Any]]:
    """A question, tool calls and results until the size is reached, and the next question."""
    turns: list[dict[str, Any]] = [{"role": "user", "content": "Tidy up the handlers."}]
    length = 0
    for number in count():
        if length >= size:
            break
        result = "".join(_LINE.format(n=number * 100 + line) for line in range(24))
        turn: list[dict[str, Any]] = [
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": f"I look at part {number} of it."},
                    {
                        "type": "tool_use",
                        "id": f"toolu_{number:024d}",
                        "name": f"tool_{number % 18}",
                        "input": {"argument_0": f"src/part_{number}.py"},
                    },
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": f"toolu_{number:024d}", "content": result}],
            },
        ]
        length += len(_dumped(turn))
        turns += turn
    return [*turns, {"role": "assistant", "content": "Done."}, {"role": "user", "content": f"Go on. {TURN}"}]
