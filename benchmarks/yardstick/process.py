"""A process with all its children, from outside: CPU time and memory (Linux)."""

from __future__ import annotations

from pathlib import Path

from benchmarks import idle


def tree(pid: int) -> list[int]:
    """The process and its descendants that are there now."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for task in _tasks(one):
            try:
                waiting += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue
    return found


def cpu(pid: int) -> float:
    """CPU seconds of all threads that live, from the scheduler's own nanoseconds."""
    total = 0
    for one in tree(pid):
        for task in _tasks(one):
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:  # a thread has ended meanwhile
                continue
    return total / 1e9


def pss(pid: int) -> float:
    """Proportional size in MB."""
    total = 0.0
    for one in tree(pid):
        try:
            total += idle.memory(one)[1]
        except (OSError, KeyError):  # a child has ended meanwhile
            continue
    return total


def idling(pid: int, seconds: float) -> tuple[float, float]:
    """Percent of a core, and wake-ups a second, while nothing is asked."""
    members = tree(pid)
    before = {one: idle.read(one) for one in members[1:]}
    spent = cpu(pid)
    _, wakes = idle.watch(pid, seconds)
    woken = sum(wakes.values())
    for one, reading in before.items():
        woken += (sum(idle.read(one).sleeps.values()) - sum(reading.sleeps.values())) / seconds
    return 100 * (cpu(pid) - spent) / seconds, woken


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
