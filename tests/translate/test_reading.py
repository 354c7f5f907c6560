from __future__ import annotations

import json

from ccproxy_tray.translate.reading import LONG, Reading


def test_a_long_text_that_was_forgotten_says_the_same_again() -> None:
    value = {"text": "x" * LONG}
    reading = Reading(json.dumps(value).encode(), value)
    assert reading.value is value
    reading.forget()
    assert reading.value is not value
    assert reading.value == value
    assert reading.value is reading.value


def test_a_short_text_is_not_read_again() -> None:
    value = {"text": ""}
    reading = Reading(json.dumps({"text": "x" * LONG}).encode()[:LONG], value)
    reading.forget()
    assert reading.value is value
