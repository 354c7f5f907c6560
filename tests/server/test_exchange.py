from __future__ import annotations

import re
import time

import pytest

from ccproxy_tray.server.exchange import new_request_id


def test_ids_are_in_the_order_of_time_and_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", iter([1_700_000_000_999_999_999, *[1_700_000_001_000_000_000] * 100]).__next__)
    first, *rest = (new_request_id() for _ in range(101))
    assert first < min(rest)
    assert len(set(rest)) == 100
    assert all(re.fullmatch(r"req_[0-9a-f]{24}", one) for one in (first, *rest))
