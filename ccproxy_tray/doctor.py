"""What ``ccproxy-tray doctor`` finds out: whether everything from Claude Code to the providers is well, and what to do.

The report is made for an issue: no secret is in it, and the home folder and AWS account numbers are masked.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ccproxy_tray import __version__
from ccproxy_tray.check import Finding, Known, check
from ccproxy_tray.config import files
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.desktop.autostart import CannotLaunchAtLogin, autostart
from ccproxy_tray.desktop.claude_code import RECORD_FILE, Hookup, settings_path
from ccproxy_tray.desktop.claude_level import World, look
from ccproxy_tray.desktop.conflict import Severity
from ccproxy_tray.desktop.launch import launch_command
from ccproxy_tray.desktop.precedence import base_url, findings, misplaced, origin
from ccproxy_tray.journal.events import Credentials
from ccproxy_tray.redact import Redactor, public, secret_variables
from ccproxy_tray.status import NotRunning, fetch
from ccproxy_tray.tray.hosts.choose import choose
from ccproxy_tray.trial import Trial, trials

SPENDING = "Sending one short request to each provider of the default route; that spends a few tokens at each."
LIBRARIES = ("aiohttp", "httptools", "orjson", "botocore", "jeepney", "pystray", "Pillow")
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was found out. ``well`` is None for what is neither good nor bad."""

    well: bool | None
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose program is looked at, and where it lives.

    ``loaded`` is None when the configuration cannot be used, for these ``problems``. ``url`` is where the proxy serves
    or should. ``folder`` is where Claude Code is started (None: anywhere). ``managed`` replaces the administrator's
    folder.
    """

    loaded: Loaded | None
    problems: tuple[str, ...]
    path: Path
    url: str
    environ: Mapping[str, str]
    home: Path
    folder: Path | None
    data_dir: Path
    model: str
    live: bool = False
    system: str = sys.platform
    managed: Path | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found out, by topic, safe to be published."""

    topics: Mapping[str, Sequence[Line]]

    @property
    def well(self) -> bool:
        """There is nothing to do."""
        return all(line.well is not False for lines in self.topics.values() for line in lines)

    def text(self) -> str:
        """For a terminal and for an issue."""
        told = []
        for topic, lines in self.topics.items():
            told.append(topic)
            for line in lines:
                told.append(f"{_MARKS[line.well]} {line.text}")
                told += [f"      {line.remedy}"] if line.remedy else []
        return "\n".join(told)

    def json(self) -> str:
        """The same as JSON; ``well`` is null for what is neither good nor bad."""
        topics = {
            topic: [{"well": line.well, "text": line.text, "remedy": line.remedy} for line in lines]
            for topic, lines in self.topics.items()
        }
        return json.dumps({"well": self.well, "topics": topics}, indent=2, ensure_ascii=False)


_STARTED_WITHOUT = (
    "The running proxy has no credentials for it, because it was not started with the variables of this shell. Start "
    "it from here, or give it its credentials by a file: config.yaml, or a profile of the AWS tools."
)
_MARKS = {True: "ok ", False: "-- ", None: "   "}


async def examine(subject: Subject) -> Report:
    """Look at everything. Reads files, asks the proxy and the providers; writes nothing. Raises CannotListen."""
    environ = subject.environ
    world = look(environ, subject.home, subject.folder, subject.system, subject.managed)
    proxy, seen = await asyncio.to_thread(_proxy, subject)
    topics = {
        "Program": list(_program()),
        "Configuration": list(_configuration(subject)),
        "Proxy": [proxy],
        "Claude Code": list(_claude_code(subject, world)),
    }
    if subject.loaded is not None:
        found = await check(subject.loaded.config, environ, subject.model)
        topics["Providers"] = [_provider(finding, seen.get(finding.target.provider, "")) for finding in found]
        if subject.live:
            topics["One request each"] = list(map(_trial, await trials(subject.loaded, environ, subject.model)))
    topics["Desktop"] = [_login(subject), _tray(subject)]
    return _safe(topics, _redactor(subject, world), subject.home)


