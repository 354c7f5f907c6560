"""What is measured: each row is a load that every target gets in turn."""

from __future__ import annotations

from dataclasses import dataclass

KB = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """A load. ``pace`` is nanoseconds between deltas: 0 for a burst, None for a whole JSON answer.

    ``seconds`` is how long a round asks, for ``least`` to ``most`` requests. ``lanes`` are those of our own program
    and of ``peers`` that take part. ``heavy`` rows are left out of ``--quick``.
    """

    name: str
    size: int
    connections: int = 1
    pace: int | None = None
    seconds: float = 2.0
    least: int = 20
    most: int = 1_000_000
    lanes: tuple[str, ...] = ("anthropic", "chat", "bedrock")
    peers: bool = True
    heavy: bool = False

    @property
    def streams(self) -> bool:
        """Whether answers are streamed."""
        return self.pace is not None

    @property
    def mode(self) -> str:
        """What the upstream is told."""
        return "json" if self.pace is None else f"paced {self.pace}" if self.pace else "burst"


MS = 1_000_000
ROWS = (
    Row("json-1k", KB),
    Row("json-1k-c32", KB, 32, least=64),
    Row("json-150k", 150 * KB),
    Row("json-150k-c32", 150 * KB, 32, least=64, heavy=True),
    Row("json-1m", 1000 * KB, least=5, heavy=True),
    Row("burst-1k", KB, pace=0),
    Row("burst-150k", 150 * KB, pace=0),
    Row("burst-150k-c10", 150 * KB, 10, pace=0, least=20, heavy=True),
    Row("paced1-150k", 150 * KB, pace=1 * MS, least=5),
    Row("paced1-150k-c10", 150 * KB, 10, pace=1 * MS, least=20, heavy=True),
    Row("paced10-1k-c100", KB, 100, pace=10 * MS, seconds=0, least=200, most=200, heavy=True),
    Row("paced10-1k-c500", KB, 500, pace=10 * MS, seconds=0, least=1000, most=1000, heavy=True),
    Row("fallback-1k", KB, lanes=("anthropic", "fallback", "cooling"), peers=False),
)
"""Names: kind of answer (``paced1``: a delta each millisecond), size of the request body, connections when not one."""
LIFE = "life"
"""The row that is no load: start, first answer, idling, memory with many streams, all of a fresh process."""
CROWD = Row("crowd", 150 * KB, 200, pace=10 * MS, seconds=0, least=200, most=200)
"""The load of ``life``: 200 streams with bodies of 150 KB."""


def chosen(names: str | None, *, quick: bool) -> tuple[Row, ...]:
    """The rows that are asked for by name, or those of a quick or a whole run. ValueError names an unknown one."""
    if not names:
        return tuple(row for row in ROWS if not (quick and row.heavy))
    known = {row.name: row for row in ROWS}
    wanted = [name for name in names.split(",") if name != LIFE]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"no such row: {', '.join(unknown)}; there are {', '.join([*known, LIFE])}")
    return tuple(known[name] for name in wanted)
