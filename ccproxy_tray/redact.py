"""What is masked or escaped before a text may be logged, shown or sent back: secrets and control characters.

Law: known values are masked first, in the text as it came; then whatever has the shape of a secret; only then
are control characters escaped. Escaping or cutting first could tear a secret so that it is not recognised.
Every pattern takes time linear in the text, because upstreams and clients choose the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import quote

MASK = "***"
MIN_SECRET = 6
"""Known values shorter than this are not masked: they would blot out parts of ordinary words."""
OWN_NAMES = frozenset({"ccproxy", "ccproxy-tray", "ccproxy_tray"})
"""No secrets: the first is the token that Claude Code gets where none is asked for, and to mask that would blot out the
program's name and its commands everywhere."""
CUT = "…"
"""Stands where :func:`shown` cut a text."""
_ACCOUNT = re.compile(r"\b\d{12}\b")
_HIDDEN_ACCOUNT = "*" * 12

_WORD = r"[^\s\"',;&]+"
_NAME = (
    r"(?:api[-_]?key|secret[-_]?(?:access[-_]?)?key|client[-_]?secret|password|passwd"
    r"|(?:access|auth|session|security|refresh|bearer)[-_]?token(?:[-_]bedrock)?)"
)
_HEADER = r"(?:x-api-key|x-amz-security-token|x-goog-api-key|(?:proxy-)?authorization|(?:set-)?cookie)"
_GAP = r"\s{0,8}"

_FORMS = (
    (("://",), r"(://)[^\s/@?#\"'<>]{1,512}(?=@)"),  # user:password@ in a URL
    (("sk-",), r"(?<![A-Za-z0-9])(sk-(?:ant-|or-)?)[A-Za-z0-9_-]{8,}"),  # OpenAI, Anthropic, OpenRouter
    (("csk-", "gsk_", "xai-", "hf_"), r"(?<![A-Za-z0-9])(csk-|gsk_|xai-|hf_)[A-Za-z0-9_-]{12,}"),
    (("pplx-", "nvapi-", "ghp_", "github_pat_"), r"(?<![A-Za-z0-9])(pplx-|nvapi-|ghp_|github_pat_)[A-Za-z0-9_-]{12,}"),
    (("akia", "asia"), r"(?<![A-Za-z0-9])(AKIA|ASIA)[A-Z0-9]{8,}"),  # AWS access key ids, lasting and temporary
    (("absk", "bedrock-api-key-"), r"(?<![A-Za-z0-9])(ABSK|bedrock-api-key-)[A-Za-z0-9+/=_-]{8,}"),  # Bedrock API keys
    (("eyj",), r"(?<![A-Za-z0-9_-])(eyJ)[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*"),  # JSON Web Tokens
)
_SECRETS = ("key", "token", "secret", "passw")
_SPELT = (
    "passw",
    *(
        first + join + second
        for join in ("", "-", "_")
        for first, second in (
            ("api", "key"),
            ("secret", "key"),
            ("secret", "access"),
            ("client", "secret"),
            *((kind, "token") for kind in ("access", "auth", "session", "security", "refresh", "bearer")),
        )
    ),
)
"""The names of secrets, as :data:`_NAME` has them."""
_NAMES = (
    (("bearer",), rf"\b(bearer(?:\s|%20){{1,8}}){_WORD}"),
    # A header in any notation: "name: value", {'name': 'value'}, (b'name', b'value').
    (
        ("authorization", "cookie", "-key", "-token"),
        rf"\b({_HEADER}(?:[\"']?{_GAP}[:=]{_GAP}|[\"'],{_GAP})(?:b?[\"'])?)(?:(?:basic|token|digest)\s{{1,8}})?{_WORD}",
    ),
    # The names of secrets also stand in our own messages ("api_key: expected ..."), so that after a plain
    # colon only what looks like a key is masked.
    (_SECRETS, rf"({_NAME}[\"']?{_GAP}={_GAP}[\"']?){_WORD}"),
    (_SECRETS, rf"({_NAME}[\"']?{_GAP}:{_GAP}b?[\"'])[^\"']{{1,4096}}"),
    (_SECRETS, rf"({_NAME}[\"']?{_GAP}:{_GAP})(?=[^\s\"',;&]{{0,64}}\d)[^\s\"',;&]{{8,}}"),
    # SigV4, header and query form.
    (("ture=", "ntial=", "oken="), rf"\b((?:x-amz-)?(?:signature|credential|security-token)=){_WORD}"),
    (("key=", "token=", "sig=", "code="), rf"([?&](?:key|token|sig|code)=){_WORD}"),
)
_SHAPES = (
    *((hints, re.compile(pattern)) for hints, pattern in _FORMS),
    *((hints, re.compile(pattern, re.IGNORECASE)) for hints, pattern in _NAMES),
)
"""Each shape with hints, one of which stands in every match (in lower case): looking for those first makes the usual
text, in which there is nothing to mask, ten times cheaper."""
_LONG_SHAPES = tuple((_SPELT if hints is _SECRETS else hints, shape) for hints, shape in _SHAPES)
"""The same for long texts: what people and programs write is full of keys and tokens that are none."""
_BLOCK = 4096
"""Characters of a long text that are looked at in one go."""
_REACH = 1024
"""More than any shape needs to show that it is there."""

_NAME_LENGTH = 120
_NAMES_KEPT = 1024
"""So many short texts are remembered with what is shown of them."""

_TORN = 8
"""Characters of a known value that give it away where a text was cut behind them."""

_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: line breaks and terminal commands
    r"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # line separators, bidi overrides, invisibles
    r"\ud800-\udfff]"  # lone surrogates, which no encoding takes
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_SECRET_VARIABLE = re.compile(r"(_KEY|_TOKEN|_SECRET|_PASSWORD|^PASSWORD|_TOKEN_BEDROCK)$")


