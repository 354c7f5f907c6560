from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray import memory
from ccproxy_tray.memory import FILE, Memory


async def saved(path: Path, state: dict[str, Any]) -> None:
    """Touch and close, as a program that stops at once would."""
    kept = Memory(path, lambda: state)
    kept.touch()
    await kept.close()


async def test_what_was_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "made" / FILE
    await saved(path, {"a": 1})
    assert await Memory(path, dict).load() == {"a": 1}
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == [FILE], "no temporary file stays behind"


async def test_a_change_is_written_soon_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SETTLE_SECONDS", 0.0)
    kept = Memory(tmp_path / FILE, lambda: {"a": 2})
    kept.touch()
    kept.touch()
    assert kept._saving is not None
    await kept._saving
    assert (tmp_path / FILE).read_text() == '{"a": 2}'
    (tmp_path / FILE).unlink()
    await kept.close()
    assert not (tmp_path / FILE).exists(), "nothing has changed since"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_a_spoilt_file_is_forgotten(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert await Memory(tmp_path / FILE, dict).load() is None
    assert "cannot be read" in caplog.text


async def test_without_a_file_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert await Memory(tmp_path / FILE, dict).load() is None
    assert not caplog.records


async def test_a_folder_that_cannot_be_made_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    await saved(tmp_path / "file" / FILE, {})
    assert "cannot be written" in caplog.text


async def test_a_change_during_a_write_is_written_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SETTLE_SECONDS", 0.0)
    state = {"a": 1}
    kept = Memory(tmp_path / FILE, lambda: state)
    loop, write = asyncio.get_running_loop(), kept._write

    async def change() -> None:
        state["a"] = 2
        kept.touch()

    def changing(text: str) -> None:
        if state["a"] == 1:
            asyncio.run_coroutine_threadsafe(change(), loop).result(10)
        write(text)

    monkeypatch.setattr(kept, "_write", changing)
    kept.touch()
    await kept.close()
    assert (tmp_path / FILE).read_text() == '{"a": 2}'


@pytest.mark.skipif(os.name == "nt", reason="links take rights there")
async def test_a_link_that_leads_in_a_circle_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / FILE
    path.symlink_to(FILE)
    assert await Memory(path, dict).load() is None
    assert "cannot be read" in caplog.text
    await saved(path, {"a": 3})
    assert await Memory(path, dict).load() == {"a": 3}


def test_a_drive_that_does_not_answer_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    release, written = threading.Event(), threading.Event()

    def write(_path: Path, _text: str) -> None:
        release.wait(10)
        written.set()

    monkeypatch.setattr(memory, "write_atomically", write)
    monkeypatch.setattr(memory, "CLOSE_SECONDS", 0.0)
    asyncio.run(saved(tmp_path / FILE, {}))
    assert not written.is_set()
    assert "could not be written in time" in caplog.text
    release.set()
