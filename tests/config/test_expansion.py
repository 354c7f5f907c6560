from __future__ import annotations

import pytest

from ccproxy_tray.config.expansion import Expanded, expand
from ccproxy_tray.config.value import Unfit

ENVIRON = {"A": "one", "B_2": "two", "EMPTY": "", "NESTED": "${A}"}


def test_references_are_replaced_wherever_they_stand() -> None:
    assert expand("${A}", ENVIRON) == Expanded("one", ("A",))
    assert expand("x-${A}/${B_2}-${A}", ENVIRON) == Expanded("x-one/two-one", ("A", "B_2"))
    assert expand("no $A here, nor $ alone", ENVIRON) == Expanded("no $A here, nor $ alone")


def test_what_a_variable_holds_is_not_expanded_again() -> None:
    assert expand("${NESTED}", ENVIRON).text == "${A}"


def test_missing_and_empty_variables_are_named() -> None:
    assert expand("${A}${EMPTY}${GONE}${GONE}", ENVIRON).missing == ("EMPTY", "GONE")


@pytest.mark.parametrize("text", ["${A", "${}", "${A:-x}", "${1A}", "${A B}", "x${", "${A${B}}"])
def test_a_malformed_reference_is_refused(text: str) -> None:
    with pytest.raises(Unfit, match="is written"):
        expand(text, ENVIRON)
