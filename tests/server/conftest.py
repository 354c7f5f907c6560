from collections.abc import AsyncIterator, Iterator

import pytest

from tests.blocking import nothing_blocks
from tests.server.harness import Client, serving


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[None]:
    """Any blocking call on the loop fails the test."""
    with nothing_blocks():
        yield


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """An endpoint with default settings."""
    async with serving() as running:
        yield running
