"""The published matrix is complete: every row has its tests, every such test its row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parent.parent / "docs" / "faults.md").read_text(encoding="utf-8")
IDS = [f"U{number}" for number in range(1, 36)] + [f"C{number}" for number in range(1, 13)]
ROW = re.compile(r"^\| ([UC]\d+) \|", re.MULTILINE)
NAMED = re.compile(r"test_([uc]\d+)_")


def rows() -> dict[str, list[str]]:
    """The cells of each row."""
    found = {}
    for line in PAGE.splitlines():
        if ROW.match(line):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            found[cells[0]] = cells
    return found


def files() -> dict[str, set[str]]:
    """Where the tests of each row are, as the page says it."""
    found: dict[str, set[str]] = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (named := NAMED.match(node.name)):
                found.setdefault(named[1].upper(), set()).add(f"{path.name}::test_{named[1]}")
    return found


def test_every_row_is_there_once_and_in_order() -> None:
    assert ROW.findall(PAGE) == IDS


def test_every_row_says_all_that_it_has_to() -> None:
    assert {name: len(cells) for name, cells in rows().items()} == dict.fromkeys(IDS, 5)
    assert all(all(cells) for cells in rows().values())


def test_every_row_names_its_tests_and_every_test_has_its_row() -> None:
    named = {name: set(re.findall(r"`([^`]+)`", cells[-1])) for name, cells in rows().items()}
    assert named == files()


def test_every_file_that_the_page_names_exists() -> None:
    for name in re.findall(r"`(?:tests/faults/)?(\w+\.py)", PAGE):
        assert (HERE / name).exists(), name