def redact(text: str) -> str:
    """The text with everything that has the shape of a credential masked."""
    if len(text) > _BLOCK:
        for hints, shape in _LONG_SHAPES:
            text = _masked_in_blocks(text, shape, hints, _REACH, str.lower)
        return text
    lower = text.lower()
    for hints, shape in _SHAPES:
        for hint in hints:  # A loop instead of any(): menu and log ask this of every text.
            if hint in lower:
                text = shape.sub(rf"\g<1>{MASK}", text)
                break
    return text


def _masked_in_blocks(
    text: str, pattern: re.Pattern[str], hints: Iterable[str], reach: int, fold: Callable[[str], str]
) -> str:
    """What ``pattern.sub`` would make of the text, a block at a time, and only where a hint stands, when folded.

    A search holds the interpreter's lock from its beginning to its end, and with it the loop: for megabytes that was
    seconds. ``reach`` is how far behind its beginning it shows whether there is a match; that may go on beyond.
    """
    parts: list[str] = []
    done = 0
    for start in range(0, len(text), _BLOCK):
        end, limit = start + _BLOCK, start + _BLOCK + reach
        folded = fold(text[start:limit])
        if not any(hint in folded for hint in hints):
            continue
        at = max(start, done)
        while at < end and (found := pattern.search(text, at, limit)) is not None and found.start() < end:
            begun = found.start()
            whole = pattern.match(text, begun) or found
            parts += (text[done:begun], whole[1] or "", MASK)
            done = at = whole.end()
    return "".join((*parts, text[done:])) if parts else text


def escape(text: str) -> str:
    r"""The text on one line: control, bidi and invisible characters as ``\n``, ``\x1b``, ``\u202e``."""
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def shown(text: str, limit: int = 200) -> str:
    """Untrusted text for people: masked by shape, escaped, and cut to ``limit`` characters with ``…`` at the end."""
    return _shown(text, limit) if len(text) <= _NAME_LENGTH else _shown.__wrapped__(text, limit)


def public(text: str, limit: int = 300) -> str:
    """As :func:`shown`, and without AWS account ids: for what people copy into reports and photograph."""
    return _public(text, limit) if len(text) <= _NAME_LENGTH else _public.__wrapped__(text, limit)


# Names of models and targets, ids of sessions: few texts that every request brings again.
@lru_cache(_NAMES_KEPT)
def _shown(text: str, limit: int) -> str:
    return _cut(escape(_masked(text, limit)), limit)


@lru_cache(_NAMES_KEPT)
def _public(text: str, limit: int) -> str:
    return _cut(escape(without_accounts(_masked(text, limit))), limit)


def without_accounts(text: str) -> str:
    """The text with AWS account ids masked: twelve digits that stand alone."""
    return _ACCOUNT.sub(_HIDDEN_ACCOUNT, text) if len(text) >= len(_HIDDEN_ACCOUNT) else text


def _masked(text: str, limit: int) -> str:
    # A little more than the limit is looked at, so that a secret that straddles the cut is still recognised.
    return redact(text[: 2 * limit + 512])


def _cut(safe: str, limit: int) -> str:
    return safe if len(safe) <= limit else safe[: limit - 1] + CUT


def secret_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of environment variables whose names say that they are secret."""
    return tuple(value for name, value in environ.items() if _SECRET_VARIABLE.search(name.upper()))


@dataclass(frozen=True, slots=True)
class _Known:
    """How known values are recognised: each match begins with one of ``beginnings``."""

    pattern: re.Pattern[str]
    beginnings: tuple[str, ...]
    reach: int

    @classmethod
    def of(cls, values: Iterable[str]) -> Self:
        """For these values, in all their spellings, and for their beginnings where a text was cut."""
        longest_first = sorted({each for value in values for each in _spellings(value)}, key=len, reverse=True)
        whole = [re.escape(each) for each in longest_first]
        torn = [re.escape(each[:_TORN]) + rf"\S{{0,4096}}(?={CUT})" for each in longest_first if len(each) > _TORN]
        beginnings = {each[:_TORN] for each in longest_first}
        pattern = re.compile(f"()(?:{'|'.join(whole + torn)})")
        return cls(pattern, tuple(sorted(beginnings)), max(4096 + _TORN, len(longest_first[0])) + 1)

    def masked(self, text: str) -> str:
        """The text without them."""
        for beginning in self.beginnings:  # A loop instead of any(), as above.
            if beginning in text:
                break
        else:
            return text
        if len(text) <= _BLOCK:
            return self.pattern.sub(MASK, text)
        return _masked_in_blocks(text, self.pattern, self.beginnings, self.reach, str)


class Redactor:
    """Masks known values in every spelling that a log may meet, then everything of a secret's shape.

    Values may be added at any time and from any thread: what recognises them is replaced in one step.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: frozenset[str] = frozenset()
        self._known: _Known | None = None
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Mask these values from now on; not blank and very short ones (:data:`MIN_SECRET`), nor :data:`OWN_NAMES`."""
        self._values |= {
            value for value in values if len(value.strip()) >= MIN_SECRET and value.strip() not in OWN_NAMES
        }
        if self._values:
            self._known = _Known.of(self._values)

    def known(self, text: str) -> str:
        """The text without any known value."""
        return text if self._known is None else self._known.masked(text)

    def redact(self, text: str) -> str:
        """The text without any known value and without anything of a secret's shape."""
        return redact(self.known(text))


def _spellings(value: str) -> set[str]:
    """The value as it is, in JSON, in a ``repr``, and percent-encoded."""
    return {value, value.strip(), json.dumps(value)[1:-1], repr(value)[1:-1], quote(value, safe="", errors="replace")}
