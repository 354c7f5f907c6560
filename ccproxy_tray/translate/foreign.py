"""Foreign JSON, read without trusting its types."""

from __future__ import annotations

from ccproxy_tray.translate.jsontext import Json


def mapping(value: Json) -> dict[str, Json]:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def string(value: Json) -> str:
    """``value`` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""
