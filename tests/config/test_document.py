from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.config import document
from ccproxy_tray.config.document import Listing, Scalar, Table, parse
from ccproxy_tray.config.report import Report


def read(text: str | bytes) -> tuple[Table, tuple[str, ...]]:
    report = Report("c.yaml")
    return parse(text if isinstance(text, bytes) else text.encode(), report), report.problems


def test_every_node_knows_its_line_and_keeps_its_text() -> None:
    tree, problems = read("a:\n  b: '08'\n  c:\n- d\n".replace("- d", "e: [x, ~]"))

    assert problems == ()
    assert tree.entries["a"] == Table({"b": Scalar("08", 2), "c": Scalar("", 3, null=True)}, 1)
    assert tree.entries["e"] == Listing((Scalar("x", 4), Scalar("~", 4, null=True)), 4)


@pytest.mark.parametrize("text", ["\ufeffa: 1\r\nb: 2\r\n", "a: 1\nb: 2", "---\na: 1\nb: 2\n...\n", "{a: 1, b: 2}"])
def test_byte_order_marks_and_line_ends_do_not_matter(text: str) -> None:
    tree, problems = read(text)

    assert problems == ()
    assert {key: node.text for key, node in tree.entries.items() if isinstance(node, Scalar)} == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "c.yaml:1:5: not valid YAML: while parsing a flow node expected the node content"),
        ("a: b: c", 'c.yaml:1:5: not valid YAML: mapping values are not allowed here; put a value that contains ": "'),
        ("a:\n\tb: 1", "found character '\\t' that cannot start any token; indent with spaces, not tabs"),
        ("a: 1\t# one", "found character '\\t' that cannot start any token; use spaces, not tabs"),
        ('a: 1\nb: "x\nc: 3\n',
         "c.yaml:4:1: not valid YAML: while scanning a quoted scalar that begins on line 2 found unexpected end"),
        ("a: 1\nb: { c: 3\nd: 4\n",
         "c.yaml:3:2: not valid YAML: while parsing a flow mapping that begins on line 2 expected ',' or '}'"),
        ("a: { b: ${X} }", "put a value that contains ${...} in quotes"),
        ("a: *x", "c.yaml:1:4: not valid YAML: found undefined alias"),
        ("a: 1\n---\nb: 2", "c.yaml:2:1: not valid YAML: expected a single document"),
        ("%YAML 2.0\n---\na: 1", "c.yaml:1:1: not valid YAML: found incompatible YAML document"),
        ("a: 1\nb: \x01", "c.yaml:2: not valid YAML: a control character"),
        ("- a", "c.yaml:1: expected keys such as server, providers and routing, got a list"),
        ("just text", "c.yaml:1: expected keys such as server, providers and routing, got a single value"),
        ("a: 1\nb: 2\na: 3", "c.yaml:3: a: set twice; it is on line 1 already: keep one of the two"),
        ("x:\n  a: 1\n  a: 3", "c.yaml:3: x.a: set twice; it is on line 2 already: keep one of the two"),
        ("x:\n  - a: 1\n    [k]: 2", "c.yaml:3: x[0]: a key must be plain text"),
        ("a: !!python/name:os.system x", "c.yaml:1: a: the YAML tag !!python/name:os.system has no meaning here"),
        ("a: !mine {}", "c.yaml:1: a: the YAML tag !mine has no meaning here"),
        ("a: !!set {}", "c.yaml:1: a: the YAML tag !!set has no meaning here"),
    ],
)  # fmt: skip
def test_what_is_not_plain_yaml_is_refused_with_its_line(text: str, problem: str) -> None:
    _, problems = read(text)

    assert len(problems) == 1
    assert problem in problems[0]


def test_what_is_not_utf_8_is_refused_with_its_line() -> None:
    assert read(b"a: 1\nb: \xff") == (Table(), ("c.yaml:2: not UTF-8 text; save the file as UTF-8",))
    assert read("a: 1".encode("utf-16"))[1] == ("c.yaml:1: not UTF-8 text; save the file as UTF-8",)


def laughs() -> str:
    lines = ["a0: &a0 [ha, ha]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (laughs, "more than 20000 values, counting aliases as often as they are used"),
        (lambda: "a: &a [*a]", "nested more than 24 levels deep"),
        (lambda: "a: &a { <<: *a }", "nested more than 24 levels deep"),
        (lambda: "a: " + "[" * 25 + "]" * 25, "nested more than 24 levels deep"),
        (lambda: "a: " + "[" * 5000, "nested more than 24 levels deep"),
        (lambda: "#" * (1024 * 1024 + 1), "larger than 1 MiB, which no configuration is"),
    ],
    ids=["laughs", "cycle", "merge-cycle", "deep", "very-deep", "large"],
)
def test_what_would_grow_without_end_is_refused(make: Callable[[], str], problem: str) -> None:
    tree, problems = read(make())

    assert tree == Table()
    assert problems[0].endswith(problem)


def test_what_just_fits_the_limits_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_BYTES", 20)
    monkeypatch.setattr(document, "MAX_NODES", 7)
    monkeypatch.setattr(document, "MAX_DEPTH", 2)

    assert read("#" * 20)[1] == ()
    assert read("#" * 21)[1] != ()
    assert read("a: [1, 2, 3, 4]")[1] == ()
    assert read("a: [1, 2, 3, 4, 5]")[1] == (
        "c.yaml:1: more than 7 values, counting aliases as often as they are used",
    )
    assert read("a: [[]]")[1] == ()
    assert read("a:\n  [[[]]]")[1] == ("c.yaml:2: nested more than 2 levels deep",)


def test_aliases_and_merges_work_as_in_yaml() -> None:
    tree, problems = read("base: &b { x: 1, y: 2 }\nmore: &m { y: 3, z: 4 }\nused: { <<: [*b, *m], z: 5 }\nsame: *b")

    assert problems == ()
    used, same = tree.entries["used"], tree.entries["same"]
    assert isinstance(used, Table)
    assert {key: node.text for key, node in used.entries.items() if isinstance(node, Scalar)} == {
        "x": "1",
        "y": "2",
        "z": "5",
    }
    assert isinstance(same, Table)
    assert same.line == 4


def test_only_mappings_can_be_merged() -> None:
    assert read("a: { <<: 5 }")[1] == ("c.yaml:1: a: << takes the name of a mapping",)


@given(text=st.text(alphabet="ab:{}[]&*<!|>-# \n\t'\"%,?~\ufeff\x85", max_size=40))
@settings(max_examples=200)
def test_any_text_gives_a_tree_or_problems_but_never_an_exception(text: str) -> None:
    tree, problems = read(text)

    assert isinstance(tree, Table)
    assert all(problem.startswith("c.yaml") for problem in problems)
