from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccproxy_tray.desktop.claude_code import Hookup


@dataclass(frozen=True)
class World:
    """A user's home with Claude Code's settings, and the program's data folder."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "home" / ".claude" / "settings.json"

    @property
    def record(self) -> Path:
        return self.root / "data" / "claude-code.json"

    @property
    def hookup(self) -> Hookup:
        """A new one each time, as after a start."""
        return Hookup(self.settings, self.record)

    def write(self, text: str | bytes) -> None:
        self.settings.parent.mkdir(parents=True, exist_ok=True)
        self.settings.write_bytes(text if isinstance(text, bytes) else text.encode())

    def read(self) -> str | None:
        return self.settings.read_bytes().decode() if self.settings.exists() else None

    def left(self) -> list[str]:
        """Everything there is but the lock, which stays."""
        found = (Path(folder, name) for folder, names, files in os.walk(self.root) for name in (*names, *files))
        return sorted(str(path.relative_to(self.root)) for path in found if path.suffix != ".lock")


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "home").mkdir()
    return World(tmp_path)


@pytest.fixture(autouse=True, scope="session")
def quick_disk() -> Iterator[None]:
    """Nothing here cuts the power, and waiting for the disk is most of the time that these tests would take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield
