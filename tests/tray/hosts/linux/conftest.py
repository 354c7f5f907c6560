from collections.abc import AsyncIterator, Iterator

import pytest

from tests.tray.bus import PrivateBus, private_bus
from tests.tray.panel import Notifications, Panel


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with private_bus() as started:
        yield started


@pytest.fixture
async def panel(bus: PrivateBus) -> AsyncIterator[Panel]:
    async with await Panel.join(bus) as joined:
        yield joined


@pytest.fixture
async def notifications(bus: PrivateBus) -> AsyncIterator[Notifications]:
    async with await Notifications.join(bus) as joined:
        yield joined
