"""A process that writes a history until it is killed: says each request's number, once it has ended."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from ccproxy_tray.config.schema import History
from ccproxy_tray.history.recorder import FILE, Recorder
from tests.history.past import body, fell_back, plain, served


def complain(problem: str) -> None:
    """Nothing should be wrong."""
    sys.stderr.write(f"Told: {problem}\n")


async def main(folder: Path, first: int) -> None:
    """Requests without end, some hundred a second, with bodies and deletions."""
    keeper = Recorder(folder / FILE, History(retention_days=0, max_megabytes=3, bodies=True), plain, complain)
    number = first
    while True:
        for _ in range(5):
            number += 1
            at = time.time()
            keeper.take(body(number, b'{"text": "' + b"%d" % number * 500 + b'"}'))
            keeper.take(served(number, at, session=f"s{number % 7}") if number % 3 else fell_back(number, at))
            sys.stdout.write(f"{number} {at}\n")
            sys.stdout.flush()
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