def _program() -> Iterator[Line]:
    yield Line(None, f"ccproxy-tray {__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield Line(None, ", ".join(_versions()))


def _versions() -> Iterator[str]:
    for name in LIBRARIES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"no {name}"


def _configuration(subject: Subject) -> Iterator[Line]:
    for problem in subject.problems:
        yield Line(False, problem)
    if subject.loaded is None:
        return
    yield Line(True, f"{subject.loaded.path or 'defaults and environment'}: valid")
    private = files.permission_warning(Path(subject.loaded.path)) if subject.loaded.path else ""
    for warning in filter(None, (*subject.loaded.warnings, private)):
        yield Line(False, warning)


def _proxy(subject: Subject) -> tuple[Line, Mapping[str, str]]:
    """Whether it runs, and what it knows of each provider's credentials."""
    token = subject.loaded.config.server.token.reveal() if subject.loaded else ""
    try:
        document = fetch(subject.url, token)
    except NotRunning as error:
        return Line(False, str(error)), {}
    version = document["version"]
    if version != __version__:
        remedy = "It is another version: restart it."
        return Line(False, f"ccproxy-tray {version} serves {subject.url}", remedy), {}
    seen = {name: state["credentials"] for name, state in document["providers"].items()}
    return Line(True, f"ccproxy-tray {version} serves {subject.url}"), seen


def _claude_code(subject: Subject, world: World) -> Iterator[Line]:
    """Who wins, and what stands against the proxy."""
    token = subject.loaded.config.server.token.reveal() if subject.loaded else ""
    conflicts = list(findings(world, subject.url, token))
    hookup = Hookup(settings_path(subject.environ, subject.home), subject.data_dir / RECORD_FILE)
    state = hookup.state(subject.url)
    if state.connected and (elsewhere := misplaced(world, str(state.path))):
        conflicts.append(elsewhere)
    decided = base_url(world)
    if decided is None:
        yield Line(False, "not connected: nothing leads Claude Code here to the proxy", "Run `ccproxy-tray connect`.")
    elif all(conflict.severity is not Severity.BREAKS for conflict in conflicts):
        yield Line(True, f"Claude Code asks {origin(decided.value)}, as {decided.where} says")
    for conflict in conflicts:
        well = None if conflict.severity is Severity.NOTE else False
        yield Line(well, f"{conflict.key} in {conflict.where}: {conflict.effect}", conflict.remedy)
    if state.problem and not any(conflict.where == str(state.path) for conflict in conflicts):
        yield Line(False, state.problem)


def _provider(finding: Finding, seen: str) -> Line:
    """``seen`` is what the running proxy knows of the credentials: it may have been started with others than these."""
    text = f"{finding.target}: " + ", ".join(f"{what} {found}" for what, found in finding.answers.items())
    here = finding.credentials.known
    if here is Known.YES and seen == Credentials.MISSING:
        return Line(False, text, _STARTED_WITHOUT)
    if here is Known.NO and seen == Credentials.FOUND:
        return Line(None, text, "The running proxy has credentials for it; only this shell has none.")
    return Line(finding.usable, text)


def _trial(trial: Trial) -> Line:
    if not trial.tried:
        return Line(None, f"{trial.provider}: not asked: {trial.why}")
    if not trial.served:
        status = f"{trial.status} " if trial.status else ""
        return Line(False, f"{trial.provider}: {status}{trial.why}")
    first = f", first event after {trial.first_event:.2f} s" if trial.first_event is not None else ""
    return Line(True, f"{trial.provider}: {trial.status} from {trial.target}{first}")


def _login(subject: Subject) -> Line:
    try:
        command: Sequence[str] = launch_command(subject.path, subject.environ)
    except CannotLaunchAtLogin:
        command = ()
    state = autostart(subject.system, subject.environ, subject.home).state(command)
    if state.problem or state.by_system:
        return Line(False if state.problem else None, f"launch at login: {state.problem or state.by_system}")
    if state.on and not os.path.exists(state.program):  # noqa: PTH110 - never raises
        return Line(
            False, f"launch at login: {state.program} is not there", "Start `ccproxy-tray` once: it mends that."
        )
    if state.on and state.stale and command:
        return Line(None, f"launch at login: on, but it starts another program ({state.program})")
    return Line(True, f"launch at login: on ({state.program})") if state.on else Line(None, "launch at login: off")


def _tray(subject: Subject) -> Line:
    choice = choose(subject.system, subject.environ)
    return Line(None, choice.sentence) if choice.sentence else Line(True, f"tray: {choice.kind}")


def _redactor(subject: Subject, world: World) -> Redactor:
    """Masks every secret value that is known: of the configuration, the environment, and Claude Code's settings."""
    redactor = Redactor(subject.loaded.config.secrets() if subject.loaded else ())
    redactor.add(secret_variables(subject.environ))
    for source in world.sources:
        redactor.add(secret_variables(source.env))
    return redactor


def _safe(topics: Mapping[str, Sequence[Line]], redactor: Redactor, home: Path) -> Report:
    def safe(text: str) -> str:
        return public(redactor.redact(text), _LONGEST).replace(str(home), "~")

    return Report(
        {topic: [Line(row.well, safe(row.text), safe(row.remedy)) for row in rows] for topic, rows in topics.items()}
    )
