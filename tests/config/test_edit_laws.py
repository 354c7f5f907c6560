"""Laws of editing, on configuration files of every shape that users write."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.config.document import Listing, Node, Scalar, Table, find, parse
from ccproxy_tray.config.edit import CannotEdit, Value, edit
from ccproxy_tray.config.report import Report
from ccproxy_tray.config.spelling import plain

SECTIONS = ("server", "routing", "tray", "extra")
SCALARS = ("enable", "only", "note")
KEYS = (*SCALARS, "order")
WORDS = ("a", "bedrock", "b c", "it's", 'say "hi"', "a: b", "#x", "true", "12", "", "käse 🧀", "~", "- x", "[y]", "*z")
WORDS_OF_TRUTH = {True: ("true", "yes", "1"), False: ("false", "no", "0")}

Path = tuple[str, str]


@dataclass(frozen=True)
class Line:
    """A line of a file, and the keys for whose sake it may change."""

    text: str
    owners: frozenset[Path] = frozenset()


REMARKS = ("# c", "# far, [away]", "# enable: x", "# a: b", "#order: [x]", "# deep", "# deeper")
comments = st.sampled_from(("", "", "", " # c", "   # far, [away]", "            # enable: x"))
words = st.sampled_from(WORDS)
remarks = st.sampled_from(("", "# a: b", "#order: [x]", "  # deep", "        # deeper"))


def quoted(word: str) -> st.SearchStrategy[str]:
    """Spellings of a word that mean it."""
    double = '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    forms = [double, "'" + word.replace("'", "''") + "'"]
    return st.sampled_from([*forms, word] if word in ("a", "bedrock", "b c", "true", "12") else forms)


@st.composite
def block_entries(draw: st.DrawFn, section: str, key: str, pad: str) -> list[Line]:
    """A key with its value in block style."""
    own = frozenset({(section, key)})
    behind = draw(comments)
    if key != "order":
        form = draw(st.sampled_from(("word", "word", "empty", "literal", "folded", "below")))
        word = draw(words.flatmap(quoted))
        lines = {
            "word": [f"{pad}{key}: {word}{behind}"],
            "empty": [f"{pad}{key}:{behind}"],
            "literal": [
                f"{pad}{key}: |{draw(st.sampled_from(('', '-', '+')))}{behind}",
                f"{pad}            text # no comment",
            ],
            "folded": [f"{pad}{key}: two", f"{pad}    lines{behind}"],
            "below": [f"{pad}{key}:{behind}", f"{pad}    {word}"],
        }[form]
        return [Line(line, own) for line in lines]
    items = draw(st.lists(words.flatmap(quoted), max_size=4))
    form = draw(st.sampled_from(("flow", "lines", "block", "single")))
    if form == "block" and items:
        inner = draw(st.sampled_from((pad, pad + "  ")))
        lines = [f"{pad}{key}:{behind}"]
        for item in items:
            lines += [inner + remark.strip() for remark in draw(st.lists(remarks, max_size=1))]
            lines += [f"{inner}- {item}{draw(comments)}"]
        return [Line(line, own) for line in lines]
    if form == "single" and items:
        return [Line(f"{pad}{key}: {items[0]}{behind}", own)]
    lines = draw(flow_list(items, pad)) if form == "lines" else [f"[{', '.join(items)}]"]
    lines[0] = f"{pad}{key}: {lines[0]}"
    lines[-1] += behind
    return [Line(line, own) for line in lines]


@st.composite
def flow_list(draw: st.DrawFn, items: list[str], pad: str) -> list[str]:
    """A list in flow style, with an item in each line."""
    lines = ["[" + draw(comments)]
    for i, item in enumerate(items):
        comma = "," if i < len(items) - 1 or draw(st.booleans()) else ""
        lines += [pad + "  " + remark.strip() for remark in draw(st.lists(remarks, max_size=1))]
        lines += [f"{pad}  {item}{comma}{draw(comments)}"]
    return [*lines, pad + "]"]


@st.composite
def flow_entry(draw: st.DrawFn, key: str) -> str:
    if key != "order":
        forms = words.flatmap(quoted).map(lambda word: f"{key}: {word}")
        return draw(st.one_of(forms, st.sampled_from((key, f"{key}: "))))
    items = draw(st.lists(words.flatmap(quoted), max_size=3))
    return f"{key}: [{draw(st.sampled_from((', ', ',', ' , '))).join(items)}]"


@st.composite
def section_lines(draw: st.DrawFn, section: str, step: str) -> list[Line]:
    own = frozenset((section, key) for key in KEYS)
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
    form = draw(st.sampled_from(("block", "block", "flow", "lines", "null")))
    behind = draw(comments)
    if not keys or form == "null":
        return [Line(f"{section}:{draw(st.sampled_from(('', ' ~', ' {}', ' { }')))}{behind}", own)]
    if form == "block":
        lines = [Line(f"{section}:{behind}", own)]
        for key in keys:
            lines += [Line(step + remark) for remark in draw(st.lists(remarks, max_size=2))]
            lines += draw(block_entries(section, key, step))
        # A key that is inserted stands behind the last one, or behind the section's own line.
        return lines
    entries = [draw(flow_entry(key)) for key in keys]
    if form == "flow":
        pad = draw(st.sampled_from(("", " ")))
        return [Line(f"{section}: {{{pad}{', '.join(entries)}{pad}}}{behind}", own)]
    commas = [","] * (len(entries) - 1) + [draw(st.sampled_from(("", ",")))]
    inner = [f"{step}{entry}{comma}{draw(comments)}" for entry, comma in zip(entries, commas, strict=True)]
    return [Line(line, own) for line in (f"{section}: {{{behind}", *inner, "}")]


@dataclass(frozen=True)
class File:
    lines: tuple[Line, ...]
    ends: tuple[str, ...]
    start: str
    finish: str

    @property
    def text(self) -> str:
        return (
            self.start + "".join(line.text + end for line, end in zip(self.lines, self.ends, strict=True)) + self.finish
        )


@st.composite
def configurations(draw: st.DrawFn) -> File:
    sections = draw(st.lists(st.sampled_from(SECTIONS), unique=True))
    step = draw(st.sampled_from(("  ", "    ", " ")))
    lines: list[Line] = []
    for section in sections:
        lines += [Line(remark) for remark in draw(st.lists(remarks, max_size=2))]
        lines += draw(section_lines(section, step))
    lines += [Line(remark) for remark in draw(st.lists(remarks, max_size=1))]
    end = draw(st.sampled_from(("\n", "\r\n", "mixed")))
    ends = [end if end != "mixed" else draw(st.sampled_from(("\n", "\r\n"))) for _ in lines]
    start = draw(st.sampled_from(("", "\ufeff", "---\n", "\ufeff--- # start\r\n")))
    finish = draw(st.sampled_from(("", "", "...\n", "..."))) if sections else ""
    if (
        lines
        and lines[-1].text
        and not finish
        and draw(st.booleans())
        and not any("|" in line.text for line in lines[-2:])
    ):
        ends[-1] = ""
    return File(tuple(lines), tuple(ends), start, finish)


@st.composite
def changes(draw: st.DrawFn) -> tuple[Path, Value]:
    section, key = draw(st.sampled_from(SECTIONS[1:])), draw(st.sampled_from(KEYS))
    if key == "order":
        return (section, key), tuple(draw(st.lists(words, max_size=4)))
    if key == "enable":
        return (section, key), draw(st.booleans())
    return (section, key), draw(
        st.one_of(words, st.text(max_size=6).filter(lambda text: "${" not in text), st.integers())
    )


def meaning(node: Node | None) -> object:
    """Keys without a value mean nothing; a single text stands for a list of one."""
    if isinstance(node, Table):
        return {key: inner for key, value in node.entries.items() if (inner := meaning(value)) not in (None, {})}
    if isinstance(node, Listing):
        items = [meaning(item) for item in node.items]
        return items[0] if len(items) == 1 else items
    return None if node is None or node.null else node.text


def tree(text: str) -> Table:
    report = Report("c.yaml")
    found = parse(text.encode("utf-8", "surrogatepass"), report)
    assert report.problems == ()
    return found


def dotted(path: Path) -> str:
    return ".".join(path)


def set_in(before: Table, path: Path, value: Value, after: Table) -> Table:
    """The tree with one key set. True and false may keep the user's words for them."""
    if isinstance(value, tuple):
        node: Node = Listing(tuple(Scalar(text, 0) for text in value), 0)
    else:
        found = find(after, path)
        kept = isinstance(value, bool) and isinstance(found, Scalar) and found.text in (WORDS_OF_TRUTH[value])
        node = found if kept and found else Scalar(plain(value), 0)
    section, key = path
    old = before.entries.get(section)
    entries = dict(old.entries) if isinstance(old, Table) else {}
    return Table({**before.entries, section: Table({**entries, key: node})})


