"""The command that starts this very program again, from nothing: no shell, no current folder, no environment."""

from __future__ import annotations

import re
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ccproxy_tray.config import files
from ccproxy_tray.config.environment import DATA_VARIABLE
from ccproxy_tray.desktop.login import CannotLaunchAtLogin

_UV_CACHE = re.compile(r"(archive|environments|builds)-v\d+")
"""The folders of uv's cache that hold programs ("Caching", uv's documentation); uv may empty them at any time."""
_PIPX_CACHE = {".cache", "cache", "Cache"}
_TRANSLOCATED = "AppTranslocation"
"""Where macOS runs a downloaded app from until it is moved."""


@dataclass(frozen=True, slots=True)
class Start:
    """How the running program came to run.

    ``scripts``: where an installer puts its scripts, the likeliest first. ``installed``: whether the interpreter finds
    the package without help of the current folder. ``temporary``: folders that are emptied.
    """

    platform: str
    executable: str
    frozen: bool
    scripts: tuple[Path, ...]
    temporary: tuple[Path, ...]
    installed: Callable[[], bool]


def current() -> Start:
    """How this process came to run. The interpreter's path keeps its links: they make the virtual environment."""
    scripts = (Path(sys.executable).absolute().parent, Path(sysconfig.get_path("scripts")))
    temporary = [tempfile.gettempdir(), *(() if sys.platform == "win32" else ("/tmp", "/var/tmp"))]  # noqa: S108 - compared only
    places = {place for text in temporary for place in (Path(text), Path(text).resolve())}
    frozen = bool(getattr(sys, "frozen", False))
    return Start(sys.platform, sys.executable, frozen, scripts, tuple(places), _installed)


def launch_command(config: Path, environ: Mapping[str, str], start: Start | None = None) -> tuple[str, ...]:
    """What to run at login for the tray with this configuration file, and with the data folder of this environment.

    A file in its usual place is not named, nor a folder that no variable names: what holds in a terminal (or was set
    there for one start) holds for nothing that the desktop starts. Raises CannotLaunchAtLogin when the program will not
    be there by then.
    """
    start = start or current()
    program = _program(environ, start)
    config = config.absolute()
    chosen = () if config == files.config_path({}).absolute() else ("--config", str(config))
    data = ("--data-dir", str(files.data_dir(environ).absolute())) if environ.get(DATA_VARIABLE, "").strip() else ()
    return (*program, "tray", *chosen, *data)


def _program(environ: Mapping[str, str], start: Start) -> tuple[str, ...]:
    executable = Path(start.executable).absolute()
    if "FLATPAK_ID" in environ or ("SNAP" in environ and executable.is_relative_to(environ["SNAP"])):
        raise CannotLaunchAtLogin(
            "A program in a sandbox cannot add itself: add ccproxy-tray in the desktop's own list of startup programs."
        )
    image = _image(executable, environ)
    _refuse_passing(image or executable, environ, start)
    if image is not None:
        return (str(image),)
    if start.frozen:
        return (str(executable),)
    return _script(start) or _module(executable, start)


def _image(executable: Path, environ: Mapping[str, str]) -> Path | None:
    """The AppImage that runs. A terminal in somebody else's AppImage hands its variables on, too."""
    image, mounted = environ.get("APPIMAGE", ""), environ.get("APPDIR", "")
    return Path(image).absolute() if image and mounted and executable.is_relative_to(mounted) else None


def _refuse_passing(program: Path, environ: Mapping[str, str], start: Start) -> None:
    """Refuse a program that will not be there at the next login."""
    parts = set(program.parts)
    uv = environ.get("UV_CACHE_DIR", "")
    if any(map(_UV_CACHE.fullmatch, parts)) or (uv and program.is_relative_to(uv)):
        raise _passing("runs from uv's cache, which may be emptied: install it with `uv tool install ccproxy-tray`")
    if "pipx" in parts and parts & _PIPX_CACHE:
        raise _passing("runs from pipx's cache, which is emptied: install it with `pipx install ccproxy-tray`")
    if start.platform == "darwin" and _TRANSLOCATED in parts:
        raise _passing("runs from a temporary place of macOS: move the app to the Applications folder")
    if any(map(program.is_relative_to, start.temporary)):
        raise _passing(f"lies in a temporary folder ({program}): move it to a lasting place")


def _passing(text: str) -> CannotLaunchAtLogin:
    return CannotLaunchAtLogin(f"ccproxy-tray {text}, start it from there, then switch on launch at login.")


def _script(start: Start) -> tuple[str, ...]:
    """The installer's own starter; on Windows the one without a console window."""
    name = "ccproxy-trayw.exe" if start.platform == "win32" else "ccproxy-tray"
    return next(((str(folder / name),) for folder in start.scripts if (folder / name).is_file()), ())


def _module(executable: Path, start: Start) -> tuple[str, ...]:
    if not start.installed():
        raise _passing("runs from a folder that Python does not search at login: install it (`pip install .`)")
    windowless = executable.with_name("pythonw.exe")
    if start.platform == "win32" and windowless.is_file():
        executable = windowless
    return (str(executable), "-m", "ccproxy_tray")


def _installed() -> bool:
    try:
        metadata.distribution("ccproxy-tray")
    except metadata.PackageNotFoundError:
        return False
    return True
