from __future__ import annotations

import json
from typing import Any

from ccproxy_tray.translate.conversation import KEPT_BYTES
from ccproxy_tray.translate.reading import LONG, Reading


def test_a_long_text_that_was_forgotten_says_the_same_again() -> None:
    value = {"text": "x" * LONG}
    reading = Reading(json.dumps(value).encode(), value)
    assert reading.value is value
    assert not reading.forgotten
    reading.forget()
    assert reading.forgotten
    reading.recall()
    assert not reading.forgotten
    assert reading.value is not value
    assert reading.value == value
    assert reading.value is reading.value


def test_a_short_text_is_not_read_again() -> None:
    value = {"text": ""}
    reading = Reading(json.dumps({"text": "x" * LONG}).encode()[:LONG], value)
    reading.forget()
    assert reading.value is value


def test_what_was_worked_out_about_a_text_that_nobody_else_keeps_is_forgotten() -> None:
    for size, kept in ((KEPT_BYTES, True), (KEPT_BYTES + 1, False)):
        reading = Reading(b"x" * size, {})
        memo = reading.memo
        reading.forget_work()
        assert (reading.memo is memo) is kept
        assert not reading.forgotten


class Overtaken(Reading):
    """Somebody forgets it whenever it has been looked at."""

    _held: Any = None

    @property
    def _value(self) -> Any:
        held, self._held = self._held, None
        return held

    @_value.setter
    def _value(self, value: Any) -> None:
        self._held = value


def test_whoever_asks_while_it_is_being_forgotten_gets_the_value_all_the_same() -> None:
    value = {"text": "x"}
    reading = Overtaken(json.dumps(value).encode(), value)
    assert reading.value is value
    assert reading.value == value
