from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[None]:
    """I7: any blocking call on the loop fails the test."""
    with blockbuster_ctx("ccproxy_tray"):
        yield