@given(configurations(), st.lists(changes(), max_size=3, unique_by=lambda change: change[0]))
@settings(max_examples=60)
def test_only_the_meaning_of_the_changed_keys_changes_and_twice_is_once(
    file: File, wanted: list[tuple[Path, Value]]
) -> None:
    asked = {dotted(path): value for path, value in wanted}
    after = edit(file.text, asked)
    right = tree(file.text)
    for path, value in wanted:
        right = set_in(right, path, value, tree(after))

    assert meaning(tree(after)) == meaning(right)
    assert edit(after, asked) == after
    for remark in REMARKS:
        assert after.count(remark) >= sum(line.text.endswith(remark) for line in file.lines)


@given(configurations(), changes())
@settings(max_examples=60)
def test_every_line_that_does_not_belong_to_the_key_stays_as_it_is(file: File, wanted: tuple[Path, Value]) -> None:
    path, value = wanted
    after = edit(file.text, {dotted(path): value})
    before = [(line.text + end, line.owners) for line, end in zip(file.lines, file.ends, strict=True)]
    rest = after.removeprefix(file.start).removesuffix(file.finish).splitlines(keepends=True)
    assert after.startswith(file.start)
    assert after.endswith(file.finish)

    def same(old: tuple[str, object], new: str) -> bool:
        return new == old[0] or new.rstrip("\r\n") == old[0]  # the last line may have got an end

    head = len([*takewhile(lambda pair: same(*pair), zip(before, rest, strict=False))])
    tails = zip(reversed(before[head:]), reversed(rest[head:]), strict=False)
    tail = len([*takewhile(lambda pair: same(*pair), tails)])
    touched = before[head : len(before) - tail]
    assert [text for text, owners in touched if path not in owners] == []


