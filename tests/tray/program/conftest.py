import signal
from collections.abc import Iterator

import pytest

from tests.tray.bus import PrivateBus, private_bus


@pytest.fixture
def bus() -> Iterator[PrivateBus]:
    with private_bus() as bus:
        yield bus


@pytest.fixture(autouse=True)
def at_a_terminal() -> Iterator[None]:
    """What the program inherits is a terminal's SIGHUP, although the tests may run under nohup themselves."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
