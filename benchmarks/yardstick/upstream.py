"""The upstream process: what it answers, and what it has seen."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.yardstick import answer, tool


@dataclass(frozen=True, slots=True)
class Counts:
    """What the upstream has seen since it was last asked."""

    connections: int
    answered: int
    refused: int


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running upstream; it answers JSON until told otherwise."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, mode: str) -> None:
        """From now on: ``json``, ``burst``, or ``paced`` with the nanoseconds between two deltas."""
        self._ask(mode)

    def counts(self) -> Counts:
        """What it has seen since the last call."""
        connections, answered, refused = self._ask("counts").split()
        return Counts(int(connections), int(answered), int(refused))

    def _ask(self, line: str) -> str:
        if not self.process.stdin or not self.process.stdout:
            raise RuntimeError("the upstream has no pipes")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@contextmanager
def upstream(folder: Path) -> Iterator[Upstream]:
    """An upstream that ends with the block."""
    answer.write(folder)
    command = [str(tool.compiled("upstream")), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if not process.stdout or not process.stdin:
            raise RuntimeError("the upstream has no pipes")
        try:
            yield Upstream(int(process.stdout.readline()), process)
        finally:
            process.stdin.close()
