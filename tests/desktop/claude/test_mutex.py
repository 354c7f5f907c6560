"""The lock between programs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ccproxy_tray.desktop import lock, mutex
from ccproxy_tray.desktop.mutex import Busy, held


def test_a_second_holder_is_told_and_the_lock_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.lock"
    with held(path), pytest.raises(Busy, match="Another ccproxy-tray"), held(path, patience=0):
        pass
    with held(path, patience=0):
        assert path.exists()


def test_a_second_holder_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.lock"
    first = held(path)
    first.__enter__()
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        first.__exit__(None, None, None)

    monkeypatch.setattr(time, "sleep", pause)
    with held(path):
        assert pauses == [mutex.PAUSE_SECONDS]


def test_without_locks_on_the_file_system_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(_lock: object, _descriptor: int) -> bool:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(type(lock.native()), "take", without)
    with held(tmp_path / "x.lock"):
        assert (tmp_path / "x.lock").exists()
