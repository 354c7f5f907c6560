"""The configuration in force as YAML, each value with where it came from: what ``config show`` prints.

The text reads back as the same configuration, except for secrets, which are masked.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from ccproxy_tray.config.provenance import Setting, settings
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.redact import redact


def shown(loaded: Loaded) -> str:
    """One line for each value, with its source as a trailing comment; secrets as ``***``."""
    lines = [f"# {loaded.path}"] if loaded.path else []
    inside: tuple[str, ...] = ()
    for setting in settings(loaded):
        section = setting.path[:-1]
        lines += _headings(inside, section)
        lines += _lines(setting, "  " * len(section))
        inside = section
    return "\n".join(lines) + "\n"


def _headings(left: tuple[str, ...], entered: tuple[str, ...]) -> Iterator[str]:
    for depth, name in enumerate(entered):
        if left[: depth + 1] != entered[: depth + 1]:
            yield f"{'  ' * depth}{_flow(name)}:"


def _lines(setting: Setting, indent: str) -> Iterator[str]:
    key, value = setting.path[-1], setting.value
    comment = f"  # {setting.source}" + (f"; {setting.note}" if setting.note else "")
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield f"{indent}{key}:{comment}"
        yield from (f"{indent}  - {_flow(item)}" for item in value)
    else:
        yield f"{indent}{key}: {_flow(value)}{comment}"


def _flow(value: object) -> str:
    """One line of YAML. Everything outside ASCII is escaped, so that a terminal shows what is there."""
    text: str = yaml.safe_dump([value], default_flow_style=True, width=float("inf"), sort_keys=False)
    return redact(text.strip()[1:-1])
