from __future__ import annotations

from ccproxy_tray.config.environment import VARIABLES, Overlay
from ccproxy_tray.config.load import load
from ccproxy_tray.config.report import Place


def test_every_variable_decides_a_key_that_exists() -> None:
    assert set(VARIABLES.values()) <= set(load(None, {}).sources)


def test_the_command_line_comes_first_and_what_nobody_asked_for_remains() -> None:
    overlay = Overlay({"PORT": "1", "READ_TIMEOUT": "2s"}, {"server.port": "3"})

    assert overlay.take("server.port") == ("command line", "3")
    assert overlay.take("server.host") is None
    assert overlay.unused == ("server.read_timeout",)
    assert overlay.place("server.port") == Place(0, "command line", "server.port")
    assert overlay.place("server.read_timeout") == Place(0, "READ_TIMEOUT")
