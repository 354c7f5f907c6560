from __future__ import annotations

import errno
import os
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccproxy_tray.desktop import lock
from ccproxy_tray.desktop.lock import Flock, Lock, RegionLock, native


class Region:
    """One byte of one file as Windows' C library locks it: for one descriptor, refused to all others."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        self.holder: int | None = None

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (os.lseek(descriptor, 0, os.SEEK_CUR), count) == (0, 1)
        if mode == self.LK_UNLCK:
            assert self.holder == descriptor
            self.holder = None
        elif self.holder is not None:
            raise PermissionError(errno.EACCES, "Permission denied")
        else:
            self.holder = descriptor


@pytest.fixture(params=["this system", "windows"])
def one(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lock:
    monkeypatch.setattr(lock, "_PAUSE", 0)
    if request.param == "this system" or sys.platform == "win32":
        return native()
    module = types.ModuleType("msvcrt")
    region = Region()
    vars(module).update(locking=region.locking, LK_NBLCK=region.LK_NBLCK, LK_UNLCK=region.LK_UNLCK)
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    return RegionLock()


@pytest.fixture
def descriptors(tmp_path: Path) -> Iterator[tuple[int, int]]:
    first, second = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    os.write(first, b"x")  # the position of the descriptor is not where the lock is
    yield first, second
    os.close(first)
    os.close(second)


def test_one_takes_it_and_the_other_does_not(one: Lock, descriptors: tuple[int, int]) -> None:
    first, second = descriptors
    assert not one.held(second)
    assert one.take(first)
    assert one.held(second)
    assert not one.take(second)


def test_looking_leaves_it_free(one: Lock, descriptors: tuple[int, int]) -> None:
    first, second = descriptors
    assert not one.held(first)
    assert one.take(second)


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
def test_a_holder_is_not_waited_for(descriptors: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = descriptors
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    assert Flock().take(first)
    assert not Flock().take(second)


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
def test_an_onlooker_is_waited_for(descriptors: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    first, second = descriptors
    fcntl.flock(second, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(second, fcntl.LOCK_UN))
    assert Flock().take(first)


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
def test_an_onlooker_who_never_leaves_is_a_holder(
    descriptors: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr(lock, "_PAUSE", 0)
    first, second = descriptors
    fcntl.flock(second, fcntl.LOCK_SH)
    assert not Flock().take(first)


def test_a_file_system_without_locks_is_told_from_a_lock_that_is_taken(
    one: Lock, descriptors: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    module = one._fcntl if isinstance(one, Flock) else one._msvcrt  # type: ignore[attr-defined]  # one of the two
    monkeypatch.setattr(module, "flock" if isinstance(one, Flock) else "locking", none)
    with pytest.raises(OSError, match="No locks available"):
        one.take(descriptors[0])
    with pytest.raises(OSError, match="No locks available"):
        one.held(descriptors[0])


def test_windows_gets_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msvcrt", types.ModuleType("msvcrt"))
    monkeypatch.setattr(lock, "os", types.SimpleNamespace(name="nt"))
    assert isinstance(native(), RegionLock)
