"""Settings files of every shape that people and programs write, drawn by Hypothesis."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import strategies as st

OURS = ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")
SCALARS = (
    *('"x"', '"käse 🧀"', '"k\\u00e4se \\ud83e\\uddc0"', '"a\\/b\\n\\"c\\""', '"{ \\"env\\": [,]}"', '""', '"\\ud800"'),
    *("0", "-0.0", "1E5", "1.50", "12345678901234567890123", "1e400", "true", "false", "null"),
)
KEYS = ('"permissions"', '"model"', '"hooks"', '"ключ"', '"en\\u0076ironment"', '""', '"a.b"', '"zz"')
ENV_KEYS = ('"PATH"', '"DISABLE_TELEMETRY"', '"ANTHROPIC_MODEL"', '"ANTHROPIC_BASE_URL2"', '"\\u00fc"')
FORMER = ('"https://gateway.example/v1"', '"sk-ant-mine"', '"a\\/b"', '""', "null", "7")


@dataclass(frozen=True)
class Style:
    """How one program writes JSON. ``step`` is None for everything on one line."""

    newline: str
    step: str | None
    colon: str
    comma: str
    pad: str
    hollow: str

    def inside(self, parts: Iterable[str], level: int) -> str:
        parts = list(parts)
        if not parts:
            return self.hollow
        if self.step is None:
            return self.pad + f",{self.comma}".join(parts) + self.pad
        lead = self.newline + self.step * (level + 1)
        return lead + f",{lead}".join(parts) + self.newline + self.step * level

    def object(self, pairs: Iterable[tuple[str, str]], level: int) -> str:
        return "{" + self.inside((f"{key}{self.colon}{value}" for key, value in pairs), level) + "}"


styles = st.builds(
    Style,
    newline=st.sampled_from(("\n", "\r\n", "\r", "\n\n", "\n \n")),
    step=st.sampled_from((None, None, "  ", "    ", "\t", "")),
    colon=st.sampled_from((":", ": ", " : ", ":\n")),
    comma=st.sampled_from(("", " ", "  ")),
    pad=st.sampled_from(("", " ")),
    hollow=st.sampled_from(("", " ", "\n", "\r\n\t")),
)


@st.composite
def values(draw: st.DrawFn, style: Style, level: int) -> str:
    """Any JSON value in a style. Keys may stand twice."""
    kind = draw(st.sampled_from(("scalar", "scalar", "scalar", "object", "array") if level < 3 else ("scalar",)))
    if kind == "scalar":
        return draw(st.sampled_from(SCALARS))
    items = draw(st.lists(values(style, level + 1), max_size=2))
    if kind == "array":
        return "[" + style.inside(items, level) + "]"
    return style.object([(draw(st.sampled_from(KEYS)), item) for item in items], level)


@st.composite
def environments(draw: st.DrawFn, style: Style) -> str:
    """The object at ``env``, with some of our keys set to the user's own values."""
    names = [*draw(st.lists(st.sampled_from(ENV_KEYS), max_size=2))]
    names += [json.dumps(name) for name in draw(st.lists(st.sampled_from(OURS), unique=True, max_size=2))]
    order = draw(st.permutations(names))
    own = {json.dumps(name) for name in OURS}
    pairs = [(name, draw(st.sampled_from(FORMER if name in own else SCALARS))) for name in order]
    return style.object(pairs, 1)


@st.composite
def settings_texts(draw: st.DrawFn) -> str:
    """A whole file that Claude Code accepts."""
    mark = draw(st.sampled_from(("", "", "\ufeff")))
    if draw(st.integers(0, 9)) == 0:
        return mark + draw(st.sampled_from(("", "\n", " \r\n\t")))
    style = draw(styles)
    keys = st.lists(st.sampled_from(KEYS), max_size=3)
    pairs = [(key, draw(values(draw(st.just(style) | styles), 1))) for key in draw(keys)]
    if draw(st.booleans()):
        env = (draw(st.sampled_from(('"env"', '"\\u0065nv"'))), draw(environments(draw(st.just(style) | styles))))
        pairs.insert(draw(st.integers(0, len(pairs))), env)
    before, behind = (draw(st.sampled_from(("", "\n", "\r\n", "  "))) for _ in range(2))
    return mark + before + style.object(pairs, 0) + behind
