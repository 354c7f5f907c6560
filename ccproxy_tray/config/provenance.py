"""Every value of a configuration with where it came from: for ``config show``, /debug and the status page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from ccproxy_tray.config.schema import PASSTHROUGH, Loaded, ProviderConfig, Route, Secret, Step
from ccproxy_tray.routing.rule import ErrorRule
from ccproxy_tray.routing.target import ProviderType


@dataclass(frozen=True, slots=True)
class Setting:
    """A value in force as the user would have written it, in JSON's own types, secrets as ``***``.

    ``path`` holds the parts of its key. ``source`` is ``file``, ``default``, ``command line`` or a variable's name.
    ``note`` says what a secret refers to that is not there.
    """

    path: tuple[str, ...]
    value: object
    source: str
    note: str = ""

    @property
    def key(self) -> str:
        """``routing.max_wait_seconds``."""
        return ".".join(self.path)


def settings(loaded: Loaded) -> Iterator[Setting]:
    """All of them, in the order of the schema."""
    for field in fields(loaded.config):
        section = getattr(loaded.config, field.name)
        if field.name == "providers":
            for name, provider in section.items():
                yield from _values(provider, (field.name, name), loaded.sources)
        else:
            yield from _values(section, (field.name,), loaded.sources)


def _values(section: object, path: tuple[str, ...], sources: Mapping[str, str]) -> Iterator[Setting]:
    """A provider has only keys with a source: the others are those of another type."""
    for field in fields(section):  # type: ignore[arg-type]  # every section is a dataclass
        key, value = _spelled(section, field.name), getattr(section, field.name)
        source = sources.get(".".join((*path, key)), "" if isinstance(section, ProviderConfig) else "default")
        if source:
            yield Setting(
                (*path, key), _plain(key, value), source, _unset(section) if isinstance(value, Secret) else ""
            )


def _spelled(section: object, name: str) -> str:
    """The file's name for an attribute: they differ only where Bedrock calls its base URL an endpoint."""
    bedrock = isinstance(section, ProviderConfig) and section.type is ProviderType.BEDROCK
    return "endpoint" if bedrock and name == "base_url" else name


def _unset(section: object) -> str:
    missing = ", ".join(section.missing_env if isinstance(section, ProviderConfig) else ())
    return f"{missing} is not set" if missing else ""


def _plain(key: str, value: object) -> object:
    """The value of a key in YAML's and JSON's own types."""
    match value:
        case Secret():
            return PASSTHROUGH if value.reveal() == PASSTHROUGH else str(value)
        case Step():
            variants = [{"model": v.model} | ({"region": v.region} if v.region else {}) for v in value.variants]
            return {"name": value.name, "variants": variants}
        case Route():
            return {"model": value.model, "provider_sequence": _plain(key, value.provider_sequence)}
        case ErrorRule():
            named = {"provider": value.provider, "status": list(value.statuses), "message": value.message}
            return {key: each for key, each in named.items() if each} | {"as": str(value.meaning)}
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
