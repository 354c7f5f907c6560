"""A JSON text with keys set and removed, in its own style."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.desktop.json_edit import Path, edit, same
from ccproxy_tray.desktop.json_text import BOM, NotEditable, read
from tests.desktop.claude.generated import settings_texts

URL, TOKEN = ("env", "ANTHROPIC_BASE_URL"), ("env", "ANTHROPIC_AUTH_TOKEN")
Changes = dict[Path, str | None]
SET: Changes = {URL: '"u"', TOKEN: '"t"'}
REMOVE: Changes = dict.fromkeys(SET)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '{\n  "env": {\n    "U": "u",\n    "T": "t"\n  }\n}\n'),
        (f"{BOM} \n", f'{BOM}{{\n  "env": {{\n    "U": "u",\n    "T": "t"\n  }}\n}}\n'),
        ("{}", '{\n  "env": {\n    "U": "u",\n    "T": "t"\n  }\n}'),
        ("{\r\n}\r\n", '{\r\n  "env": {\r\n    "U": "u",\r\n    "T": "t"\r\n  }\r\n}\r\n'),
        ('{"a":1}', '{"a":1,"env":{"U":"u","T":"t"}}'),
        ('{"a": 1}', '{"a": 1, "env": {"U": "u", "T": "t"}}'),
        ('{ "a":1 }', '{ "a":1, "env":{ "U":"u", "T":"t" } }'),
        ('{"a":1,  "b":2}', '{"a":1,  "b":2,  "env":{"U":"u",  "T":"t"}}'),
        ('{\n\t"a": 1\n}\n', '{\n\t"a": 1,\n\t"env": {\n\t\t"U": "u",\n\t\t"T": "t"\n\t}\n}\n'),
        ('{\r    "a" : 1\r}', '{\r    "a" : 1,\r    "env" : {\r        "U" : "u",\r        "T" : "t"\r    }\r}'),
        ('{\n"a":1\n}', '{\n"a":1,\n"env":{\n"U":"u",\n"T":"t"\n}\n}'),
        ('{"a":1,\n "b":2}', '{"a":1,\n "b":2,\n "env":{\n  "U":"u",\n  "T":"t"\n }}'),
        ('    {\n  "a":\n1\n    }', '    {\n  "a":\n1,\n  "env": {\n    "U": "u",\n    "T": "t"\n  }\n    }'),
        ('{\n  "a": 1, "b": 2\n}', '{\n  "a": 1, "b": 2, "env": {"U": "u", "T": "t"}\n}'),
        ('{\n  "a": 1,\n\n  "b": 2\n}', '{\n  "a": 1,\n\n  "b": 2,\n  "env": {\n    "U": "u",\n    "T": "t"\n  }\n}'),
        ('{"env":{}, "a":1}', '{"env":{"U":"u", "T":"t"}, "a":1}'),
        ('{\n  "env": {},\n  "a": 1\n}', '{\n  "env": {\n    "U": "u",\n    "T": "t"\n  },\n  "a": 1\n}'),
        ('{\n  "env": {"A":"b" }\n}', '{\n  "env": {"A":"b","U":"u","T":"t" }\n}'),
        ('{"env": {"T": 7, "A": [1,2]}}', '{"env": {"T": "t", "A": [1,2], "U": "u"}}'),
        ('{"env": {"T": "a", "U": null}}', '{"env": {"T": "t", "U": "u"}}'),
        ('{"env": {"\\u0054": "a", "U": "\\u0075"}}', '{"env": {"\\u0054": "t", "U": "\\u0075"}}'),
    ],
)  # fmt: skip
def test_keys_are_set_in_the_style_of_the_file(before: str, after: str) -> None:
    changes: Changes = {("env", "U"): '"u"', ("env", "T"): '"t"'}
    assert edit(before, changes) == after
    assert edit(after, changes) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("{}", "{}"),
        ('{"env": {}}', '{"env": {}}'),
        ('{"env": { "U" : "u" }, "a": 1}', '{"env": {}, "a": 1}'),
        ('{"env": {"U": "u", "A": "b"}}', '{"env": {"A": "b"}}'),
        ('{"env": {"A": "b" , "U": "u"}}', '{"env": {"A": "b"}}'),
        ('{"env": {\n "A": "b",\n "U": "u",\n "B": "c" }}', '{"env": {\n "A": "b",\n "B": "c" }}'),
    ],
)
def test_keys_are_removed_with_their_comma(before: str, after: str) -> None:
    assert edit(before, {("env", "U"): None, ("env", "T"): None}) == after


def test_a_whole_object_is_removed_and_the_inside_of_what_is_left_is_given() -> None:
    assert edit('{"env": {}}', {("env",): None}, {(): " \n"}) == "{ \n}"
    assert edit('{"env": {"U": "u"}}', {("env", "U"): None}, {("env",): " "}) == '{"env": { }}'


def test_a_key_of_the_root_is_set() -> None:
    assert edit("", {("a",): "1"}) == '{\n  "a": 1\n}\n'
    assert edit('{"a": [1]}', {("a",): "2", ("b",): "[]"}) == '{"a": 2, "b": []}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "line 1, column 1: the settings are not an object in braces"),
        ('\n "env"', "line 2, column 2: the settings are not an object in braces"),
        ('{"env": null}', 'line 1, column 9: "env" is not an object in braces'),
        ('{"env": [{}]}', 'line 1, column 9: "env" is not an object in braces'),
        ('{"env": {},\n "env": {}}', 'line 2, column 2: the key "env" stands twice'),
        ('{"env": {"U": "a", "U": "b"}}', 'line 1, column 20: the key "U" stands twice'),
        ("{", 'line 1, column 2: the text ends too early: a key in double quotation marks or "}" is missing'),
    ],
)
@pytest.mark.parametrize("value", ['"u"', None])
def test_what_cannot_be_changed_safely_is_refused_with_its_place(text: str, said: str, value: str | None) -> None:
    with pytest.raises(NotEditable) as caught:
        edit(text, {("env", "U"): value})
    assert str(caught.value) == said


def test_only_paths_of_one_or_two_keys_are_known() -> None:
    for path in ((), ("a", "b", "c")):
        with pytest.raises(ValueError, match="one or two keys"):
            edit("{}", {path: "1"})


def test_the_same_string_may_be_spelled_differently() -> None:
    assert same('"a/"', '"a\\/"')
    assert same(None, None)
    assert same("1", "1")
    assert not same("1", "1.0")
    assert not same('"1"', "1")
    assert not same(None, '""')
    assert not same('"a"', '"b"')


def pairs(text: str) -> Any:
    """What a text means, with keys that stand twice; empty objects and lists told apart."""
    body = text.removeprefix(BOM)
    return json.loads(body, object_pairs_hook=lambda found: ("object", found)) if body.strip() else ("object", [])


def without(tree: Any) -> Any:
    """The tree without our keys, and without an env that holds nothing else."""
    found = []
    for key, value in tree[1]:
        if key == "env":
            rest = [pair for pair in value[1] if ("env", pair[0]) not in SET]
            found += [(key, rest)] if rest else []
        else:
            found.append((key, value))
    return found


@given(settings_texts())
@settings(max_examples=100, deadline=None)
def test_setting_changes_the_meaning_of_these_keys_only(text: str) -> None:
    after = edit(text, SET)
    assert without(pairs(after)) == without(pairs(text))
    env = dict(dict(pairs(after)[1])["env"][1])
    assert (env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_AUTH_TOKEN"]) == ("u", "t")
    assert after.startswith(BOM) == text.startswith(BOM)
    assert edit(after, SET) == after


@given(settings_texts())
@settings(max_examples=100, deadline=None)
def test_removing_changes_the_meaning_of_these_keys_only(text: str) -> None:
    after = edit(text, REMOVE)
    assert without(pairs(after)) == without(pairs(text))
    assert read(after).value(URL) is None
    assert read(after).value(TOKEN) is None


@given(settings_texts(), st.sampled_from(['"x"', "1", "{}"]))
@settings(max_examples=100, deadline=None)
def test_removing_undoes_inserting_to_the_last_character(text: str, value: str) -> None:
    document = read(text)
    if document.root is None:
        return
    parents: tuple[Path, ...] = ((), ("env",))
    hollow = {path: document.hollow(path) or "" for path in parents}
    new: Changes = {path: value for path in SET if document.value(path) is None}
    after = edit(edit(text, new), dict.fromkeys(new), hollow)
    if document.value(("env",)) is None:
        after = edit(after, {("env",): None}, hollow)
    assert after == text
