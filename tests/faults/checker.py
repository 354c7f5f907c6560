"""What must hold whatever goes wrong: the invariants of the fault matrix, checked in one place.

I1 one well-formed answer. I2 its text is a prefix of exactly one attempt. I3 what was not cut short is whole.
I4 nothing is left behind. I5 what cools, by /debug. I6 one record of each failed attempt, one log line for each
request, no secret anywhere. I7 the loop is never held up.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.faultd import Call
from tests.faults.wire import TOKEN, text_of
from tests.strict_sse import check

LONGEST_TURN = 0.25
"""CPU seconds for which anything may hold up the loop. The aim is 0.05; the rest is for slow machines."""
PATIENCE = 20.0
"""Seconds after which a test has failed. Nothing waits for it to pass."""
_FDS = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class Answered:
    """What the client got, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def streamed(self) -> bool:
        """Whether it came as server-sent events."""
        return self.headers["Content-Type"].startswith("text/event-stream")

    @property
    def error(self) -> dict[str, Any]:
        """The error that it is or ends in; empty when it is neither."""
        if self.status != 200:
            refusal: dict[str, Any] = json.loads(self.body)["error"]
            return refusal
        found: dict[str, Any] = {}
        last = self.body.rstrip().rpartition(b"\n\n")[2]
        if self.streamed and last.startswith(b"event: error\ndata: "):
            found = json.loads(last.partition(b"data: ")[2])["error"]
        return found

    def message(self) -> dict[str, Any]:
        """The Message, as far as it came. Fails for anything that a strict client would not take."""
        if not self.streamed:
            whole: dict[str, Any] = json.loads(self.body)
            return whole
        problems, message = check(self.body, allow_error=True)
        assert not problems, problems
        return message or {"content": []}

    def text(self) -> str:
        """The text of its text blocks."""
        return "".join(block["text"] for block in self.message()["content"] if block["type"] == "text")


def check_answer(answered: Answered, calls: Iterable[Call]) -> None:
    """I1, I2 and I3 for one answer; ``calls`` are all that the upstreams saw."""
    assert answered.headers["request-id"].startswith("req_")
    if answered.status != 200:
        envelope = json.loads(answered.body)
        assert envelope["type"] == "error"
        assert isinstance(envelope["request_id"], str)
        assert isinstance(envelope["error"]["type"], str)
        assert envelope["error"]["message"]
        return
    message = answered.message()
    assert answered.error or message["stop_reason"], "neither complete nor an error"
    assert answered.body.count(b"event: message_start") <= 1
    said = answered.text()
    found = TOKEN.findall(said)
    if found:
        idents = {ident for ident, _ in found}
        assert len(idents) == 1, f"two answers are glued together: {said}"
        [ident] = idents
        assert "".join(f"<{i}.{n}>" for i, n in found) == text_of(ident, len(found)), f"gaps or repetitions: {said}"
        [promised] = [call.promised for call in calls if call.ident == ident]
        assert answered.error or len(found) == promised, f"{len(found)} of {promised} tokens, and no error"


def check_secrets(texts: Iterable[tuple[str, str]], secret: str) -> None:
    """The secret stands in no text; each comes with the name of where it was found."""
    for place, text in texts:
        at = text.find(secret)
        assert at < 0, f"{place} tells a secret: {text[max(0, at - 80) : at + 80]!r}"


def sockets() -> int:
    """Open file descriptors of this process; 0 where the system does not tell."""
    return len(os.listdir(_FDS)) if _FDS.exists() else 0  # noqa: PTH208 - a count, not paths


def tasks() -> set[asyncio.Task[Any]]:
    """Everything that runs on this loop, this very task included."""
    return {task for task in asyncio.all_tasks() if not task.done()}


async def settled(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    """Come back as soon as the condition holds. For what ends by itself and tells nobody."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - there is no event for "everything has come to rest"
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"never came to rest: {what()}") from None
