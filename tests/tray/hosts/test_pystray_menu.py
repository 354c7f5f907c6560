from __future__ import annotations

import os
import sys

import pytest

from ccproxy_tray.tray.hosts import pystray_menu
from tests.tray.hosts.stage import afresh


def test_a_backend_is_loaded_whatever_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with afresh():
        monkeypatch.setenv("PYSTRAY_BACKEND", "xorg")
        monkeypatch.delenv("DISPLAY", raising=False)
        assert pystray_menu.load("_dummy").Icon is sys.modules["pystray"].Icon
        assert os.environ["PYSTRAY_BACKEND"] == "xorg"


def test_no_trace_is_left_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with afresh():
        monkeypatch.delenv("PYSTRAY_BACKEND", raising=False)
        pystray_menu.load("_base")
        assert "PYSTRAY_BACKEND" not in os.environ
        assert "pystray._xorg" not in sys.modules
