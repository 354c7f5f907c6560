"""On what it was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.yardstick.target import Target


def environment(targets: Sequence[Target]) -> dict[str, str]:
    """CPU, load and versions."""
    versions = {target.program: target.version for target in targets if target.version}
    return {
        "CPU": f"{os.cpu_count()} cores, {_cpu()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{_system()}, Linux {platform.release()}",
        "Python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        **versions,
    }


def busy() -> str:
    """The load average over the last minute."""
    return f"{os.getloadavg()[0]:.2f}"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()