@given(configurations(), changes())
@settings(max_examples=60)
def test_there_and_back_is_where_it_began(file: File, wanted: tuple[Path, Value]) -> None:
    path, value = wanted
    before = tree(file.text)
    old = find(before, path)
    after = edit(file.text, {dotted(path): value})
    if isinstance(old, Listing):
        back: Value = tuple(item.text for item in old.items if isinstance(item, Scalar))
    elif not isinstance(old, Scalar) or old.null:
        return
    else:
        back = (old.text,) if isinstance(value, tuple) else old.text

    assert meaning(tree(edit(after, {dotted(path): back}))) == meaning(before)


PIECES = (
    "routing", "order", "enable", "a", ":", ": ", " ", "  ", "\n", "\n  ", "- ", "[", "]", "{", "}", ",", "&x ", "*x",
    "<<: ", "<<", "# c", "'", '"', "|\n", "? ", "!!str ", "~", "---\n", "...\n", "\r\n", "\ufeff", "\x85",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), changes())
@settings(max_examples=300)
def test_any_text_is_changed_or_refused(text: str, wanted: tuple[Path, Value]) -> None:
    path, value = wanted
    try:
        after = edit(text, {dotted(path): value})
    except CannotEdit:
        return
    assert meaning(tree(after)) == meaning(set_in(tree(text), path, value, tree(after)))
    assert edit(after, {dotted(path): value}) == after
