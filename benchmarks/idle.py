"""What the idle program costs: CPU, wake-ups, memory, start. Linux only; needs ``dbus-daemon`` for the tray.

    python benchmarks/idle.py [--seconds 60]

Starts the program as a user would, with the default configuration, on a session bus of its own without a panel,
waits until it has settled, and watches it for a while from outside. No request is sent.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ccproxy_tray.config.schema import Config, Loaded
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.tray import menu

TICKS = os.sysconf("SC_CLK_TCK")
SETTLING = 8.0
"""Seconds after the first answer: imports, credentials and the first pictures are done."""
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters of a process at one moment: CPU seconds, and by thread how often it went to sleep by itself."""

    at: float
    cpu: float
    sleeps: Mapping[str, int]


def read(pid: int) -> Reading:
    """The counters now. A thread that goes to sleep has been woken up before."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    sleeps = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        sleeps[f"{task.name} {status['Name']}"] = int(status["voluntary_ctxt_switches"])
    return Reading(time.monotonic(), (int(fields[11]) + int(fields[12])) / TICKS, sleeps)


def memory(pid: int) -> tuple[float, float]:
    """Resident and proportional size in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.endswith("kB")}
    return sizes["Rss"], sizes["Pss"]


@contextmanager
def bus(folder: Path) -> Iterator[str]:
    """A session bus of its own; gives its address."""
    path = folder / "bus"
    (folder / "bus.conf").write_text(BUS.format(path=path))
    command = ["dbus-daemon", f"--config-file={folder / 'bus.conf'}", "--nofork", "--nopidfile"]
    with subprocess.Popen(command) as daemon:
        while not path.exists():
            time.sleep(0.01)
        try:
            yield f"unix:path={path}"
        finally:
            daemon.terminate()


@contextmanager
def program(folder: Path, command: str, address: str) -> Iterator[tuple[int, float]]:
    """The running program: its process id, and the seconds to its first answer."""
    port = "18765"
    environ = {"HOME": str(folder), "PATH": os.environ["PATH"], "DBUS_SESSION_BUS_ADDRESS": address, "PORT": port}
    environ |= {"AWS_EC2_METADATA_DISABLED": "true"}
    began = time.monotonic()
    with (folder / f"{command}.out").open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "ccproxy_tray", command], env=environ, stdout=out, stderr=out)
        try:
            while not answers(f"http://127.0.0.1:{port}/health"):
                if process.poll() is not None:
                    sys.exit((folder / f"{command}.out").read_text())
                time.sleep(0.01)
            first = time.monotonic() - began
            time.sleep(SETTLING)
            yield process.pid, first
        finally:
            process.terminate()
            process.wait(30)


def answers(url: str) -> bool:
    """Whether somebody serves there."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def watch(pid: int, seconds: float) -> tuple[float, Mapping[str, float]]:
    """Percent of one core, and the wake-ups a second of each thread."""
    before = read(pid)
    time.sleep(seconds)
    after = read(pid)
    span = after.at - before.at
    wakes = {name: (count - before.sleeps.get(name, 0)) / span for name, count in after.sleeps.items()}
    return 100 * (after.cpu - before.cpu) / span, wakes


def rebuild() -> float:
    """Milliseconds for one menu."""
    snapshot = Snapshot("0", 0.0, loaded=Loaded(Config(), "config.yaml", {}))
    rounds = 2000
    began = time.perf_counter()
    for _ in range(rounds):
        menu.view(snapshot, 1000.0)
    return 1000 * (time.perf_counter() - began) / rounds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each is watched (default: 60)")
    seconds = parser.parse_args().seconds
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    print(
        "\n| program | CPU, % of a core | wake-ups/s | RSS, MB | PSS, MB | first answer, s |\n|---|---|---|---|---|---|"
    )
    for command in ("serve", "tray"):
        with (
            tempfile.TemporaryDirectory() as name,
            bus(Path(name)) as address,
            program(Path(name), command, address) as (pid, first),
        ):
            cpu, wakes = watch(pid, seconds)
            rss, pss = memory(pid)
        print(f"| {command} | {cpu:.3f} | {sum(wakes.values()):.2f} | {rss:.1f} | {pss:.1f} | {first:.2f} |")
        for thread, rate in sorted(wakes.items(), key=lambda item: -item[1]):
            if rate > 0:
                print(f"<!-- {command}: {thread}: {rate:.2f}/s -->")
    print(f"\nMenu rebuild: {rebuild():.3f} ms")


if __name__ == "__main__":
    main()
