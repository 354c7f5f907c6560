from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from ccproxy_tray.config import edit as editing
from ccproxy_tray.config import files
from ccproxy_tray.config.edit import CannotEdit, Value, change, edit
from ccproxy_tray.config.files import default_text
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Notification

posix = pytest.mark.skipif(sys.platform == "win32", reason="mode bits and links")

OFF: Mapping[str, Value] = {"routing.enable": False}
ORDER: Mapping[str, Value] = {"routing.order": ("b", "a")}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("routing:\n  enable: true\n", "routing:\n  enable: false\n"),
        ("routing:\n    enable:   true\n", "routing:\n    enable:   false\n"),
        ("routing:\n  enable: 'true'\n", "routing:\n  enable: 'false'\n"),
        ('routing:\n  enable: "yes"\n', 'routing:\n  enable: "no"\n'),
        ("routing: {enable: On}", "routing: {enable: Off}"),
        ("routing: {enable: TRUE}", "routing: {enable: FALSE}"),
        ("routing: {enable: 1, only: x}", "routing: {enable: 0, only: x}"),
        ("routing: {enable: '${ROUTING}'}", "routing: {enable: 'false'}"),
        ("routing:\n  enable: maybe\n  only: x\n", "routing:\n  enable: false\n  only: x\n"),
        ("routing:\n  enable: >- # why\n    true\n\n  only: x\n", "routing:\n  enable: false # why\n\n  only: x\n"),
        ("routing:\n  enable: |\n    true", "routing:\n  enable: false"),
        ("routing:\n  enable:\n  only: x\n", "routing:\n  enable: false\n  only: x\n"),
        ("routing:\n  enable: # why\n  only: x\n", "routing:\n  enable: false # why\n  only: x\n"),
        ("routing:\n  enable: ~\n", "routing:\n  enable: false\n"),
        ("routing: {enable: , only: x}", "routing: {enable: false , only: x}"),
        ("routing: {enable, only: x}", "routing: {enable: false, only: x}"),
        ("routing: {only: x, enable}", "routing: {only: x, enable: false}"),
        ('{"routing":{"enable":true}}', '{"routing":{"enable":false}}'),
        ("? routing\n: ? enable\n  : true\n", "? routing\n: ? enable\n  : false\n"),
        ("routing:\n  enable:\n    true # why\n", "routing:\n  enable:\n    false # why\n"),
        ("routing:\n  enable: &on true\n", "routing:\n  enable: &on false\n"),
        ("routing:\n  enable: &on\n", "routing:\n  enable: &on false\n"),
        ("routing:\n  enable: !!str true\n", "routing:\n  enable: !!str false\n"),
        ("x: &on true\nrouting:\n  enable: *on\n", "x: &on true\nrouting:\n  enable: false\n"),
        ("routing: &r\n  enable: true\n", "routing: &r\n  enable: false\n"),
    ],
)
def test_a_value_is_replaced_and_keeps_its_style(before: str, after: str) -> None:
    assert edit(before, OFF) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("routing:\n  enable: true # one\n", "routing:\n  enable: false # one\n"),
        ("routing:\n  enable: true  # two\n", "routing:\n  enable: false  # two\n"),
        ("routing:\n  enable: true     # far\n", "routing:\n  enable: false    # far\n"),
        (
            "routing:\n  enable: true  # a\n  only: abcd    # b\n",
            "routing:\n  enable: false # a\n  only: abcd    # b\n",
        ),
        ("x: 0            # a\nrouting: {enable: 1}\n", "x: 0            # a\nrouting: {enable: 0}\n"),
        ("routing: { enable: true }     # far\n", "routing: { enable: false }    # far\n"),
        ("routing:\n  enable: true#no comment\n", "routing:\n  enable: false\n"),
    ],
)
def test_a_comment_behind_a_value_stays_in_its_column(before: str, after: str) -> None:
    assert edit(before, OFF) == after


