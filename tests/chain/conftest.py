from collections.abc import Iterator

import pytest

from tests.blocking import nothing_blocks
from tests.chain.harness import chain

__all__ = ["chain"]


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[None]:
    """Any blocking call on the loop fails the test."""
    with nothing_blocks("ccproxy_tray"):
        yield
