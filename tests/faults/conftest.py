from collections.abc import Iterator

import pytest

from tests.blocking import nothing_blocks


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[None]:
    """I7: any blocking call on the loop fails the test."""
    with nothing_blocks("ccproxy_tray"):
        yield
