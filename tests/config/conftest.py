from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.config.value import Unfit
from ccproxy_tray.errors import ConfigError

Reader = Callable[..., Loaded]
Refusal = Callable[..., tuple[str, ...]]


def no_keyring(name: str) -> str:
    raise Unfit(f"no keyring here for {name}")


@pytest.fixture
def reads(tmp_path: Path) -> Reader:
    """Loads a text as ``config.yaml``."""

    def read(
        text: str | bytes = "",
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, str] | None = None,
        keyring: Callable[[str], str] = no_keyring,
    ) -> Loaded:
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return load(path, environ or {}, overrides or {}, keyring=keyring)

    return read


@pytest.fixture
def refuses(reads: Reader) -> Refusal:
    """Loads a text that cannot be used and gives its problems."""

    def refuse(*args: object, **kwargs: object) -> tuple[str, ...]:
        with pytest.raises(ConfigError) as caught:
            reads(*args, **kwargs)
        return caught.value.problems

    return refuse
