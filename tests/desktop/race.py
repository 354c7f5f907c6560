"""Run as a program: lets several processes claim one configuration at the same moment, again and again.

``race.py FOLDER ROUNDS STARTERS`` prints for each round how many claimed it. Every starter is a process of its own,
forked from this one so that a round takes milliseconds, and holds its claim until all have tried.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ccproxy_tray.desktop.instance import AlreadyRunning, Instance


def start(folder: Path, gate: int, results: int, leave: int) -> None:
    os.read(gate, 1)  # ends for all at once, when the last writer closes it
    try:
        instance = Instance.claim(folder, folder / "config.yaml")
    except AlreadyRunning:
        os.write(results, b"0")
    else:
        os.write(results, b"1")
        os.read(leave, 1)
        instance.release()
    os._exit(0)


def play(folder: Path, starters: int) -> int:
    gate, open_gate = os.pipe()
    told, results = os.pipe()
    leave, let_leave = os.pipe()
    children = []
    for _ in range(starters):
        child = os.fork()
        if child == 0:
            os.close(open_gate)
            os.close(let_leave)
            start(folder, gate, results, leave)
        children.append(child)
    os.close(open_gate)
    claims = [os.read(told, 1) for _ in range(starters)]
    os.close(let_leave)
    for child in children:
        os.waitpid(child, 0)
    for descriptor in (gate, told, results, leave):
        os.close(descriptor)
    return claims.count(b"1")


if __name__ == "__main__":
    place, rounds, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    sys.stdout.write(" ".join(str(play(place, count)) for _ in range(rounds)))
