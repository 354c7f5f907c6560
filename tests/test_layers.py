"""Imports point one way, and the pure packages stay pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ccproxy_tray

ROOT = Path(ccproxy_tray.__file__).parent
RANKS = (
    {"errors", "redact", "sink", "lineup"},
    {"routing", "translate", "catalog", "log", "aside", "silence", "prices"},
    {"config", "journal"},
    {"providers", "simulator", "memory", "history"},
    {"dispatch"},
    {"server", "tray", "desktop"},
    {"app", "lookout", "check", "status", "program", "watch", "signals"},
    {"run", "diagnostics", "desk", "handout", "setting", "trial", "doctor"},
    {"supervisor"},
    {"actions"},
    {"resident"},
    {"demo"},
    {"cli"},
    {"__main__"},
)
PURE = (
    "routing", "translate", "catalog", "lineup", "errors", "redact",
    "tray.action", "tray.chain", "tray.choice", "tray.headline", "tray.incident",
    "tray.menu", "tray.notice", "tray.palette", "tray.row", "tray.shape", "tray.view", "tray.wording",
    "desktop.desktop_entry", "desktop.json_edit", "desktop.json_text",
)  # fmt: skip
IMPURE = {
    "aiohttp", "asyncio", "botocore", "boto3", "datetime", "logging", "multiprocessing", "os", "pathlib", "platform",
    "random", "secrets", "shutil", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time",
    "urllib.request", "uuid",
}  # fmt: skip
HOMES = {
    "aiohttp": ("providers", "server", "simulator"),
    "aiohappyeyeballs": ("providers.dial",),
    "httptools": ("providers",),
    "botocore": ("providers.aws",),
    "boto3": ("providers.aws",),
    "orjson": ("translate",),
    "yaml": ("config",),
    "platformdirs": ("config",),
    "PIL": ("tray.icon",),
    "pystray": ("tray.hosts",),
    "jeepney": ("tray.hosts",),
    "gi": ("tray.hosts",),
    "pyperclip": ("desktop.clipboard",),
    "psutil": ("desktop.port_owner",),
    "sqlite3": ("history",),
    "prometheus_client": ("server.metrics",),
}
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60


def modules() -> list[tuple[str, ast.Module]]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found.append((name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))))
    return found


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rank(part: str) -> int:
    return next(i for i, parts in enumerate(RANKS) if part in parts)


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == p or name.startswith(p + ".") for p in prefixes)


@pytest.mark.parametrize(("name", "tree"), modules(), ids=lambda v: v if isinstance(v, str) else "")
def test_imports_point_one_way(name: str, tree: ast.Module) -> None:
    if name == "__init__":
        return
    own = rank(name.split(".")[0])
    for imported in imports(tree):
        package, _, rest = imported.partition(".")
        if package != "ccproxy_tray" or rest.startswith("__version__"):
            continue
        part = rest.split(".")[0]
        if part != name.split(".")[0]:
            assert rank(part) <= own, f"{name} imports {part}, which lies above it"
    routing_imports = [i for i in imports(tree) if i.startswith("ccproxy_tray.translate")]
    assert not (name.startswith("routing") and routing_imports), "routing knows no wire format"


@pytest.mark.parametrize(("name", "tree"), modules(), ids=lambda v: v if isinstance(v, str) else "")
def test_pure_packages_do_no_io_and_read_no_clock(name: str, tree: ast.Module) -> None:
    if within(name, PURE):
        impure = {i for i in imports(tree) if within(i, tuple(IMPURE))}
        assert not impure, f"{name} imports {impure}"


@pytest.mark.parametrize(("name", "tree"), modules(), ids=lambda v: v if isinstance(v, str) else "")
def test_each_third_party_library_has_one_home(name: str, tree: ast.Module) -> None:
    for imported in imports(tree):
        homes = HOMES.get(imported.split(".")[0])
        assert homes is None or within(name, homes), f"{name} imports {imported}"


@pytest.mark.parametrize(("name", "tree"), modules(), ids=lambda v: v if isinstance(v, str) else "")
def test_modules_and_functions_stay_small(name: str, tree: ast.Module) -> None:
    path = ROOT / Path(*name.split("."))
    source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    assert source.read_text(encoding="utf-8").count("\n") <= MAX_MODULE_LINES
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, f"{name}.{node.name} is too long"
