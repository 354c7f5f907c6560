from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

from tests.chain.harness import chain

__all__ = ["chain"]


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[None]:
    """Any blocking call on the loop fails the test."""
    with blockbuster_ctx("ccproxy_tray"):
        yield