def test_a_comment_gives_way_to_a_value_that_needs_its_room() -> None:
    text = "routing:\n  only: a      # who\n  x: 1         # what\n"

    assert (
        edit(text, {"routing.only": "somebody-else"})
        == "routing:\n  only: somebody-else # who\n  x: 1         # what\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "routing:\n  enable: false\n"),
        ("# mine", "# mine\nrouting:\n  enable: false"),
        ("# mine\r\n", "# mine\r\nrouting:\r\n  enable: false\r\n"),
        ("---\n", "---\nrouting:\n  enable: false\n"),
        ("---", "---\nrouting:\n  enable: false"),
        ("---\n# a\n...\n# b\n", "---\n# a\nrouting:\n  enable: false\n...\n# b\n"),
        ("x: 1\n...\n", "x: 1\nrouting:\n  enable: false\n...\n"),
        ("x: 1", "x: 1\nrouting:\n  enable: false"),
        ("x: 1\n# end\n", "x: 1\n# end\nrouting:\n  enable: false\n"),
        ("x: 1\n\ny: 2\n", "x: 1\n\ny: 2\n\nrouting:\n  enable: false\n"),
        ("x: 1\n\ny: |+\n  2\n\n", "x: 1\n\ny: |+\n  2\n\nrouting:\n  enable: false\n"),
        ("x:\n    y: 1\n", "x:\n    y: 1\nrouting:\n    enable: false\n"),
        ("  x: 1\n", "  x: 1\n  routing:\n    enable: false\n"),
        ("{}", "{routing: {enable: false}}"),
        ("{ }\n", "{ routing: {enable: false} }\n"),
        ("{ # none\n}\n", "{ # none\nrouting: {enable: false}}\n"),
        ("{x: 1}\n", "{x: 1, routing: {enable: false}}\n"),
        ('{\n  "x": 1\n}\n', '{\n  "x": 1,\n  "routing": {"enable": false}\n}\n'),
        ("{'x': 1}\n", "{'x': 1, 'routing': {'enable': false}}\n"),
    ],
)
def test_a_missing_section_is_appended(before: str, after: str) -> None:
    assert edit(before, OFF) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("routing:\n  only: x\ny: 1\n", "routing:\n  only: x\n  enable: false\ny: 1\n"),
        ("routing:\n  only: x # who\n\n# next\ny: 1\n", "routing:\n  only: x # who\n  enable: false\n\n# next\ny: 1\n"),
        ("routing:\n  only: x", "routing:\n  only: x\n  enable: false"),
        ("routing:\r\n  only: x\r\n", "routing:\r\n  only: x\r\n  enable: false\r\n"),
        ("a: 1\r\nrouting:\n  only: x\n", "a: 1\r\nrouting:\n  only: x\n  enable: false\n"),
        ("routing:\n  only: [a,\n    b] # two\n", "routing:\n  only: [a,\n    b] # two\n  enable: false\n"),
        ("routing:\n  only:\n  - a\n  - b\n", "routing:\n  only:\n  - a\n  - b\n  enable: false\n"),
        ("routing:\n  a:\n    b: 1\n    c:\n\nx: 1\n", "routing:\n  a:\n    b: 1\n    c:\n  enable: false\n\nx: 1\n"),
        ("routing:\n  a: |\n    b\n\nx: 1\n", "routing:\n  a: |\n    b\n  enable: false\n\nx: 1\n"),
        ("routing:\n  a: >+\n    b\n\nx: 1\n", "routing:\n  a: >+\n    b\n\n  enable: false\nx: 1\n"),
        ("routing: {only: x}\n", "routing: {only: x, enable: false}\n"),
        ("routing: {only: x,}\n", "routing: {only: x, enable: false,}\n"),
        ("routing: { only: x }   # c\n", "routing: { only: x, enable: false } # c\n"),
        ("routing: {\n  only: x  # c\n}\n", "routing: {\n  only: x,  # c\n  enable: false\n}\n"),
        ("routing: {\n  only: x,\n}\n", "routing: {\n  only: x,\n  enable: false,\n}\n"),
        ("routing: {\n  only: x }\n", "routing: {\n  only: x, enable: false }\n"),
        ("routing: {\n  only: x\n  , }\n", "routing: {\n  only: x,\n  enable: false\n  , }\n"),
        ("routing: {}\n", "routing: {enable: false}\n"),
        ("routing: {a: }\n", "routing: {a:, enable: false }\n"),
        ("b: &b {only: x}\nrouting: *b\n", None),
        ("b: &b {enable: true}\nrouting: {<<: *b}\n", "b: &b {enable: true}\nrouting: {<<: *b, enable: false}\n"),
        ("b: &b {enable: true}\nrouting:\n  <<: *b\n", "b: &b {enable: true}\nrouting:\n  <<: *b\n  enable: false\n"),
        ("routing:\n", "routing:\n  enable: false\n"),
        ("routing:", "routing:\n  enable: false"),
        ("routing: # c\n  # d\nx:\n   y: 1\n", "routing: # c\n   enable: false\n  # d\nx:\n   y: 1\n"),
        ("routing: &r\nx: 1\n", "routing: &r\n  enable: false\nx: 1\n"),
        ("routing: ~ # c\n", "routing: {enable: false} # c\n"),
        ("{routing: , x: 1}\n", "{routing: {enable: false} , x: 1}\n"),
        ("{x: 1, routing}\n", "{x: 1, routing: {enable: false}}\n"),
    ],
)
def test_a_missing_key_is_inserted_in_the_style_of_its_section(before: str, after: str | None) -> None:
    if after is None:
        with pytest.raises(CannotEdit):
            edit(before, OFF)
    else:
        assert edit(before, OFF) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("routing: {order: [a, b]}", "routing: {order: [b, a]}"),
        ("routing:\n  order: [ a,b ]   # c\n", "routing:\n  order: [ b,a ]   # c\n"),
        ("routing:\n  order: []           # c\n", "routing:\n  order: [b, a]       # c\n"),
        ("routing:\n  order: [ ]\n", "routing:\n  order: [ b, a ]\n"),
        ("routing:\n  order: ['a']\n", "routing:\n  order: ['b', 'a']\n"),
        ('routing:\n  order: [c, "a"]\n', 'routing:\n  order: [b, "a"]\n'),
        ("routing:\n  order: [\n    a\n  ]\n", "routing:\n  order: [\n    b,\n    a\n  ]\n"),
        ("routing:\n  order: [a, c,\n    b, d,]\n", "routing:\n  order: [b, a,]\n"),
        ("routing:\n  order: a # c\n", "routing:\n  order: [b, a] # c\n"),
        ("routing:\n  order: &o [a] # c\n", "routing:\n  order: &o [b, a] # c\n"),
        ("routing:\n  order: [&x a, b]\n", "routing:\n  order: [b, &x a]\n"),
        ("x: &x a\nrouting:\n  order: [*x , b]\n", "x: &x a\nrouting:\n  order: [b , *x]\n"),
        ("routing:\n  order:\n", "routing:\n  order: [b, a]\n"),
        ("routing: {only: x}\n", "routing: {only: x, order: [b, a]}\n"),
        ('{"routing": {"only": "x"}}\n', '{"routing": {"only": "x", "order": ["b", "a"]}}\n'),
        (
            "routing:\n  order: [ # all\n    a,  # one, first\n    # not two\n    b # two\n    # end\n  ]\n",
            "routing:\n  order: [ # all\n    # not two\n    b, # two\n    a  # one, first\n    # end\n  ]\n",
        ),
        (
            "routing: {order: [a, c, # gone\n  d,# too\n  ], x: 1}\n",
            "routing: {order: [\n  b,\n  a,\n  # gone\n  # too\n  ], x: 1}\n",
        ),
        ("routing:\n  order: [a,# c\n    b]\n", "routing:\n  order: [\n    b,\n    a # c\n  ]\n"),
        ("routing:\n  order: [ # none\n  ]\n", "routing:\n  order: [ # none\n    b,\n    a\n  ]\n"),
        ("routing:\n  order: [a # c\n    , b]\n", "routing:\n  order: [\n    b,\n    a # c\n  ]\n"),
        ("routing:\n  order:\n    - a\n    - b\n", "routing:\n  order:\n    - b\n    - a\n"),
        ("routing:\n  order:\n  - 'a'\nx: 1\n", "routing:\n  order:\n  - 'b'\n  - 'a'\nx: 1\n"),
        ("routing:\r\n  order:\r\n  -   a", "routing:\r\n  order:\r\n  -   b\r\n  -   a"),
        (
            "routing:\n  order: # all\n    # one\n    - a # first\n\n    # two\n    - b\n    # end\n  x: 1\n",
            "routing:\n  order: # all\n\n    # two\n    - b\n    # one\n    - a # first\n    # end\n  x: 1\n",
        ),
        (
            "routing:\n  order:\n    # gone\n    - c # too\n    - a\n    -\nx: 1\n",
            "routing:\n  order:\n    - b\n    - a\n    # gone\n    # too\nx: 1\n",
        ),
        ("routing:\n  order: &o\n    - a\n", "routing:\n  order: &o\n    - b\n    - a\n"),
    ],
)
def test_a_list_keeps_its_style_and_its_comments(before: str, after: str) -> None:
    assert edit(before, ORDER) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("routing:\n  order: [ a, b ]\n", "routing:\n  order: []\n"),
        ("routing:\n  order: [ a, # c\n  ]\n", "routing:\n  order: [\n    # c\n  ]\n"),
        ("routing:\n  order:\n    - a\n    - b\n", "routing:\n  order: []\n"),
        ("routing:\n  order:     # all\n    - a # c\n    # d", "routing:\n  order: []  # all\n    # c\n    # d"),
        ("routing:\n  order: &o !!seq # all\n  - a\n", "routing:\n  order: &o !!seq [] # all\n"),
        ("routing:\n  order: a\n", "routing:\n  order: []\n"),
        ("routing:\n", "routing:\n  order: []\n"),
    ],
)
def test_a_list_can_become_empty(before: str, after: str) -> None:
    assert edit(before, {"routing.order": ()}) == after


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("routing: {enable: true}", {"routing.enable": True}),
        ("routing: {enable: 'Yes'}", {"routing.enable": True}),
        ("routing: {order: a}", {"routing.order": ("a",)}),
        ("routing: {order: ['a', \"b\"]}", {"routing.order": ("a", "b")}),
        ("routing: {order: []}", {"routing.order": ()}),
        ("routing: {only: 'a'}", {"routing.only": "a"}),
        ("server: {port: '8000'}", {"server.port": 8000}),
        ("routing: {max_wait_seconds: 90}", {"routing.max_wait_seconds": 90.0}),
        ("b: &b {enable: no}\nrouting: *b", {"routing.enable": False}),
        ("b: &b {enable: no}\nrouting: {<<: *b}", {"routing.enable": False}),
        ("tray:\n- not: a mapping", {}),
    ],
)
def test_what_is_set_so_already_stays_as_it_is_written(text: str, changes: Mapping[str, Value]) -> None:
    assert edit(text, changes) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("bedrock-eu", "bedrock-eu"),
        ("", '""'),
        ("true", '"true"'),
        ("Null", '"Null"'),
        ("y", '"y"'),
        ("12", '"12"'),
        ("1e3", '"1e3"'),
        ("0x1F", '"0x1F"'),
        ("~", '"~"'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ("-", '"-"'),
        ("<<", '"<<"'),
        ('say "hi" it\'s \\', '"say \\"hi\\" it\'s \\\\"'),
        ("käse 🧀", '"käse 🧀"'),
        ("a\r\nb\t\0\x7f\x85\u2028\ufeff", '"a\\r\\nb\\t\\u0000\\u007f\\u0085\\u2028\\ufeff"'),
        ("$HOME $5", '"$HOME $5"'),
        (Notification.FALLBACK, "fallback"),
        (True, "true"),
        (-3, "-3"),
        (1.5, "1.5"),
        (60.0, "60"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (("a", "b c", "null"), '[a, "b c", "null"]'),
        ((Notification.FALLBACK,), "[fallback]"),
    ],
)
def test_a_value_is_written_so_that_it_is_read_back(value: Value, written: str) -> None:
    assert edit("x:\n", {"x": value}) == f"x: {written}\n"
    assert edit("{x: }", {"x": value}) == f"{{x: {written} }}"


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("x: 'a'", "it's", "x: 'it''s'"),
        ("x: 'a'", "a\nb", 'x: "a\\nb"'),
        ('x: "a"', "b", 'x: "b"'),
        ("x: a", "b c", 'x: "b c"'),
        ("x: 'a\n\n  b'", "c", "x: 'c'"),
        ("x: a\n  b\ny: 1", "c", "x: c\ny: 1"),
        ('x: "8000"', 8001, 'x: "8001"'),
    ],
)
def test_quotation_marks_stay_unless_they_cannot_say_it(before: str, value: Value, after: str) -> None:
    assert edit(before, {"x": value}) == after


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x: &r {only: a}\n\nrouting: *r\n", "c.yaml:3: routing is an alias; change it by hand"),
        ("routing: &r\n  only: a\nx: *r\n", "c.yaml:1: routing is used elsewhere as *r; change it by hand"),
        ("routing: &r\nx: *r\n", "c.yaml:1: routing is used elsewhere as *r; change it by hand"),
        ("routing:\n  enable: &e true\nx: *e\n", "c.yaml:2: routing.enable is used elsewhere as *e; change it by hand"),
        (
            "b: &b {routing: {only: a}}\n<<: *b\n",
            "c.yaml:1: routing comes from elsewhere by <<; change it by hand",
        ),
        ("routing: 5\n", "c.yaml:1: routing holds a value where keys are expected; change it by hand"),
        ("routing: [a]\n", "c.yaml:1: routing holds a value where keys are expected; change it by hand"),
        ("~\n", "c.yaml:1: the file holds a value where keys are expected; change it by hand"),
        ("routing: {enable: [a]}\n", "c.yaml:1: routing.enable holds more than one value; change it by hand"),
        ("routing: {enable: {a: 1}}\n", "c.yaml:1: routing.enable holds more than one value; change it by hand"),
        (
            "routing: {enable: 1, enable: 0}\n",
            "c.yaml:1: routing.enable: set twice; it is on line 1 already: keep one of the two",
        ),
        ("a: 1\n---\nb: 2\n", "c.yaml:2:1: not valid YAML: expected a single document"),
        ("a: [\n", "c.yaml:2:1: not valid YAML"),
        ("a: \x07", "c.yaml:1: not valid YAML: a control character"),
        ("a: \ud800", "c.yaml:1: not UTF-8 text; save the file as UTF-8"),
        ("- a\n", "c.yaml:1: expected keys such as server, providers and routing, got a list"),
        ("routing:\n  ? enable\n", "c.yaml: routing.enable stands where it cannot be changed safely"),
        ("routing: {enable: !!bool yes}", None),
        ("x: |\n  open end", "c.yaml: routing.enable stands where it cannot be changed safely; change it by hand"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_alone_is_refused_in_one_sentence(text: str, problem: str | None) -> None:
    if problem is None:
        assert edit(text, OFF) == text.replace("yes", "no")
        return
    with pytest.raises(CannotEdit) as caught:
        edit(text, OFF, "c.yaml")

    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("routing:\n  order: [{a: 1}]\n", "c.yaml:2: this list holds more than words"),
        ("routing:\n  order:\n  - - a\n", "c.yaml:3: this list holds more than words"),
        ("routing:\n  order:\n  - |\n    a\n", "c.yaml:3: this list holds more than words"),
        ("routing:\n  order: [&a a]\nx: *a\n", "c.yaml:2: routing.order is used elsewhere as *a"),
        ("routing:\n  order:\n  -\n    a\n", "c.yaml:3: this list is written in an unusual way"),
        ("routing:\n  order:\n    &o\n  - a\n", "c.yaml:3: this list is written in an unusual way"),
        ("routing:\n  order: {a: 1}\n", "c.yaml:2: routing.order holds more than one value"),
    ],
)
def test_a_list_that_cannot_be_changed_is_refused(text: str, problem: str) -> None:
    with pytest.raises(CannotEdit) as caught:
        edit(text, ORDER, "c.yaml")

    assert str(caught.value) == f"{problem}; change it by hand"


