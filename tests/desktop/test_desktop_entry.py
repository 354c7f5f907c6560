from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.desktop import desktop_entry

WORDS = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]))
COMMANDS = st.lists(WORDS | st.text(" \"'$`\\%&=;#~*()|<>?aé"), min_size=1, max_size=5)
ENTRY = "# mine\n[Desktop Entry]\nName=old\nName[de]=alt\nX-Mine = 1 \n\n[Desktop Action a]\nName=other\n"


@settings(max_examples=300, deadline=None)
@given(COMMANDS)
def test_every_command_comes_back_as_it_went(command: list[str]) -> None:
    value = desktop_entry.exec_value(command)
    assert desktop_entry.command(value) == tuple(command)
    text = desktop_entry.edited(ENTRY, {"Exec": value})
    assert desktop_entry.command(desktop_entry.values(text)["Exec"]) == tuple(command)


@pytest.mark.parametrize(
    ("command", "value"),
    [
        (["/usr/bin/ccproxy-tray", "tray"], "/usr/bin/ccproxy-tray tray"),
        (["/a b/c", "tray"], '"/a b/c" tray'),
        (["/p", "100%"], '/p "100%%"'),
        (["/p", 'say "hi"'], r'/p "say \\"hi\\""'),
        (["/p", "$HOME", "`id`"], r'/p "\\$HOME" "\\`id\\`"'),
        (["/p", "a\\b"], r'/p "a\\\\b"'),
        (["/p", "", "é&"], '/p "" "é&"'),
    ],
)
def test_a_command_is_written_in_both_layers_of_escapes(command: list[str], value: str) -> None:
    assert desktop_entry.exec_value(command) == value


@pytest.mark.parametrize(
    ("value", "command"),
    [
        ("", ()),
        ("prog %U", ("prog",)),
        ("prog --x=%f -%d-", ("prog", "--x=", "--")),
        ('prog a" b"c', ("prog", "a bc")),
        ('prog "unfinished', ()),
        (r"prog a\sb\\x \q", ("prog", "a", "b\\x", "\\q")),
        ("prog 5%", ("prog", "5")),
    ],
)
def test_what_others_wrote_is_read_as_desktops_read_it(value: str, command: tuple[str, ...]) -> None:
    assert desktop_entry.command(value) == command


def test_a_text_keeps_its_backslashes_and_a_blank_at_its_begin() -> None:
    assert desktop_entry.string(" a\\b c") == r"\sa\\b c"
    assert desktop_entry.string("/usr/bin/x y") == "/usr/bin/x y"


def test_only_the_entrys_own_group_counts() -> None:
    assert desktop_entry.values(ENTRY) == {"Name": "old", "Name[de]": "alt", "X-Mine": "1"}
    assert desktop_entry.values("[Other]\nName=x\n") == {}
    assert desktop_entry.values("Name=before\n[Desktop Entry]\r\nName=a\r\nName=b\r\n") == {"Name": "b"}


def test_keys_change_and_every_other_line_stays() -> None:
    assert desktop_entry.edited(ENTRY, {"Name": "new", "Exec": "x", "Gone": None, "X-Mine": None}) == (
        "# mine\n[Desktop Entry]\nName=new\nName[de]=alt\nExec=x\n\n[Desktop Action a]\nName=other\n"
    )


def test_a_key_that_stood_twice_stands_once() -> None:
    assert desktop_entry.edited("[Desktop Entry]\nA=1\nB=2\nA=3", {"A": "4"}) == "[Desktop Entry]\nA=4\nB=2\n"


@pytest.mark.parametrize("text", ["", "garbage\n", "[Other]\nA=1\n"])
def test_a_group_that_is_missing_is_added(text: str) -> None:
    assert desktop_entry.edited(text, {"A": "2"}) == text + "[Desktop Entry]\nA=2\n"
