"""What stands between Claude Code and the proxy, and how it goes away: in whole sentences, without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ccproxy_tray.desktop.claude_level import Level, Setting, World


class Severity(StrEnum):
    """What a conflict comes to."""

    BREAKS = "breaks"
    """Claude Code does not reach the proxy, or does not work with it."""
    HINDERS = "hinders"
    """It works, but less well than it could."""
    NOTE = "note"
    """Nothing to do; good to know when something else is wrong."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One thing that stands against the proxy. ``effect`` and ``remedy`` are whole sentences without secrets."""

    level: Level
    where: str
    key: str
    effect: str
    remedy: str
    severity: Severity = Severity.BREAKS

    def __str__(self) -> str:
        return f"{self.key} in {self.where}: {self.effect} {self.remedy}"


def conflict(setting: Setting, effect: str, remedy: str, severity: Severity = Severity.BREAKS) -> Conflict:
    """What a setting does against the proxy."""
    return Conflict(setting.source.level, setting.where, setting.key, effect, remedy, severity)


def whom_to_ask(level: Level) -> str:
    """Who has to act where the user cannot."""
    return "Ask whoever manages this machine: nothing of the user's wins over it." if level is Level.MANAGED else ""


def removal(world: World, setting: Setting) -> str:
    """How a setting goes away."""
    if setting.source.level is Level.SHELL:
        command = f"Remove-Item Env:{setting.key}" if world.windows else f"unset {setting.key}"
        return f"Run `{command}`, and take it out of what your shell reads at its start."
    return whom_to_ask(setting.source.level) or f"Remove it from {setting.where}."


def replacement(base: Setting, url: str) -> str:
    """How the base URL becomes the proxy's."""
    if base.source.level in (Level.SHELL, Level.STATE, Level.USER):
        return "Run `ccproxy-tray connect`."
    return whom_to_ask(base.source.level) or f"Remove it from {base.where}, or set it to {url}."
