"""What the README says is what the program does."""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ccproxy_tray import cli
from ccproxy_tray.config.environment import CONFIG_VARIABLE, DATA_VARIABLE, VARIABLES
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Secret, Server
from ccproxy_tray.config.show import shown
from ccproxy_tray.demo import TEXT
from ccproxy_tray.routing.trait import Word, read_trait
from ccproxy_tray.server.app import Endpoint

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(mark: str) -> list[list[str]]:
    """The cells of the table that follows a mark, without code quotes."""
    text = README.split(f"<!-- {mark} -->\n", 1)[1]
    lines = text.split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")] for line in lines]


def block(mark: str) -> str:
    """The code block that follows a mark."""
    return README.split(f"<!-- {mark} -->\n", 1)[1].split("```", 2)[1].split("\n", 1)[1].strip()


def test_the_environment_table_is_the_program_s() -> None:
    shown_defaults = yaml.safe_load(shown(load(None, {})))
    expected = []
    for name, key in VARIABLES.items():
        section, *path = key.split(".")
        value = shown_defaults[section]
        for part in path:
            value = value[part]
        expected.append([name, key, str(value).lower() if isinstance(value, bool) else str(value or "none")])
    assert sorted(rows("environment")) == sorted(expected)
    assert CONFIG_VARIABLE in README
    assert DATA_VARIABLE in README


def commands(parser: argparse.ArgumentParser, prefix: str = "") -> list[list[str]]:
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help for choice in action._choices_actions}
            for name, child in action.choices.items():
                found += commands(child, f"{prefix} {name}") or [[f"{prefix} {name}", helps[name] or ""]]
    return found


def test_the_commands_table_is_the_parser_s() -> None:
    assert rows("commands") == commands(cli.parser(), "ccproxy-tray")


def test_the_endpoints_table_is_the_server_s() -> None:
    documented = {re.sub(r"\{\w+\}", "", cells[0]) for cells in rows("endpoints")}
    nobody: Any = None
    table = Endpoint(nobody, Server(), nobody, nobody)._table
    served = {
        f"{method} {route.path}" for route in (*table._exact.values(), *table._below) for method in route.handlers
    }
    assert documented == served


def test_the_demo_prints_the_same_request_as_the_readme() -> None:
    request = json.loads(block("curl").split("-d '", 1)[1].rstrip("'"))
    printed = json.loads(TEXT.format(url="x").split("-d '", 1)[1].split("'", 1)[0])
    assert request == printed


def test_ci_runs_the_readme_s_test_command() -> None:
    assert block("test") in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_s_configuration_is_valid(tmp_path: Path) -> None:
    sample = next(text for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "provider_sequence" in text)
    path = tmp_path / "config.yaml"
    path.write_text(sample, encoding="utf-8")
    loaded = load(path, {})
    assert loaded.config.providers["cerebras"].api_key == Secret()
    assert not loaded.warnings


def test_the_routes_table_has_every_word_and_its_example_is_valid(tmp_path: Path) -> None:
    found = [read_trait(cells[0]) for cells in rows("routes")]
    assert {trait.word for trait in found if trait is not None} == set(Word)
    path = tmp_path / "config.yaml"
    path.write_text(README.split("<!-- routes -->", 1)[1].split("```yaml\n", 1)[1].split("```", 1)[0], encoding="utf-8")
    loaded = load(path, {})
    assert {route.trait.word for route in loaded.config.routing.models if route.trait is not None} == set(Word)
    assert not loaded.warnings


def test_every_library_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    reasons = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text(encoding="utf-8")
    given = re.findall(r"^\| (\w+)", reasons, re.MULTILINE)[1:]
    needed = [*project["dependencies"], *project["optional-dependencies"]["keyring"]]
    assert sorted(given) == sorted(re.split(r"\W", each)[0] for each in needed)


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/**/*.md")), ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link


def test_the_architecture_s_map_names_every_package() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = [each.parent.name for each in (ROOT / "ccproxy_tray").glob("*/__init__.py")]
    modules = [each.stem for each in (ROOT / "ccproxy_tray").glob("*.py") if not each.stem.startswith("__")]
    assert [name for name in packages if f"{name}/" not in page] == []
    assert [name for name in modules if f"`{name}" not in page] == []


def test_the_architecture_names_every_thread() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    [told] = [line for line in page.splitlines() if line.startswith("Threads:")]
    sources = [path for path in (ROOT / "ccproxy_tray").rglob("*.py") if path.name != "demo.py"]
    named = re.compile(r'name="(\w+)", daemon|thread_name_prefix="(\w+)"|\bapart\([^\n]+, "(\w+)"\)')
    threads = {"".join(found) for path in sources for found in named.findall(path.read_text(encoding="utf-8"))}
    assert threads == set(re.findall(r"`(\w+)`", told)) - {"aside"}
