"""The configuration in force as YAML, each value with where it came from: what ``config show`` prints.

The text reads back as the same configuration, except for secrets, which are masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

import yaml

from ccproxy_tray.config.schema import PASSTHROUGH, Loaded, ProviderConfig, Route, Secret, Step
from ccproxy_tray.redact import redact
from ccproxy_tray.routing.target import ProviderType


def shown(loaded: Loaded) -> str:
    """One line for each value, with its source as a trailing comment; secrets as ``***``."""
    lines = [f"# {loaded.path}"] if loaded.path else []
    for field in fields(loaded.config):
        lines.append(f"{field.name}:")
        section = getattr(loaded.config, field.name)
        if field.name == "providers":
            for name, provider in section.items():
                lines.append(f"  {_flow(name)}:")
                lines += _values(provider, f"providers.{name}", loaded.sources, "    ")
        else:
            lines += _values(section, field.name, loaded.sources, "  ")
    return "\n".join(lines) + "\n"


def _values(section: object, path: str, sources: Mapping[str, str], indent: str) -> Iterator[str]:
    """Only keys that have a source: a provider has no keys of another type."""
    for field in fields(section):  # type: ignore[arg-type]  # every section is a dataclass
        key, value = _spelled(section, field.name), getattr(section, field.name)
        source = sources.get(f"{path}.{key}")
        if source is None:
            continue
        comment = f"  # {source}" + (_unset(section) if isinstance(value, Secret) else "")
        block = isinstance(value, tuple) and value and isinstance(value[0], Step | Route)
        yield f"{indent}{key}:{'' if block else ' ' + _flow(_plain(key, value))}{comment}"
        if block:
            yield from (f"{indent}  - {_flow(_plain(key, item))}" for item in value)


def _spelled(section: object, name: str) -> str:
    """The file's name for an attribute: they differ only where Bedrock calls its base URL an endpoint."""
    bedrock = isinstance(section, ProviderConfig) and section.type is ProviderType.BEDROCK
    return "endpoint" if bedrock and name == "base_url" else name


def _unset(section: object) -> str:
    missing = ", ".join(section.missing_env if isinstance(section, ProviderConfig) else ())
    return f"; {missing} is not set" if missing else ""


def _plain(key: str, value: object) -> object:
    """The value in YAML's own types, as the user would have written it."""
    match value:
        case Secret():
            return PASSTHROUGH if value.reveal() == PASSTHROUGH else str(value)
        case Step():
            variants = [{"model": v.model} | ({"region": v.region} if v.region else {}) for v in value.variants]
            return {"name": value.name, "variants": variants}
        case Route():
            return {"model": value.model, "provider_sequence": _plain(key, value.provider_sequence)}
        case tuple():
            return [_plain(key, item) for item in value]
        case Mapping():
            return dict(value)
        case float():
            number = int(value) if value.is_integer() else value
            return f"{number}s" if key.endswith("_timeout") else number
        case str():
            return str(value)  # an enumeration's member as its plain word
        case _:
            return value


def _flow(value: object) -> str:
    """One line of YAML. Everything outside ASCII is escaped, so that a terminal shows what is there."""
    text: str = yaml.safe_dump([value], default_flow_style=True, width=float("inf"), sort_keys=False)
    return redact(text.strip()[1:-1])
