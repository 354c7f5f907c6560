import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from ccproxy_tray.simulator import ACCESS_KEY, SECRET_KEY
from tests.clients import install
from tests.clients.claude import Claude
from tests.clients.stage import Stage, staged

WORLD = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


INSTALLING = 600
"""Seconds for a test that may have to wait until npm has fetched its client."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if install.wanted(os.environ):
        for item in items:
            if {"claude_program", "typescript_sdk"} & set(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.timeout(INSTALLING))


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that the proxy is started in: simulated AWS credentials, nothing of the user's.

    botocore reads the process's own environment, so that is set too.
    """
    for name in [name for name in os.environ if name.startswith(("AWS_", "ANTHROPIC_", "CLAUDE_"))]:
        monkeypatch.delenv(name)
    for name, value in WORLD.items():
        monkeypatch.setenv(name, value)
    return dict(WORLD)


@pytest.fixture(scope="session")
def claude_program() -> Path:
    return _found(install.claude)


@pytest.fixture(scope="session")
def typescript_sdk() -> Path:
    return _found(install.typescript_sdk)


def _found(find: Callable[[os._Environ[str]], Path]) -> Path:
    try:
        return find(os.environ)
    except install.NotThere as error:
        if install.required(os.environ):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
async def claude(claude_program: Path, tmp_path: Path) -> AsyncIterator[Claude]:
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    program = Claude(claude_program, home, folder)
    yield program
    await program.stop()


Staging = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def staging(tmp_path: Path, environ: dict[str, str]) -> Staging:
    """Opens the proxy with the lanes that a test names, in order."""
    return partial(staged, tmp_path, environ=environ)
