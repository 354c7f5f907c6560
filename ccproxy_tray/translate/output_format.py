"""``output_format``, the old name of ``output_config.format`` (Messages API, "Structured outputs").

Older SDKs send it, and servers other than Anthropic's know the new one only.
"""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.translate.jsontext import Json


def with_output_format(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """The body with the format under its new name, where it asks for one; the same object when it has no old name."""
    if "output_format" not in body:
        return body
    rest, config = {key: value for key, value in body.items() if key != "output_format"}, body.get("output_config")
    if body["output_format"] is None or "format" in (config or {}):
        return rest
    return {**rest, "output_config": {**(config or {}), "format": body["output_format"]}}
