"""Local time for tests whose texts show it: Berlin's, wherever they run."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def berlin() -> Iterator[None]:
    """In force for each module below a conftest that imports it."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process cannot be set on Windows")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()
