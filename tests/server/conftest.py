from collections.abc import AsyncIterator, Iterator

import pytest
from blockbuster import blockbuster_ctx

from tests.server.harness import Client, serving


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[None]:
    """Any blocking call on the loop fails the test."""
    with blockbuster_ctx():
        yield


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """An endpoint with default settings."""
    async with serving() as running:
        yield running
