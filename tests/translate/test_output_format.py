"""A structured answer is asked for under the name that every server knows."""

from __future__ import annotations

from typing import Any

import pytest

from ccproxy_tray.translate.output_format import with_output_format

FORMAT = {"type": "json_schema", "schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("asked", "config"),
    [
        ({"output_format": FORMAT}, {"format": FORMAT}),
        ({"output_format": FORMAT, "output_config": None}, {"format": FORMAT}),
        ({"output_format": FORMAT, "output_config": {"effort": "low"}}, {"effort": "low", "format": FORMAT}),
        ({"output_format": {}, "output_config": {"format": FORMAT}}, {"format": FORMAT}),
        ({"output_format": None, "output_config": {"effort": "low"}}, {"effort": "low"}),
        ({"output_format": None}, None),
    ],
)
def test_the_old_name_becomes_the_new_one(asked: dict[str, Any], config: Any) -> None:
    found = with_output_format({"model": "m", **asked})
    assert "output_format" not in found
    assert found.get("output_config") == config


def test_a_body_without_the_old_name_is_left_alone() -> None:
    body = {"model": "m", "output_config": {"format": FORMAT}}
    assert with_output_format(body) is body