def test_a_text_that_would_mean_a_variable_is_refused() -> None:
    for value in ("${HOME}", ("a", "${HOME}")):
        with pytest.raises(CannotEdit, match="which would mean a variable"):
            edit("", {"routing.only": value})


def test_a_name_with_dots_stands_in_quotation_marks() -> None:
    text = 'providers:\n  my.team:\n    region: a\n  "it: s": {region: a}\n'
    after = edit(text, {'providers."my.team".region': "b", 'providers."it: s".region': "c", 'providers."1.2".x': 1})

    assert after == text.replace("a\n", "b\n", 1).replace("{region: a}", "{region: c}") + '  "1.2":\n    x: 1\n'


@pytest.mark.parametrize("key", ["", ".", "a.", ".a", "a..b", 'a."b', 'a."b"c', "routing.<<"])
def test_a_key_that_is_no_path_is_the_callers_fault(key: str) -> None:
    with pytest.raises(ValueError, match="not a path of names"):
        edit("", {key: 1})


def test_nonsense_is_the_callers_fault() -> None:
    for number in (float("nan"), float("-inf")):
        with pytest.raises(ValueError, match="x cannot be"):
            edit("", {"x": number})
    with pytest.raises(ValueError, match=r"routing\.only cannot be set together with routing"):
        edit("", {"routing.only": "a", "routing": "b"})
    with pytest.raises(ValueError, match="cannot be set together"):
        edit("", {"a.b": 1, 'a."b"': 2})


