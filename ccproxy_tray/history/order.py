"""The order of requests: each has a seq of its own, the millisecond in which it ended or one that is free soon after.

Laws: a seq that is given is free while the transaction lasts, for that keeps every other writer out. What was known in
one transaction holds in the next only when the greatest seq of the file is still the same.
"""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection

_NONE = -(2**62)


class Order:
    """Gives out the seqs of one file."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = _NONE
        """The greatest seq of all."""
        self._run = _NONE
        """From here to ``_last`` every seq is taken. Where more requests end than there are milliseconds, that runs
        ahead of the clock for minutes: to search it anew for each of them would cost more than to write them."""

    def begin(self) -> None:
        """A transaction has begun."""
        last: int = self._connection.execute("SELECT coalesce(max(seq), ?) FROM requests", (_NONE,)).fetchone()[0]
        if last != self._last:  # another process has written, or what was written here was taken back
            self._run = self._last = last

    def free(self, millis: int, settle: Callable[[], None]) -> int:
        """The first seq from a moment on that is not taken, or one soon after it; from now on it is taken.

        ``settle`` inserts the requests that were given theirs before, where that has to be looked up.
        """
        if millis > self._last:
            self._run = self._last = millis
        elif millis >= self._run:
            self._last += 1
        else:  # the clock was set, or another process is ahead
            settle()
            return self._before(millis)
        return self._last

    def _before(self, millis: int) -> int:
        reach = 1
        while True:
            taken = "SELECT max(seq) FROM requests WHERE seq >= ? AND seq < ?"
            last = self._connection.execute(taken, (millis, millis + reach)).fetchone()[0]
            free = millis if last is None else int(last) + 1
            if free < millis + reach:
                self._last = max(self._last, free)
                return free
            reach *= 10
