"""What the commands that look back print, from a history on disk, and that a repeated request is the same request."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray import cli
from ccproxy_tray.cli import past
from ccproxy_tray.cli.curl import bash, harmless, powershell
from ccproxy_tray.config.schema import History
from ccproxy_tray.history.entry import entry
from ccproxy_tray.history.recorder import FILE
from ccproxy_tray.history.store import Store
from ccproxy_tray.journal.events import BodyKept, Ended, Exhausted
from ccproxy_tray.journal.row import row
from ccproxy_tray.routing.origin import Kind
from ccproxy_tray.routing.story import Story, Tokens
from tests.chain.harness import ASK, running
from tests.history.past import NOW, ROUTER, exhausted, fell_back, fill, served

POSIX = pytest.mark.skipif(os.name == "nt", reason="runs a POSIX shell")
Run = Callable[..., tuple[int, str, str]]
EVENTS = (
    served(1, session="one"),
    served(2, session="one", kind=Kind.SUBAGENT, agent="a1", cost=None),
    fell_back(3, session="two"),
    exhausted(4),
    served(5, target=ROUTER, cost=0.00001, tokens=Tokens(123_456, 2_000_000)),
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the history below ``tmp_path``: exit code, output, complaints."""
    monkeypatch.setenv("CCPROXY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CCPROXY_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setattr("time.time", lambda: NOW + 3600)

    def run(*argv: str) -> tuple[int, str, str]:
        try:
            code = cli.main(argv)
        except SystemExit as stop:
            code = int(str(stop.code))
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A history of five requests."""
    fill(tmp_path / FILE, EVENTS)
    return tmp_path / FILE


def ids(out: str) -> list[str]:
    return [each["id"] for each in json.loads(out)]


def keep(path: Path, number: int, request: bytes, size: int | None = None) -> str:
    """A request with its body; its id."""
    event = served(number)
    headers = {"Anthropic-Version": "2023-06-01", "anthropic-beta": "its-2026-01-01,b"}
    body = BodyKept(NOW, event.story.request_id, headers, request, b"{}", size or len(request), 2)
    store = Store(path)
    store.write([entry(event, str, body)], History(retention_days=0, max_megabytes=0, bodies=True))
    store.close()
    return event.story.request_id


@pytest.mark.usefixtures("kept")
def test_the_latest_requests_come_first_and_as_many_as_asked_for(run: Run) -> None:
    assert ids(run("history", "--json")[1]) == [f"req_{n:06}" for n in (5, 4, 3, 2, 1)]
    assert ids(run("history", "--json", "--limit", "2")[1]) == ["req_000005", "req_000004"]
    assert len(ids(run("history", "--json", "--limit", "0")[1])) == 5


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("--failed",), [4]),
        (("--provider", "openrouter"), [5, 3]),
        (("--session", "one"), [2, 1]),
        (("--search", "throttled"), []),
        (("--search", "all are out"), [4]),
        (("--since", "1h"), [5, 4, 3, 2, 1]),
        (("--since", "10m"), []),
        (("--since", "1h ago"), [5, 4, 3, 2, 1]),
        (("--since", datetime.fromtimestamp(NOW + 3).isoformat()), [5, 4, 3]),
        (("--until", datetime.fromtimestamp(NOW + 3).isoformat()), [2, 1]),
        (("--since", "2026-01-01", "--until", "2026-01-02"), []),
    ],
)
def test_requests_are_found_by_what_they_were(run: Run, asked: tuple[str, ...], found: list[int]) -> None:
    code, out, _ = run("history", "--json", *asked)
    assert code == 0
    assert ids(out) == [f"req_{number:06}" for number in found]


@pytest.mark.usefixtures("kept")
def test_the_table_tells_who_served_what_it_took_and_why_it_went_wrong(run: Run) -> None:
    lines = run("history")[1].splitlines()
    assert lines[0].split() == ["TIME", "KIND", "ASKED", "FOR", "SERVED", "BY", "OUTCOME", "ID", "FIRST", "TOTAL", "IN",
                                "OUT", "CACHED", "COST"]  # fmt: skip
    assert lines[1].split()[2:] == ["main", "claude-sonnet-4-5", "openrouter", "served", "req_000005", "0.5", "s",
                                    "2.0", "s", "123.5k", "2.00M", "0", "<$0.0001"]  # fmt: skip
    assert "exhausted" in lines[2]
    assert lines[2].split()[-1] == "-", "nothing was used"
    assert lines[3].strip() == "all are out"
    assert "429" in lines[4]
    assert "fell back" in lines[5]
    assert "~1" in lines[5], "an estimate is marked"
    assert lines[5].endswith("unknown")
    assert lines[6].lstrip().startswith("bedrock us-east-1 claude-sonnet-4-5: 429")
    assert lines[7].endswith("unknown"), "never 0 for what is not known"
    assert lines[8].endswith("$0.2500")


def test_moments_of_other_years_are_told_with_the_year(run: Run, tmp_path: Path) -> None:
    now, year = datetime.fromtimestamp(NOW + 3600), 366 * 86_400
    fill(tmp_path / FILE, [replace(served(1), at=NOW - year), served(2)])
    assert [line[:4] for line in run("history")[1].splitlines()[1:]] == [f"{now:%Y}", f"{now.year - 1}"]
    assert run("history", "--limit", "1")[1].splitlines()[1].startswith(f"{datetime.fromtimestamp(NOW + 2):%m-%d %H:}")


@pytest.mark.usefixtures("kept")
def test_csv_is_the_rows_of_the_history(run: Run) -> None:
    code, out, _ = run("history", "--csv")
    assert code == 0
    assert out.count("\r\n") == 6
    found = list(csv.DictReader(io.StringIO(out, newline="")))
    expected = [row(event) for event in reversed(EVENTS)]
    for one, other in zip(found, expected, strict=True):
        assert set(one) == set(other)
        assert one["id"] == other["id"]
        assert one["story"] == other["story"]
        assert one["cost"] == ("" if other["cost"] is None else str(other["cost"]))
    assert found[2]["tools"] == "Bash Read"


def hostile(text: str) -> Ended:
    return Exhausted(NOW, Story("req_evil", text, ()), 400, text)


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", '=1,"2"\r\n3'])
def test_a_spreadsheet_takes_no_text_for_a_formula(run: Run, tmp_path: Path, text: str) -> None:
    fill(tmp_path / FILE, [hostile(text)])
    (found,) = csv.DictReader(io.StringIO(run("history", "--csv")[1], newline=""))
    assert found["requested"][0] == found["error"][0] == "'"


def test_no_text_moves_the_cursor(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / FILE, [hostile("\x1b[2Jgone\u202e\x9b1m\n")])
    for asked in ((), ("--csv",), ("--json",)):
        out = run("history", *asked)[1]
        assert not {"\x1b", "\u202e", "\x9b"} & set(out), asked
    assert "gone" in run("history")[1]


@pytest.mark.usefixtures("kept")
def test_usage_adds_up_and_says_what_is_not_known(run: Run) -> None:
    code, out, _ = run("usage")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["PROVIDER", "REQUESTS", "FAILED", "INPUT", "OUTPUT", "CACHE", "READ", "CACHE", "WRITE",
                                "HIT", "RATE", "COST"]  # fmt: skip
    assert lines[1].split() == ["bedrock", "3", "1", "20", "40", "60", "80", "38%", "$0.2500", "+", "1", "unknown"]
    assert lines[2].split() == [
        "openrouter",
        "2",
        "0",
        "123.5k",
        "2.00M",
        "3",
        "4",
        "0%",
        "<$0.0001",
        "+",
        "1",
        "unknown",
    ]
    assert lines[3].split()[:3] == ["total", "5", "1"]
    assert "Not in it: 2 requests whose price is not known." in lines
    assert any("list prices of 2026-" in line for line in lines)


def test_where_nothing_was_used_nothing_is_paid(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / FILE, [exhausted(1)])
    assert run("usage")[1].splitlines()[1].split() == ["bedrock", "1", "1", "0", "0", "0", "0", "-", "-"]


def test_one_request_is_not_told_of_as_many(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / FILE, [served(1, cost=None)])
    lines = run("usage")[1].splitlines()
    assert lines[1].endswith(" unknown")
    assert "Not in it: 1 request whose price is not known." in lines


@pytest.mark.usefixtures("kept")
def test_usage_as_json_never_says_zero_for_what_is_not_known(run: Run) -> None:
    found = json.loads(run("usage", "--by", "session", "--json")[1])
    by = {each["key"]: each for each in found["rows"]}
    assert by["two"]["cost"] is None
    assert by["two"]["unpriced"] == 1
    assert by["one"]["cost"] == 0.25
    assert found["total"]["input"] == 10 + 10 + 1 + 123_456
    assert by["one"]["hit_rate"] == round(60 / 160, 4)
    assert found["prices"]["made_from"].startswith("genai-prices ")


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("model", {"us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic/claude-sonnet-4.5"}),
        ("kind", {"main", "subagent"}),
        ("day", {datetime.fromtimestamp(NOW).date().isoformat()}),
    ],
)
def test_usage_is_grouped_as_asked(run: Run, by: str, keys: set[str]) -> None:
    assert {each["key"] for each in json.loads(run("usage", "--by", by, "--json")[1])["rows"]} == keys


def test_sessions_come_the_dearest_first(run: Run, tmp_path: Path) -> None:
    most, names = Tokens(9_000, 9_000), ("ant", "bee", "cat", "dog")
    asked = [(0.1, Tokens(1, 1)), (2.5, Tokens(1, 1)), (None, Tokens(1, 1)), (None, most)]
    events = [
        served(n, session=name, cost=cost, tokens=used)
        for n, (name, (cost, used)) in enumerate(zip(names, asked, strict=True), 1)
    ]
    fill(tmp_path / FILE, events)
    rows = json.loads(run("usage", "--by", "session", "--json")[1])["rows"]
    assert [each["key"] for each in rows] == ["bee", "ant", "dog", "cat"]
    lines = run("usage", "--by", "session")[1].splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["bee", "ant", "dog", "cat"]


def test_what_nobody_was_tried_for_is_found_by_the_word_that_stands_there(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / FILE, [served(1), Exhausted(NOW + 2, Story("req_000002", "m"), 403, "No credentials")])
    assert "nobody" in run("history")[1]
    assert ids(run("history", "--json", "--provider", "nobody")[1]) == ["req_000002"]


def test_today_and_yesterday_begin_at_midnight(run: Run, tmp_path: Path) -> None:
    now = datetime.fromtimestamp(NOW + 3600)
    today, yesterday = (datetime.combine(now.date() - timedelta(days), datetime.min.time()) for days in (0, 1))
    moments = (yesterday - timedelta(seconds=1), yesterday, today - timedelta(seconds=1), today)
    events = [replace(served(n), at=moment.timestamp()) for n, moment in enumerate(moments, 1)]
    fill(tmp_path / FILE, events)
    assert ids(run("history", "--json", "--since", "today")[1]) == ["req_000004"]
    assert ids(run("history", "--json", "--since", "Yesterday", "--until", "today")[1]) == ["req_000003", "req_000002"]


@pytest.mark.usefixtures("kept")
def test_a_time_without_requests_has_no_usage(run: Run) -> None:
    assert run("usage", "--since", "1m") == (0, "No requests in that time.\n", "")
    assert json.loads(run("usage", "--since", "1m", "--json")[1])["rows"] == []
    assert run("history", "--since", "1m") == (0, "No such requests.\n", "")
    assert run("history", "--since", "1m", "--json") == (0, "[]\n", "")


def test_a_free_request_is_told_from_one_of_unknown_cost(run: Run, tmp_path: Path) -> None:
    fill(tmp_path / FILE, [served(1, cost=0.0)])
    assert run("usage")[1].splitlines()[1].endswith("$0.00")
    assert run("history")[1].splitlines()[1].endswith("$0.00")


@pytest.mark.parametrize("argv", [("history",), ("usage",), ("replay", "req_1")])
def test_a_history_that_is_not_there_is_told(run: Run, tmp_path: Path, argv: tuple[str, ...]) -> None:
    code, out, err = run(*argv)
    assert (code, out) == (1, "")
    assert str(tmp_path / FILE) in err
    assert "history.enabled" in err


@POSIX
def test_a_place_that_cannot_be_looked_at_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCPROXY_DATA_DIR", "/tmp/" + "x" * 300)  # noqa: S108 - no such place can be
    code, out, err = run("history")
    assert (code, out) == (1, "")
    assert "cannot be read" in err


@pytest.mark.parametrize("argv", [("history",), ("usage",), ("replay", "req_1")])
def test_a_file_that_is_no_history_is_told_and_stays(run: Run, tmp_path: Path, argv: tuple[str, ...]) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    code, out, err = run(*argv)
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert (tmp_path / FILE).read_bytes() == b"not a database" * 100


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("when", ["999999w", "9000w ago", "0001-01-01", "1969-12-31T23:59"])
def test_what_lies_before_any_history_is_its_beginning(run: Run, when: str) -> None:
    """No calendar goes back so far, and Windows' not even before 1970."""
    for command in (("usage", "--by", "day"), ("usage", "--by", "session"), ("history",)):
        assert run(*command, f"--since={when}") == run(*command, "--since=2000-01-02")


@pytest.mark.parametrize("when", ["soon", "2026-13-01", "1y", "-1h", "", "9999999d9"])
def test_a_moment_that_is_none_is_told(run: Run, when: str) -> None:
    code, _, err = run("history", f"--since={when}")
    assert code == 2
    assert "2026-11-20" in err


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("limit", ["many", "-1", "1.5", "9" * 10])
def test_a_limit_that_is_none_is_told(run: Run, limit: str) -> None:
    assert run("history", f"--limit={limit}")[0] == 2


@pytest.mark.usefixtures("kept")
def test_only_what_was_kept_whole_can_be_repeated(run: Run, tmp_path: Path) -> None:
    code, out, err = run("replay", "req_000001")
    assert (code, out) == (1, "")
    assert "history.bodies" in err
    assert run("replay", "req_none")[2] == "There is no request req_none in the history\n"
    cut = keep(tmp_path / FILE, 7, b'{"model": "m", "messages": "' + b"x" * 9000, size=10_000_000)
    code, out, err = run("replay", cut)
    assert (code, out) == (1, "")
    assert "only in part" in err


def test_no_secret_is_printed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("server: { port: 8123, token: s3cret-t0ken }\n")
    name = keep(tmp_path / FILE, 7, b'{"model": "m"}')
    for shell in ("bash", "powershell"):
        code, out, _ = run("replay", name, "--shell", shell)
        assert code == 0
        assert "s3cret" not in out
        assert "CCPROXY_TOKEN" in out
        assert "http://127.0.0.1:8123/v1/messages" in out
    (tmp_path / "config.yaml").write_text("server: { port: 8123 }\n")
    assert "CCPROXY_TOKEN" not in run("replay", name)[1]


def test_powershell_gets_the_body_in_a_file_of_its_own() -> None:
    printed = powershell("http://x/y'z", {"anthropic-beta": "a,b"}, '{"a": "$b \'c\'"}', token=True)
    assert "@'\n{\"a\": \"$b 'c'\"}\n'@\n" in printed
    assert "'http://x/y''z' -H 'anthropic-beta: a,b'" in printed
    assert "$env:CCPROXY_TOKEN" in printed


@pytest.mark.parametrize("value", ["x\u2019; calc; \u2019", 'x" -o evil "', "\x9b2J", "it's", "$(id)", "`id`"])
def test_a_header_in_which_a_shell_could_find_more_is_left_out(value: str) -> None:
    headers = {"anthropic-beta": value, "anthropic-version": "2023-06-01"}
    for written in (bash, powershell):
        printed = written("http://x/y", headers, "{}", token=False)
        assert "anthropic-version: 2023-06-01" in printed
        assert "anthropic-beta" not in printed


def test_a_terminal_gets_the_same_json_without_commands_for_it() -> None:
    body = json.dumps({"a": "\x9b2J \u202e ünï 😀"}, ensure_ascii=False)
    shown = harmless(body)
    assert json.loads(shown) == json.loads(body)
    assert "\x9b" not in shown
    assert "\u202e" not in shown
    assert "ünï 😀" in shown


@POSIX
@pytest.mark.parametrize(
    "body",
    [
        '{"a": "b"}',
        '{\r\n "a": "$HOME `id` \\\\ \' \\" !! %s"\n}\n',
        '{"a": "CCPROXY_BODY"}\n',
        '{"a":\n"x"}\nCCPROXY_BODY\n',
        json.dumps({"a": "ünï 😀 \x9b"}, ensure_ascii=False),
        json.dumps({"a": "x" * 3_000_000}),
    ],
    ids=range(6),
)
def test_the_shell_sends_every_byte(tmp_path: Path, body: str) -> None:
    stub = tmp_path / "curl"
    stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/args\ncat > {tmp_path}/body\n')
    stub.chmod(0o755)
    text = bash("http://127.0.0.1:1/v1/messages", {"x-a": "its b"}, body, token=True)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CCPROXY_TOKEN": "t"}
    subprocess.run(["/bin/sh"], input=text.encode(), env=environ, check=True, timeout=60)
    assert (tmp_path / "body").read_bytes() == body.encode()
    args = (tmp_path / "args").read_text().splitlines()
    assert args[2:6] == ["http://127.0.0.1:1/v1/messages", "-H", "x-a: its b", "-H"]
    assert args[6:] == ["x-api-key: t", "--data-binary", "@-"]


@POSIX
async def test_the_printed_command_gets_the_same_answer(run: Run, tmp_path: Path) -> None:
    sent = json.dumps({**ASK, "system": "it's \u00fc $HOME\n" * 20_000, "stream": False}).encode()
    name = keep(tmp_path / FILE, 7, sent)
    async with running(tmp_path) as chain:
        headers = {"content-type": "application/json"}
        async with chain.client.post(f"{chain.url}/v1/messages", data=io.BytesIO(sent), headers=headers) as answer:
            first = await answer.json()
        port = chain.url.rpartition(":")[2]
        (tmp_path / "config.yaml").write_text(f"server: {{ port: {port} }}\n")
        code, printed, _ = run("replay", name, "--shell", "bash")
        assert code == 0
        process = await asyncio.create_subprocess_exec(
            "bash", stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]}
        )
        out, _ = await process.communicate(printed.encode())
    second = json.loads(out)
    assert first["type"] == "message"
    assert {**second, "id": ""} == {**first, "id": ""}


@POSIX
def test_a_reader_that_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    fill(tmp_path / FILE, [served(n) for n in range(1, 2000)])
    environ = {**os.environ, "CCPROXY_DATA_DIR": str(tmp_path)}
    command = f"set -o pipefail; {sys.executable} -m ccproxy_tray history --limit 0 --json | head -n 2"
    done = subprocess.run(
        ["/bin/bash", "-c", command], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("[\n{")


def test_the_columns_are_those_of_a_row() -> None:
    assert tuple(row(EVENTS[0])) == past.COLUMNS


def test_whoever_asks_of_a_broken_configuration_still_sees_the_past(run: Run, tmp_path: Path, kept: Any) -> None:
    assert kept
    (tmp_path / "config.yaml").write_text("server: { port: eighty }\n")
    assert run("history")[0] == run("usage")[0] == 0
    assert run("replay", keep(tmp_path / FILE, 7, b"{}"))[0] == 2
