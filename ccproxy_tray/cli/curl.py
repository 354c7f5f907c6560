"""A kept request as the command that repeats it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

TOKEN = "CCPROXY_TOKEN"  # noqa: S105 - the name of a variable
_END = "CCPROXY_BODY"
_UNSAFE = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""What may stand as it is in a JSON string, and still moves a terminal's cursor or its direction."""
_HARMLESS = re.compile(r"[\w .,:;=/+-]*", re.ASCII)
"""Values of headers that no shell, no terminal and no ``curl.exe`` takes for anything else. PowerShell also ends a text
at typographic quotation marks, and its older versions let double ones through to the command line."""


def bash(url: str, headers: Mapping[str, str], body: str, *, token: bool) -> str:
    """For any POSIX shell. The body goes in by standard input, so that no limit of a command line holds.

    ``head`` takes off the line break that ends a here-document: the server gets the same bytes.
    """
    end = _END
    while end in body:
        end += "_"
    lines = [f"curl -sS -N {shlex.quote(url)}"]
    lines += [f"  -H {shlex.quote(header)}" for header in _given(headers)]
    lines += [f'  -H "x-api-key: ${{{TOKEN}:?set it to server.token}}"'] if token else []
    lines.append("  --data-binary @-")
    command = " \\\n".join(lines)
    return f"head -c {len(body.encode())} <<'{end}' | {command}\n{body}\n{end}\n"


def powershell(url: str, headers: Mapping[str, str], body: str, *, token: bool) -> str:
    """For PowerShell, with the ``curl.exe`` of Windows. No line of JSON begins with the end of a here-string."""
    given = [f"-H {_quoted(header)}" for header in _given(headers)]
    given += [f'-H "x-api-key: $env:{TOKEN}"'] if token else []
    hint = f"# $env:{TOKEN} has to be server.token\n" if token else ""
    return (
        f"{hint}$body = @'\n{body}\n'@\n"
        "$file = New-TemporaryFile\n"
        "[IO.File]::WriteAllText($file.FullName, $body, [Text.UTF8Encoding]::new($false))\n"
        f'curl.exe -sS -N {_quoted(url)} {" ".join(given)} --data-binary "@$($file.FullName)"\n'
        "Remove-Item $file\n"
    )


def harmless(body: str) -> str:
    """The same JSON without characters that a terminal obeys."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", body)


def _given(headers: Mapping[str, str]) -> list[str]:
    """The headers that may be repeated. Clients choose their values; no version and no beta is called otherwise."""
    return [f"{name}: {value}" for name, value in headers.items() if _HARMLESS.fullmatch(value)]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