def test_several_keys_are_changed_at_once() -> None:
    before = """\
        # mine
        tray: { notifications: [ fallback ] }   # quiet
        routing:
          only: ""     # all
        """
    after = """\
        # mine
        tray: { notifications: [ all_down ] }   # quiet
        routing:
          only: "a"    # all
          enable: false
          order: [a, b]
        server:
          port: 9000
        """
    changes: dict[str, Value] = {
        "routing.enable": False,
        "routing.order": ("a", "b"),
        "routing.only": "a",
        "tray.notifications": ("all_down",),
        "server.port": 9000,
    }

    assert edit(dedent(before), changes) == dedent(after)


def test_byte_order_mark_and_mixed_line_ends_stay() -> None:
    text = "\ufeffx: 1\r\n# old mac\rrouting:\n  enable: true\r\n  y: 'a\u2028b'\n"

    assert edit(text, OFF) == text.replace("true", "false")


def test_the_default_file_comes_back_from_a_round_trip_with_every_byte() -> None:
    off = edit(default_text(), OFF)

    assert [a for a, b in zip(default_text().splitlines(), off.splitlines(), strict=True) if a != b] == [
        line for line in default_text().splitlines() if line.startswith("  enable: true ")
    ]
    assert edit(off, {"routing.enable": True}) == default_text()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbfrouting:\r\n  enable: true # k\xc3\xa4se\r\n")
    return path


