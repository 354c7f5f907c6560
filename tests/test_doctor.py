"""What ``ccproxy-tray doctor`` finds out and prints; nothing of the real user is read."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ccproxy_tray import __version__, cli, doctor
from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.desktop.claude_code import RECORD_FILE, Hookup, settings_path
from ccproxy_tray.desktop.login import CannotLaunchAtLogin, LoginState
from ccproxy_tray.doctor import Line, Report, Subject, examine
from ccproxy_tray.journal.events import Credentials, Event, ProvidersChecked
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.simulator import ACCESS_KEY, API_KEY, SECRET_KEY, Simulator
from ccproxy_tray.simulator.faults import THROTTLED
from ccproxy_tray.tray.hosts.choose import Choice
from ccproxy_tray.tray.hosts.null import NullHost
from ccproxy_tray.trial import Trial

AWS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true"}
NO_AWS = {"AWS_EC2_METADATA_DISABLED": "true"}
SONNET = "claude-sonnet-4-5"
CANARY = "canary0secret"
CONFIG = """
server: {{ port: 0, token: "{token}" }}
providers:
  bedrock: {{ endpoint: "{bedrock}" }}
  openrouter: {{ base_url: "{openrouter}", api_key: {key} }}
  anthropic: {{ base_url: "{anthropic}", api_key: passthrough }}
routing: {{ provider_sequence: [ {{ name: bedrock }}, {{ name: openrouter }} ] }}
"""


@pytest.fixture(autouse=True)
def desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desktop with a tray, where nothing starts at login: what stands there really is no matter of these tests."""
    monkeypatch.setattr(doctor, "choose", lambda _system, _environ: Choice("sni", NullHost))
    login(monkeypatch, LoginState(on=False))


def login(monkeypatch: pytest.MonkeyPatch, state: LoginState) -> None:
    class Entry:
        def state(self, _command: object) -> LoginState:
            return state

    monkeypatch.setattr(doctor, "autostart", lambda *_: Entry())


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as running:
        yield running


def configured(simulator: Simulator, folder: Path, token: str = "") -> Loaded:
    path = folder / "config.yaml"
    urls = {upstream.name: upstream.url for upstream in simulator.upstreams}
    path.write_text(CONFIG.format(key=API_KEY, token=token, **urls))
    path.chmod(0o600)
    return load(path, {})


