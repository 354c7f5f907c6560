from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.errors import ErrorType, Fault
from ccproxy_tray.translate import error_body

NOW = "Sun, 22 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "5"}, 5.0),
        ({"Retry-After": "5"}, 5.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "9999999"}, 9999999.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "30"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "30"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 08:00:37 GMT", "date": NOW}, 37.0),
        ({"retry-after": "Sun, 22 Nov 2026 09:00:37 +0100", "date": NOW}, 37.0),
        ({"retry-after": "Sun, 22 Nov 2026 07:00:00 GMT", "date": NOW}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 08:00:37 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 08:00:37", "date": NOW}, 37.0),
        ({"retry-after": "Sun, 22 Nov 2026 08:00:37 GMT", "date": "today"}, None),
        ({"retry-after": "Sun, 22 Foo 2026 08:00:37 GMT", "date": NOW}, None),
        ({"retry-after": "Sun, 22 Nov 99999999999999999999 08:00:37 GMT", "date": NOW}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "later"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_an_upstream_asks_for_is_read_in_every_form(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert error_body.retry_after(headers) == seconds


@given(st.text(), st.text())
def test_no_header_breaks_the_reading_of_the_wait(value: str, date: str) -> None:
    wait = error_body.retry_after({"retry-after": value, "date": date})
    assert wait is None or wait >= 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "HTTP 502 with an empty body"),
        (b" \n", "HTTP 502 with an empty body"),
        (b"<html><h1>Bad Gateway", "HTTP 502 with an HTML page instead of an answer"),
        (b"upstream\r\n\x1b[31mgone\x00", "upstream [31mgone"),
        (b"x" * 5000, "x" * 200),
        (b"\x00\x01", "HTTP 502 with an unreadable body"),
    ],
)
def test_a_body_without_structure_is_shown_on_one_short_line(body: bytes, text: str) -> None:
    assert error_body.said(502, body) == text


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (400, b"{}", Fault.REFUSED),
        (400, b"", Fault.BROKEN),
        (400, b"<html>", Fault.BROKEN),
        (401, b"", Fault.CREDENTIALS),
        (402, b"", Fault.NO_CREDIT),
        (404, b"<html>", Fault.NO_MODEL),
        (405, b"", Fault.NO_MODEL),
        (408, b"{}", Fault.BROKEN),
        (409, b"{}", Fault.BROKEN),
        (410, b"{}", Fault.NO_MODEL),
        (421, b"{}", Fault.BROKEN),
        (424, b"{}", Fault.BROKEN),
        (425, b"{}", Fault.BROKEN),
        (406, b"{}", Fault.BROKEN),
        (412, b"{}", Fault.REFUSED),
        (418, b"{}", Fault.BROKEN),
        (431, b"{}", Fault.REFUSED),
        (451, b"{}", Fault.NO_MODEL),
        (498, b"{}", Fault.BROKEN),
        (499, b"{}", Fault.BROKEN),
        (413, b"", Fault.REFUSED),
        (422, b"{}", Fault.REFUSED),
        (429, b"", Fault.THROTTLED),
        (302, b"{}", Fault.BROKEN),
        (500, b"{}", Fault.BROKEN),
        (503, b"", Fault.OVERLOADED),
        (524, b"", Fault.BROKEN),
        (529, b"", Fault.OVERLOADED),
        (0, b"{}", Fault.BROKEN),
    ],
)
def test_a_status_alone_has_a_meaning(status: int, body: bytes, fault: Fault) -> None:
    assert error_body.fault_of_status(status, body) is fault


@pytest.mark.parametrize(
    ("fault", "status", "error_type"),
    [
        (Fault.CREDENTIALS, 401, ErrorType.PERMISSION),
        (Fault.THROTTLED, 400, ErrorType.RATE_LIMIT),
        (Fault.REFUSED, 413, ErrorType.TOO_LARGE),
        (Fault.BROKEN, 424, ErrorType.API),
        (Fault.BROKEN, 504, ErrorType.TIMEOUT),
        (Fault.UNREACHABLE, 0, ErrorType.API),
    ],
)
def test_the_client_sees_the_type_of_the_fault(fault: Fault, status: int, error_type: ErrorType) -> None:
    assert error_body.client_type(fault, status) is error_type


def test_a_body_that_is_not_json_is_nothing() -> None:
    assert error_body.parsed(b"<html>") is None
    assert error_body.parsed(b"[" * 100_000) is None
    assert error_body.parsed(b'{"a":1,"a":2}') == {"a": 2}