def litter(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.iterdir() if entry != path]


def test_the_file_is_changed_byte_by_byte(path: Path) -> None:
    assert change(path, OFF)
    assert path.read_bytes() == b"\xef\xbb\xbfrouting:\r\n  enable: false # k\xc3\xa4se\r\n"
    assert litter(path) == []


def test_a_file_that_says_so_already_is_not_touched(path: Path) -> None:
    before = path.stat()

    assert not change(path, {"routing.enable": True})
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o700])
def test_the_file_keeps_its_mode(path: Path, mode: int) -> None:
    path.chmod(mode)
    change(path, OFF)

    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
def test_a_link_stays_a_link(path: Path) -> None:
    link = path.parent / "link.yaml"
    link.symlink_to(path)

    assert change(link, OFF)
    assert link.is_symlink()
    assert b"false" in path.read_bytes()


def test_a_file_that_is_gone_starts_again_from_the_default_one(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"

    assert not change(path, {"routing.enable": True})
    assert not path.exists()
    assert change(path, OFF)
    assert path.read_text(encoding="utf-8") == edit(default_text(), OFF)
    assert not load(path, {}).config.routing.enable
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_directory_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(CannotEdit, match=r"the directory of .*config\.yaml is gone; bring it back"):
        change(tmp_path / "gone" / "config.yaml", OFF)


def test_a_read_only_file_is_respected(path: Path) -> None:
    before = path.read_bytes()
    path.chmod(0o400)
    with pytest.raises(CannotEdit, match="is read-only; make it writable, or change it by hand"):
        change(path, OFF)

    assert path.read_bytes() == before


def test_a_file_that_belongs_to_somebody_else_is_respected(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CannotEdit, match="is read-only"):
        change(path, OFF)


def test_what_cannot_be_read_is_left_alone(path: Path) -> None:
    path.write_bytes(b"routing:\n  only: \xff\n")
    with pytest.raises(CannotEdit, match=r"^config\.yaml:2: not UTF-8 text; save the file as UTF-8$"):
        change(path, OFF)
    assert path.read_bytes() == b"routing:\n  only: \xff\n"

    path.unlink()
    path.mkdir()
    with pytest.raises(CannotEdit, match=r"cannot be changed: .*; check who may write to it"):
        change(path, OFF)


def test_a_full_disk_leaves_the_old_file_and_no_litter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        CannotEdit, match=r"cannot be changed: No space left on device; make room on its disk, then try again$"
    ):
        change(path, OFF)

    assert path.read_bytes() == before
    assert litter(path) == []


