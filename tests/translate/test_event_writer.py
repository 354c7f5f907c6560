"""The grammar of a streamed message."""

from __future__ import annotations

import json
from typing import Any

from ccproxy_tray.translate.event_writer import EventWriter
from ccproxy_tray.translate.stream import Progress


def events(raw: bytes) -> list[tuple[str, Any]]:
    found = []
    for event in raw.decode().removesuffix("\n\n").split("\n\n"):
        name, data = event.removeprefix("event: ").split("\ndata: ")
        fields = json.loads(data)
        assert fields.pop("type") == name
        found.append((name, fields))
    return found


def test_events_are_named_numbered_and_taken_once() -> None:
    writer = EventWriter(Progress())
    writer.open({"type": "text", "text": ""})
    writer.append('say "hi"\n')
    writer.close()
    writer.open({"type": "redacted_thinking", "data": "ENC"})
    writer.close()
    start, stop = "content_block_start", "content_block_stop"
    assert events(writer.take()) == [
        (start, {"index": 0, "content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": 'say "hi"\n'}}),
        (stop, {"index": 0}),
        (start, {"index": 1, "content_block": {"type": "redacted_thinking", "data": "ENC"}}),
        (stop, {"index": 1}),
    ]
    assert writer.take() == b""


def test_half_a_surrogate_pair_survives() -> None:
    writer = EventWriter(Progress())
    writer.open({"type": "text", "text": ""})
    writer.append("\ud83d")
    assert b'"text":"\\ud83d"' in writer.take()


def test_only_what_commits_counts_as_content() -> None:
    progress = Progress()
    writer = EventWriter(progress)
    writer.start({"id": "msg_1"})
    writer.open({"type": "thinking", "thinking": "", "signature": ""})
    assert (progress.started, progress.content) == (True, False)
    writer.sign("SIG")
    assert progress.content


def test_a_tool_call_commits_when_it_starts() -> None:
    progress = Progress()
    EventWriter(progress).open({"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}})
    assert progress.content


def test_the_end_is_known_to_the_progress() -> None:
    progress = Progress()
    EventWriter(progress).end("end_turn", {"output_tokens": 1})
    assert (progress.content, progress.finished, progress.stop_reason) == (True, True, "end_turn")