def subject(folder: Path, loaded: Loaded | None = None, url: str = "", **changes: object) -> Subject:
    """Somebody whose home is ``folder``, and who works in a folder of it."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    made = Subject(
        loaded, (), folder / "config.yaml", url or nobody, AWS, folder, work, folder / "data", SONNET,
        managed=folder / "etc",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]  # each test names fields of the class


def connect(of: Subject, token: str = "") -> None:
    Hookup(settings_path(of.environ, of.home), of.data_dir / RECORD_FILE).connect(of.url, token)


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def failing(report: Report) -> list[str]:
    return [line.text for lines in report.topics.values() for line in lines if line.well is False]


async def test_all_is_well_from_claude_code_to_the_providers(simulator: Simulator, tmp_path: Path) -> None:
    loaded = configured(simulator, tmp_path)
    async with App(loaded, AWS) as app:
        case = subject(tmp_path, loaded, app.urls[0])
        connect(case)
        report = await examine(case)
    assert failing(report) == []
    assert report.well
    text = report.text()
    assert f"ok  Claude Code asks {case.url}, as ~" in text
    assert "ok  bedrock us-east-1 us.anthropic.claude-sonnet-4-5-20250929-v1:0: credentials yes" in text
    assert "One request each" not in text
    assert str(tmp_path) not in text, "the home folder has a name"
    assert {record.method for record in simulator.bedrock.requests} == {"GET"}, "nothing is generated"


async def test_who_is_not_connected_is_told_how(simulator: Simulator, tmp_path: Path) -> None:
    case = subject(tmp_path, configured(simulator, tmp_path))
    report = await examine(case)
    assert failing(report) == [
        f"no proxy answers at {case.url}: start it with `ccproxy-tray serve`",
        "not connected: nothing leads Claude Code here to the proxy",
    ]
    assert "Run `ccproxy-tray connect`." in report.text()
    assert not report.well


async def test_a_conflict_takes_the_place_of_the_good_news(simulator: Simulator, tmp_path: Path) -> None:
    case = subject(tmp_path, configured(simulator, tmp_path))
    connect(case)
    write(tmp_path / "work" / ".claude" / "settings.json", {"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}})
    lines = (await examine(case)).topics["Claude Code"]
    assert [line.well for line in lines] == [False]
    assert lines[0].text.startswith("CLAUDE_CODE_USE_BEDROCK in ~")
    assert lines[0].remedy.startswith("Remove it from ~")


async def test_a_note_is_nothing_to_do(simulator: Simulator, tmp_path: Path) -> None:
    case = subject(tmp_path, configured(simulator, tmp_path), "http://127.0.0.1:8000")
    write(tmp_path / ".claude" / "settings.json", {"env": {"ANTHROPIC_BASE_URL": "http://localhost:8000"}})
    lines = (await examine(case)).topics["Claude Code"]
    assert [line.well for line in lines] == [True, None]


async def test_a_hookup_in_other_settings_than_this_shell_s_is_told(simulator: Simulator, tmp_path: Path) -> None:
    case = subject(tmp_path, configured(simulator, tmp_path))
    connect(case)
    moved = replace(case, environ={**AWS, "CLAUDE_CONFIG_DIR": str(tmp_path / "else")})
    assert any(text.startswith("CLAUDE_CONFIG_DIR in the env") for text in failing(await examine(moved)))


async def test_broken_settings_are_told_once(simulator: Simulator, tmp_path: Path) -> None:
    write(tmp_path / ".claude" / "settings.json", f'{{"env": {{"ANTHROPIC_API_KEY": "{CANARY}",}}}}')
    lines = (await examine(subject(tmp_path, configured(simulator, tmp_path)))).topics["Claude Code"]
    assert [line.text.partition(" in ")[0] for line in lines if line.well is False][1:] == ["the file"]


async def test_settings_that_could_not_be_changed_are_told(simulator: Simulator, tmp_path: Path) -> None:
    write(
        tmp_path / ".claude" / "settings.json",
        '{"env": {"A": "1", "ANTHROPIC_BASE_URL": "x", "ANTHROPIC_BASE_URL": "y"}}',
    )
    told = failing(await examine(subject(tmp_path, configured(simulator, tmp_path))))
    assert any("stands twice" in text for text in told)


async def test_a_configuration_that_cannot_be_used_does_not_hide_the_rest(tmp_path: Path) -> None:
    report = await examine(subject(tmp_path, problems=("config.yaml:3: routing: expected a table",)))
    assert "config.yaml:3: routing: expected a table" in failing(report)
    assert "Providers" not in report.topics
    assert report.topics["Claude Code"]


async def test_warnings_of_the_configuration_are_something_to_do(simulator: Simulator, tmp_path: Path) -> None:
    loaded = replace(configured(simulator, tmp_path), warnings=("routing.odd: unknown key",))
    assert "routing.odd: unknown key" in failing(await examine(subject(tmp_path, loaded)))
    defaults = replace(loaded, path="")
    assert (await examine(subject(tmp_path, defaults))).topics["Configuration"][0].text.startswith("defaults and env")


async def test_a_proxy_of_another_version_is_to_be_restarted(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "fetch", lambda _url, _token: {"version": "0.0.1"})
    [line] = (await examine(subject(tmp_path, configured(simulator, tmp_path)))).topics["Proxy"]
    assert (line.well, line.remedy) == (False, "It is another version: restart it.")


async def running(loaded: Loaded, environ: Mapping[str, str], shell: Mapping[str, str], folder: Path) -> Report:
    """What is said in a ``shell`` of a proxy that was started with the credentials of ``environ``."""
    journal, looked = Journal(__version__, 0.0), asyncio.Event()

    def listen(event: Event, _snapshot: Snapshot) -> None:
        if isinstance(event, ProvidersChecked) and event.providers[0].credentials is not Credentials.UNKNOWN:
            looked.set()

    journal.subscribe(listen)
    async with App(loaded, environ, journal=journal) as app:
        await asyncio.wait_for(looked.wait(), 20)
        return await examine(subject(folder, loaded, app.urls[0], environ=shell))


async def test_a_proxy_that_was_started_without_this_shell_s_credentials_is_told(
    simulator: Simulator, tmp_path: Path
) -> None:
    report = await running(configured(simulator, tmp_path), NO_AWS, AWS, tmp_path)
    bedrock, openrouter = report.topics["Providers"]
    assert (bedrock.well, openrouter.well) == (False, True)
    assert "credentials yes" in bedrock.text
    assert bedrock.remedy.startswith("The running proxy has no credentials for it")


async def test_what_only_this_shell_lacks_is_no_fault_of_the_proxy(simulator: Simulator, tmp_path: Path) -> None:
    report = await running(configured(simulator, tmp_path), AWS, NO_AWS, tmp_path)
    bedrock, openrouter = report.topics["Providers"]
    assert (bedrock.well, openrouter.well) == (None, True)
    assert "credentials no" in bedrock.text
    assert bedrock.remedy.startswith("The running proxy has credentials for it")


async def test_credentials_that_nobody_has_are_no_matter_of_where_the_proxy_was_started(
    simulator: Simulator, tmp_path: Path
) -> None:
    report = await running(configured(simulator, tmp_path), NO_AWS, NO_AWS, tmp_path)
    bedrock, _ = report.topics["Providers"]
    assert (bedrock.well, bedrock.remedy) == (False, "")
    assert "credentials no" in bedrock.text


async def test_live_each_provider_is_asked_for_a_word(simulator: Simulator, tmp_path: Path) -> None:
    simulator.openrouter.fault = THROTTLED
    loaded = configured(simulator, tmp_path)
    report = await examine(subject(tmp_path, loaded, live=True))
    bedrock, openrouter = report.topics["One request each"]
    assert bedrock.well is True
    assert bedrock.text.startswith("bedrock: 200 from bedrock us-east-1 us.anthropic.claude-sonnet-4-5-20250929-v1:0, ")
    assert bedrock.text.endswith(" s")
    assert (openrouter.well, openrouter.text[:16]) == (False, "openrouter: 429 ")
    assert len(simulator.bedrock.answers) == 1


async def test_a_provider_that_cannot_be_asked_is_neither_good_nor_bad(simulator: Simulator, tmp_path: Path) -> None:
    loaded = configured(simulator, tmp_path)
    step = replace(loaded.config.routing.provider_sequence[0], name="anthropic")
    routing = replace(loaded.config.routing, provider_sequence=(step,))
    loaded = replace(loaded, config=replace(loaded.config, routing=routing))
    [line] = (await examine(subject(tmp_path, loaded, live=True))).topics["One request each"]
    assert (line.well, line.text.partition(": ")[0]) == (None, "anthropic")


async def test_a_provider_that_nobody_hears_from_has_no_status(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> list[Trial]:
        return [Trial("bedrock", why="silence"), Trial("bedrock", True, 200, None, "east")]

    monkeypatch.setattr(doctor, "trials", nothing)
    report = await examine(subject(tmp_path, configured(simulator, tmp_path), live=True))
    assert [line.text for line in report.topics["One request each"]] == ["bedrock: silence", "bedrock: 200 from east"]


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (LoginState(on=False), Line(None, "launch at login: off")),
        (LoginState(on=True, program="/"), Line(True, "launch at login: on (/)")),
        (
            LoginState(on=True, stale=True, program="/"),
            Line(None, "launch at login: on, but it starts another program (/)"),
        ),
        (
            LoginState(on=True, stale=True, program="/no/such"),
            Line(False, "launch at login: /no/such is not there", "Start `ccproxy-tray` once: it mends that."),
        ),
        (LoginState(on=True, problem="It is gone."), Line(False, "launch at login: It is gone.")),
        (LoginState(on=False, by_system="Off in Windows."), Line(None, "launch at login: Off in Windows.")),
    ],
)
async def test_what_happens_at_login_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: LoginState, line: Line
) -> None:
    monkeypatch.setattr(doctor, "launch_command", lambda *_: ("/q",))
    login(monkeypatch, state)
    assert (await examine(subject(tmp_path))).topics["Desktop"][0] == line


async def test_a_program_that_cannot_be_launched_at_login_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise CannotLaunchAtLogin("no")

    monkeypatch.setattr(doctor, "launch_command", refused)
    login(monkeypatch, LoginState(on=True, stale=True, program="/"))
    assert (await examine(subject(tmp_path))).topics["Desktop"][0] == Line(True, "launch at login: on (/)")


async def test_why_there_is_no_tray_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "choose", lambda *_: Choice("none", NullHost, "No tray icon: no desktop."))
    assert (await examine(subject(tmp_path))).topics["Desktop"][1] == Line(None, "No tray icon: no desktop.")


async def test_a_library_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LIBRARIES", ("aiohttp", "nobody-has-this"))
    assert (await examine(subject(tmp_path))).topics["Program"][1].text.endswith(", no nobody-has-this")


async def test_a_secret_of_any_level_is_nowhere_in_the_report(simulator: Simulator, tmp_path: Path) -> None:
    gateway = f"https://me:{CANARY}@gateway.example/{CANARY}?key={CANARY}"
    variables = {
        "ANTHROPIC_API_KEY": CANARY,
        "ANTHROPIC_AUTH_TOKEN": CANARY,
        "ANTHROPIC_BASE_URL": gateway,
        "ANTHROPIC_BEDROCK_BASE_URL": gateway,
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "HTTPS_PROXY": gateway,
        "API_TIMEOUT_MS": "1",
    }
    content = {"env": variables, "apiKeyHelper": f"echo {CANARY}", "forceLoginOrgUUID": CANARY}
    folder, etc = tmp_path / "work" / ".claude", tmp_path / "etc"
    places = [
        tmp_path / ".claude.json", tmp_path / ".claude" / "settings.json", folder / "settings.json",
        folder / "settings.local.json", etc / "managed-settings.json", etc / "managed-settings.d" / "a.json",
    ]  # fmt: skip
    for path in places:
        write(path, content)
    loaded = configured(simulator, tmp_path, token=CANARY)
    for url in ("", "https://gateway.example:443"):
        for broken in [None, *places]:
            if broken:
                write(broken, json.dumps(content)[:-1] + ",}")
            case = subject(tmp_path, loaded, url, environ={**AWS, **variables}, live=broken is None)
            report = await examine(case)
            assert CANARY not in report.text() + report.json()
            assert SECRET_KEY not in report.text()


async def test_account_numbers_and_values_of_secrets_are_masked(tmp_path: Path) -> None:
    problems = (f"arn:aws:bedrock:us-east-1:123456789012:x and {CANARY}",)
    text = (await examine(subject(tmp_path, problems=problems, environ={"MY_API_KEY": CANARY}))).text()
    assert "arn:aws:bedrock:us-east-1:************:x and ***" in text


async def test_json_says_the_same(tmp_path: Path) -> None:
    report = await examine(subject(tmp_path, problems=("odd",)))
    document = json.loads(report.json())
    assert document["well"] is False
    assert document["topics"]["Configuration"] == [{"well": False, "text": "odd", "remedy": ""}]


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whoever runs the command line: a home of their own, and an environment without anything of the real user's."""
    for name, value in {"HOME": str(tmp_path), "CCPROXY_DATA_DIR": str(tmp_path / "data"), **AWS}.items():
        monkeypatch.setenv(name, value)
    for name in (
        "USERPROFILE",
        "CLAUDE_CONFIG_DIR",
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_API_KEY",
        "PORT",
        "CCPROXY_CONFIG",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def run(*words: str) -> int:
    return await asyncio.to_thread(cli.main, ["doctor", *words])


async def test_the_command_ends_with_1_while_there_is_something_to_do(
    simulator: Simulator, user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(simulator, user)
    assert await run("--config", str(user / "config.yaml"), "--live") == cli.FAILED
    printed = capsys.readouterr()
    assert "not connected" in printed.out
    assert "bedrock: 200 from" in printed.out
    assert printed.err.strip() == doctor.SPENDING


async def test_the_command_ends_with_0_when_all_is_well(
    simulator: Simulator, user: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = configured(simulator, user)
    async with App(loaded, AWS) as app:
        port = app.urls[0].rpartition(":")[2]
        monkeypatch.setenv("PORT", port)
        connect(subject(user, loaded, app.urls[0]))
        assert await run("--config", str(user / "config.yaml"), "--json") == cli.OK
    assert json.loads(capsys.readouterr().out)["well"] is True


async def test_the_command_ends_with_2_for_a_configuration_that_cannot_be_used(
    user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(user / "config.yaml", "server: { port: nine }\n")
    with suppress(OSError):
        path.chmod(0o600)
    assert await run("--config", str(path), "--live") == cli.BAD_CONFIG
    printed = capsys.readouterr()
    assert "-- " in printed.out
    assert printed.err == "", "nobody is asked"
