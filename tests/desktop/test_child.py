from __future__ import annotations

from ccproxy_tray.desktop import child


def test_a_frozen_programs_library_path_is_not_passed_on() -> None:
    environ = {"LD_LIBRARY_PATH": "/app/_internal", "LD_PRELOAD": "/app/x.so", "HOME": "/home/me"}
    assert child.environment(environ, frozen=True) == {"HOME": "/home/me"}


def test_the_users_own_library_path_comes_back() -> None:
    environ = {"LD_LIBRARY_PATH": "/app/_internal:/opt/lib", "LD_LIBRARY_PATH_ORIG": "/opt/lib"}
    assert child.environment(environ, frozen=True) == {"LD_LIBRARY_PATH": "/opt/lib"}


def test_an_installed_program_changes_nothing() -> None:
    environ = {"LD_LIBRARY_PATH": "/opt/lib", "LD_LIBRARY_PATH_ORIG": ""}
    assert child.environment(environ, frozen=False) == environ
