"""Launch at login: the way of this system, and its repair when the program has moved."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ccproxy_tray.config import files
from ccproxy_tray.desktop.launch_agent import LaunchAgent
from ccproxy_tray.desktop.login import Autostart, CannotLaunchAtLogin, LoginState
from ccproxy_tray.desktop.run_key import Registry, RunKey, WindowsRegistry
from ccproxy_tray.desktop.xdg_autostart import XdgAutostart, config_home

__all__ = ["Autostart", "CannotLaunchAtLogin", "LoginState", "autostart", "repair"]


def autostart(
    platform: str = sys.platform,
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
    registry: Registry | None = None,
) -> Autostart:
    """The list of what starts at login on this system; ``home`` and ``registry`` are the user's own by default."""
    if platform == "win32":
        return RunKey(registry or WindowsRegistry())
    home = home or files.home()
    if platform == "darwin":
        return LaunchAgent(home / "Library" / "LaunchAgents")
    return XdgAutostart(config_home(environ, home) / "autostart")


def repair(entry: Autostart, command: Sequence[str]) -> bool:
    """Store the running program's command where the stored program has gone; True when that was done.

    An entry that leads to another program that is still there is the user's choice (a second installation, another
    configuration), and one that is switched off stays so. Raises CannotLaunchAtLogin.
    """
    state = entry.state(command)
    if not (state.on and state.stale) or os.path.exists(state.program):  # noqa: PTH110 - never raises
        return False
    entry.enable(command)
    return True
