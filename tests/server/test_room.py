from __future__ import annotations

import pytest

from ccproxy_tray.server.room import ENOUGH, room

resource = pytest.importorskip("resource")
ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "clients"),
    [
        (256, ENDLESS, ENOUGH, 4080),
        (1024, 1_048_576, ENOUGH, 4080),
        (64, 64, None, 16),
        (8, 8, None, 1),
        (64, 128, 128, 48),
        (20_000, 20_000, None, 4080),
        (ENDLESS, ENDLESS, None, 4080),
    ],
)
def test_as_many_files_are_asked_for_as_may_be_had(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, asked: int | None, clients: int
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    assert room() == clients
    assert limits == ([] if asked is None else [(asked, hard)])


def test_a_system_that_refuses_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_kind: int, _both: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert room() == 112
