"""``routing.errors``: what the user says of errors that a provider puts in its own way."""

from __future__ import annotations

from collections.abc import Callable

from ccproxy_tray.config.section import Section
from ccproxy_tray.config.value import TEXT, Kind, one_of, whole
from ccproxy_tray.routing.rule import ErrorRule, Meaning


def _status(text: str) -> str:
    number = whole(text)
    if not 400 <= number <= 599:
        raise ValueError
    return str(number)


STATUS = Kind("a status of an error, 400 to 599", _status)


def error_rules(section: Section, check_name: Callable[[str, Section, str], None]) -> tuple[ErrorRule, ...]:
    """The rules in their order; a bare text is what a message says. ``check_name`` reports unknown providers."""
    return tuple(_rule(item, check_name) for item in section.items("errors", "message") or ())


def _rule(section: Section, check_name: Callable[[str, Section, str], None]) -> ErrorRule:
    rule = ErrorRule(
        provider=section.value("provider", TEXT, ""),
        statuses=tuple(int(status) for status in section.texts("status", kind=STATUS)),
        message=section.value("message", TEXT, ""),
        meaning=section.value("as", one_of(Meaning), Meaning.BROKEN),
    )
    check_name(rule.provider, section, "provider")
    if not rule.statuses and not rule.message and "status" not in section.keys:
        section.problem("needs status or message: which errors are meant")
    section.close()
    return rule
