"""From the user's file, the environment and the command line to one configuration, or to every mistake at once.

Precedence, highest first: command line, environment, file, default. Reading the file (and the keyring, when the file
refers to it) is the only I/O.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ccproxy_tray.config.address import host, is_loopback, leads_to
from ccproxy_tray.config.document import MAX_BYTES, parse
from ccproxy_tray.config.environment import COMMAND_LINE, Overlay
from ccproxy_tray.config.provider import names, providers
from ccproxy_tray.config.reading import Reading
from ccproxy_tray.config.report import Place, Report, suggestion
from ccproxy_tray.config.route import routing
from ccproxy_tray.config.schema import ClaudeCode, Config, History, Loaded, Notification, Server, Tray, Upstream
from ccproxy_tray.config.secret import Lookup, from_keyring
from ccproxy_tray.config.section import Section
from ccproxy_tray.config.value import DAYS, DURATION, FLAG, MEGABYTES, PORT, Kind, one_of
from ccproxy_tray.errors import ConfigError

HOST = Kind("a host name or an address", host)


def _allowed_host(text: str) -> str:
    word = text.strip().lower()
    if not re.fullmatch(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", word):
        raise ValueError
    return word


ALLOWED_HOST = Kind("a host name, with a port where it is not ours, without scheme or wildcard", _allowed_host)


def load(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, str] = MappingProxyType({}),
    *,
    keyring: Lookup = from_keyring,
) -> Loaded:
    """The configuration in force; with no path, the defaults under the environment.

    ``overrides`` maps dotted keys to what the command line says. Raises ConfigError with every problem, and with the
    warnings between them, so that the user mends all in one go.
    """
    report = Report(path.name if path else "config.yaml")
    overlay = Overlay(environ, overrides)
    reading = Reading(report, environ, overlay, keyring)
    content = _content(path, report)
    config = _config(Section(reading, "", parse(content, report)))
    for key in overlay.unused:
        known = key in reading.sources
        text = "can only be set in the file" if known else f"no such setting{suggestion(key, reading.sources)}"
        report.problem(Place(0, COMMAND_LINE, key), text)
    if report.problems:
        raise ConfigError(report.notes)
    blank = path is not None and not content.removeprefix(BOM_UTF8).strip()
    return Loaded(config, str(path or ""), MappingProxyType(reading.sources), report.warnings, blank)


def _content(path: Path | None, report: Report) -> bytes:
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as fault:
        report.problem(report.file(), f"cannot be read: {fault.strerror or fault} ({path.absolute()})")
        return b""


def _config(root: Section) -> Config:
    accounts = root.section("providers")
    known = providers(accounts)
    sections = [root.section(key) for key in ("server", "routing", "upstream", "history", "tray", "claude_code")]
    server, chain, upstream, history, tray, claude_code = sections
    config = Config(
        server=_server(server),
        providers=known,
        routing=routing(chain, known, names(accounts)),
        upstream=_upstream(upstream),
        history=_history(history),
        tray=_tray(tray),
        claude_code=ClaudeCode(claude_code.value("disconnect_on_quit", FLAG, ClaudeCode().disconnect_on_quit)),
    )
    _warn_of_circles(accounts, config)
    for section in (root, *sections):
        section.close()
    return config


def _warn_of_circles(accounts: Section, config: Config) -> None:
    """A request to a provider at the proxy's own address would come in again, as often as there is room.

    That is no mistake where another program has the port already: the proxy then serves at the next free one.
    """
    for provider in config.providers.values():
        if leads_to(provider.base_url, config.server.host, config.server.port):
            text = "its address is this proxy's own, so that requests would go round in circles"
            accounts.warning(f"{text}: correct it, or give the proxy another server.port", provider.name)


def _server(section: Section) -> Server:
    default = Server()
    token, _ = section.secret("token")
    server = Server(
        host=section.value("host", HOST, default.host),
        port=section.value("port", PORT, default.port),
        read_timeout=section.value("read_timeout", DURATION, default.read_timeout),
        write_timeout=section.value("write_timeout", DURATION, default.write_timeout),
        idle_timeout=section.value("idle_timeout", DURATION, default.idle_timeout),
        token=token,
        allowed_hosts=section.texts("allowed_hosts", kind=ALLOWED_HOST),
    )
    if not is_loopback(server.host) and not server.token:
        text = (
            f"{server.host} can be reached by others, who could spend your accounts: set server.token, or use 127.0.0.1"
        )
        section.problem(text, "host")
    return server


def _upstream(section: Section) -> Upstream:
    default = Upstream()
    return Upstream(
        connect_timeout=section.value("connect_timeout", DURATION, default.connect_timeout),
        first_event_timeout=section.value("first_event_timeout", DURATION, default.first_event_timeout),
        idle_timeout=section.value("idle_timeout", DURATION, default.idle_timeout),
    )


def _history(section: Section) -> History:
    default = History()
    return History(
        enabled=section.value("enabled", FLAG, default.enabled),
        retention_days=section.value("retention_days", DAYS, default.retention_days),
        max_megabytes=section.value("max_megabytes", MEGABYTES, default.max_megabytes),
        bodies=section.value("bodies", FLAG, default.bodies),
    )


def _tray(section: Section) -> Tray:
    return Tray(section.texts("notifications", Tray().notifications, one_of(Notification)))