def saving(path: Path, times: int) -> Callable[..., bool]:
    """A write during which the user's editor saves, as often as told."""
    real, saves = files.write_atomically, iter(range(times))

    def write(target: Path, text: str, *, mode: int, ready: Callable[[], bool]) -> bool:
        for number in saves:
            path.write_bytes(b"# saved %d\n" % number + path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
            break
        return real(target, text, mode=mode, ready=ready)

    return write


def test_what_the_user_saves_meanwhile_is_not_lost(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editing, "write_atomically", saving(path, 2))

    assert change(path, OFF)
    assert path.read_bytes() == b"# saved 1\n# saved 0\nrouting:\r\n  enable: false # k\xc3\xa4se\r\n"
    assert litter(path) == []


def test_a_file_that_changes_all_the_time_is_left_to_who_changes_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "write_atomically", saving(path, 3))
    with pytest.raises(CannotEdit, match="is being changed by another program; try again"):
        change(path, OFF)

    assert b"enable: true" in path.read_bytes()
    assert litter(path) == []


def test_a_defect_in_splicing_never_reaches_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    for wrong in ("routing: {enable: false, only: x}", "routing: {enable: true}", "routing: {}", "routing: ["):
        monkeypatch.setattr(editing, "spliced", lambda *_, wrong=wrong: wrong)
        with pytest.raises(CannotEdit, match="cannot be changed safely"):
            change(path, OFF)

    assert path.read_bytes() == before
