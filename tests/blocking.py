"""The guard that fails a test when the loop is held up by a blocking call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from blockbuster import BlockBuster, blockbuster_ctx


@contextmanager
def nothing_blocks(*modules: str) -> Iterator[BlockBuster]:
    """Any blocking call on a loop raises; with ``modules``, only one that comes from there."""
    with blockbuster_ctx(list(modules) or None) as guard:
        # The tracer's own lock, which it shares with the tracers of other threads.
        guard.functions["threading.Lock.acquire"].can_block_in("coverage/collector.py", "lock_data")
        yield guard
