"""The lines that point a shell's Claude Code at the proxy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

API_TIMEOUT_MS = "600000"
PLACEHOLDER_TOKEN = "ccproxy"  # noqa: S105 - Claude Code wants some token before it talks to a gateway


class Shell(StrEnum):
    """Whose syntax the lines are in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    CMD = "cmd"


def _single_quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


_SYNTAX: Mapping[Shell, Callable[[str, str], str]] = {
    Shell.BASH: lambda name, value: f"export {name}={_single_quoted(value)}",
    Shell.ZSH: lambda name, value: f"export {name}={_single_quoted(value)}",
    Shell.FISH: lambda name, value: "set -gx {} '{}'".format(name, value.replace("\\", "\\\\").replace("'", "\\'")),
    Shell.POWERSHELL: lambda name, value: "$env:{} = '{}'".format(name, value.replace("'", "''")),
    Shell.CMD: lambda name, value: f'set "{name}={value}"',
}


def variables(url: str, token: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What Claude Code needs; ``NO_PROXY`` too where an HTTP proxy would otherwise catch loopback requests."""
    found = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": token or PLACEHOLDER_TOKEN,
        "API_TIMEOUT_MS": API_TIMEOUT_MS,
    }
    proxied = any(environ.get(name) for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"))
    bypass = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if proxied and "127.0.0.1" not in bypass:
        found["NO_PROXY"] = ",".join(filter(None, (bypass, "localhost", "127.0.0.1")))
    return found


def lines(shell: Shell, url: str, token: str, environ: Mapping[str, str]) -> str:
    """One line for each variable, ready to paste."""
    write = _SYNTAX[shell]
    return "\n".join(write(name, value) for name, value in variables(url, token, environ).items())


def guess_shell(environ: Mapping[str, str], *, windows: bool) -> Shell:
    """The shell that the user most likely pastes into."""
    if windows:
        return Shell.POWERSHELL
    name = environ.get("SHELL", "").rpartition("/")[2]
    return Shell(name) if name in (Shell.BASH, Shell.ZSH, Shell.FISH) else Shell.BASH
