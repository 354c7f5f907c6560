"""The record of what stood in the settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ccproxy_tray.desktop import claude_record
from ccproxy_tray.desktop.claude_record import MAX_OURS, Entry, Origin, Record

RECORD = Record(
    settings="/home/a \udcff/settings.json",
    origin=Origin(folders=("/home/a",), blank=" \n", file=False, env=False, hollow_root="\t", hollow_env="\r\n"),
    entries={"ANTHROPIC_BASE_URL": Entry(None, ("u", "v")), "ANTHROPIC_API_KEY": Entry('"sk-\\u002f"', ("t",))},
    leaving=True,
)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "data" / "r.json"
    for record in (RECORD, Record("/s", Origin(), {})):
        claude_record.save(path, record)
        assert claude_record.load(path) == record
    claude_record.drop(path)
    assert claude_record.load(path) is None
    claude_record.drop(path)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "7", "{}", '{"version": 2}', '{"version": 1}', "[" * 100_000]
    + [
        json.dumps({"version": 1, "settings": "/s", "leaving": False, "origin": origin, "entries": entries})
        for origin, entries in (
            ({}, {}),
            ({"folders": [1], "blank": None, "file": True, "env": True, "hollow_root": "", "hollow_env": ""}, {}),
            ({"folders": [], "blank": None, "file": True, "env": True, "hollow_root": "", "hollow_env": ""}, []),
        )
    ],
)
def test_what_is_no_record_of_this_version_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(content)
    assert claude_record.load(path) is None


def test_old_values_of_ours_are_forgotten_one_day() -> None:
    entry = Entry("null", ())
    for n in range(2 * MAX_OURS):
        entry = entry.renewed(str(n))
    assert entry.ours == tuple(str(n) for n in range(MAX_OURS, 2 * MAX_OURS))
    assert entry.renewed(str(MAX_OURS)).ours == (*entry.ours[1:], str(MAX_OURS))
    assert entry.former == "null"
