"""Finds the clients that come from npm, and installs them when asked to: ``python -m tests.clients.install``.

They go into the user's cache, without running any script of theirs; nothing global, nothing in the checkout.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

CLAUDE_VERSION = "2.1.330"
SDK_VERSION = "1.12.0"
PATIENCE = 500
"""Seconds that npm gets; Claude Code alone is 381 MB."""
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "win32"}


class NotThere(Exception):
    """A client that is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package in a folder of its own. ``marker`` is a file that is there once it is installed."""

    name: str
    version: str
    marker: str

    def folder(self, cache: Path) -> Path:
        """Where it is installed."""
        return cache / f"{self.name.rpartition('/')[2]}-{self.version}"

    def path(self, cache: Path) -> Path:
        """The installed package's marker."""
        return self.folder(cache) / "node_modules" / self.name / self.marker


def claude_package() -> Package:
    """Claude Code for this machine: the platform's own package holds the program itself."""
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    system = _SYSTEMS.get(sys.platform, sys.platform)
    musl = "-musl" if system == "linux" and platform.libc_ver()[0] != "glibc" else ""
    program = "claude.exe" if system == "win32" else "claude"
    return Package(f"@anthropic-ai/claude-code-{system}-{machine}{musl}", CLAUDE_VERSION, program)


SDK = Package("@anthropic-ai/sdk", SDK_VERSION, "package.json")


def claude(environ: Mapping[str, str]) -> Path:
    """The program. Raises NotThere."""
    if given := environ.get("CCPROXY_TEST_CLAUDE"):
        return Path(given)
    return _provide(claude_package(), environ)


def typescript_sdk(environ: Mapping[str, str]) -> Path:
    """The folder whose ``node_modules`` holds the SDK. Raises NotThere."""
    if shutil.which("node") is None:
        raise NotThere("Node is not installed")
    return _provide(SDK, environ).parents[3]


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether missing clients are installed: in CI, and for whoever asks."""
    return required(environ) or environ.get("CCPROXY_TEST_INSTALL", "") not in ("", "0")


def required(environ: Mapping[str, str]) -> bool:
    """Whether a missing client is a failure: in CI nothing is left out."""
    return environ.get("CI", "").lower() in ("1", "true")


def _provide(package: Package, environ: Mapping[str, str]) -> Path:
    cache = Path(platformdirs.user_cache_dir("ccproxy-tray-tests", appauthor=False))
    path = package.path(cache)
    if not path.exists() and wanted(environ):
        _install(package, cache)
    if not path.exists():
        raise NotThere(f"{package.name} is not installed: CCPROXY_TEST_INSTALL=1 has the tests install it with npm")
    return path


def _install(package: Package, cache: Path) -> None:
    """Installed aside and then moved into place: tests that run side by side never see half of it."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotThere("npm is not installed")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as aside:
        folder = Path(aside) / "made"
        folder.mkdir()
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
        command = [npm, "install", *quiet, f"{package.name}@{package.version}"]
        done = subprocess.run(command, cwd=folder, timeout=PATIENCE, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotThere(f"npm cannot install {package.name}: {done.stderr.strip()[-500:]}")
        with contextlib.suppress(OSError):  # somebody else was faster
            folder.rename(package.folder(cache))


def main() -> None:
    """Install everything now, so that no test has to wait for it."""
    environ = {**os.environ, "CCPROXY_TEST_INSTALL": "1"}
    for path in (claude(environ), typescript_sdk(environ)):
        print(path)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
