"""What is left when the program is killed. ``CCPROXY_KILLS`` says how often it is."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from ccproxy_tray.history.query import Query
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.history.recorder import FILE
from ccproxy_tray.history.writer import GATHER_SECONDS
from tests.history.past import check_sums

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("CCPROXY_KILLS", "4"))
LOST_SECONDS = 1.0


def write_and_be_killed(folder: Path, first: int, lines: int) -> list[tuple[str, float]]:
    """A process that writes until it has said so many lines; the ids that it told, and when."""
    command = [sys.executable, "-m", "tests.history.crash", str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().split() for _ in range(lines)]
        process.kill()
        told += [line.split() for line in process.stdout.read().split("\n")[:-1]]  # the last may be torn
    return [(f"req_{int(number):06}", float(at)) for number, at in told]


def test_a_killed_program_leaves_a_whole_file_without_at_most_the_last_second(tmp_path: Path) -> None:
    chance = random.Random(1)
    told: list[tuple[str, float]] = []
    looked = 0
    for _ in range(KILLS):
        told = write_and_be_killed(tmp_path, int(told[-1][0][4:]) if told else 0, chance.randrange(300, 700))
        assert check_sums(tmp_path / FILE)
        rows = {each["id"]: each["time"] for each in Reader(tmp_path / FILE).rows(Query())}
        oldest, end = min(rows.values()), told[-1][1]
        # Those before the oldest were too many for the file.
        due = {name for name, at in told if oldest + 0.1 < at < end - LOST_SECONDS}
        assert due <= rows.keys()
        looked += len(due)
    assert looked, "some were old enough to have to be there"
    assert GATHER_SECONDS <= LOST_SECONDS / 2
