"""Matrix A, rows U20 to U23 and U26: what each HTTP status of an upstream comes to."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ccproxy_tray.app import App
from ccproxy_tray.config.load import load
from ccproxy_tray.journal.events import Credentials
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.providers import aws as aws_module
from ccproxy_tray.providers import response
from ccproxy_tray.providers.bedrock import BedrockProvider
from tests.faults.faultd import Call, Script, head
from tests.faults.stage import Stage, staged
from tests.faults.wire import BEDROCK, CHAT, JSON, MESSAGES, WIRES, Wire, compact, envelope, sse, status, streamed

HTML = b"<html><body><h1>It does not work.</h1></body></html>"
SIGV4 = {"AWS_ACCESS_KEY_ID": "AKIACANARY0000000000", "AWS_SECRET_ACCESS_KEY": "canary-of-the-secret"}


def by_name(wire: Wire) -> str:
    return wire.name


def aws(code: int, kind: str, message: str) -> Script:
    """An error as Bedrock's runtime says it."""
    return status(code, compact({"message": message}), more={"x-amzn-errortype": f"{kind}:http://internal.amazon.com/"})


def said(code: int, message: str, kind: str = "api_error", **more: object) -> Script:
    """An error in Anthropic's envelope."""
    return status(code, envelope(kind, message, **more))


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("code", [400, 413, 422])
async def test_u20_a_refused_request_is_not_tried_elsewhere_and_the_refusal_is_not_touched(
    tmp_path: Path, code: int, stream: bool
) -> None:
    refusal = envelope("invalid_request_error", "messages.3: `x`  is \\u00e9 too long", request_id="req_upstream")
    async with staged(tmp_path) as stage:
        stage.primary.play(status(code, refusal))
        refused = await stage.ask(stream=stream)
        assert refused.status == code
        assert refused.body == refusal
        assert "retry-after" not in refused.headers
        await stage.expect(primary=1, backup=0, story=["primary refused"])


@pytest.mark.parametrize("code", [406, 411, 418, 423, 426, 428, 451, 498])
async def test_u23_a_4xx_that_is_not_about_the_request_falls_over(tmp_path: Path, code: int) -> None:
    """Nothing that a client could mend: Groq's 498 is its capacity, a 451 its region."""
    async with staged(tmp_path) as stage:
        stage.primary.play(said(code, "not here"))
        assert (await stage.ask()).message()["id"].startswith("msg_backup")
        word = "model not available" if code == 451 else "broken"
        cooling = {"primary": 3600.0} if code == 451 else {}
        await stage.expect(primary=1, backup=1, story=[f"primary {word}", "backup ok"], cooling=cooling)


@pytest.mark.parametrize(
    "message",
    [
        "messages: text content blocks must be non-empty",
        "messages.2: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1",
        'messages: first message must use the "user" role',
        "This model does not support assistant message prefill. The conversation must end with a user message.",
        "thinking.type: enabled is not supported on this model",
        "adaptive thinking is not supported on this model",
        "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified",
    ],
)
@pytest.mark.parametrize("wire", [MESSAGES, BEDROCK], ids=by_name)
async def test_u20_what_every_claude_server_would_refuse_is_refused_at_once(
    tmp_path: Path, wire: Wire, message: str
) -> None:
    """Messages API, "Errors"; thinking is left out once before that."""
    story = ["primary thinking signature"] * 2 if "cannot be modified" in message else ["primary refused"]
    refusal = (
        aws(400, "ValidationException", message) if wire is BEDROCK else said(400, message, "invalid_request_error")
    )
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(*[refusal] * len(story))
        refused = await stage.ask()
        assert (refused.status, refused.error["message"]) == (400, message)
        await stage.expect(primary=len(story), backup=0, story=story)


@pytest.mark.parametrize(("said_so", "told"), [("false", "false"), ("true", "true"), ("maybe", None)])
async def test_u20_a_gateway_s_word_on_trying_again_stays_with_its_refusal(
    tmp_path: Path, said_so: str, told: str | None
) -> None:
    """Claude Code shows a ``policy_blocked`` at once then, and tries five variations of the request otherwise."""
    refusal = envelope("policy_blocked", "Blocked by your organisation.", request_id="req_upstream")
    async with staged(tmp_path) as stage:
        stage.primary.play(status(400, refusal, more={"x-should-retry": said_so}))
        refused = await stage.ask()
        assert (refused.status, refused.body) == (400, refusal)
        assert refused.headers.get("x-should-retry") == told
        await stage.expect(primary=1, backup=0, story=["primary refused"])


async def test_u20_a_refusal_without_a_request_id_gets_ours_and_keeps_every_other_byte(tmp_path: Path) -> None:
    refusal = envelope("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
    async with staged(tmp_path) as stage:
        stage.primary.play(status(400, refusal))
        refused = await stage.ask()
        assert refused.body == refusal[:-1] + b',"request_id":"%b"}' % refused.headers["request-id"].encode()
        await stage.expect(primary=1, backup=0, story=["primary refused"])


BAD_REQUESTS: dict[str, tuple[Wire, Script]] = {
    "bedrock": (BEDROCK, aws(400, "ValidationException", "messages: at least one message is required")),
    "chat": (CHAT, status(400, compact({"error": {"message": "messages: at least one message is required"}}))),
}


@pytest.mark.parametrize(("wire", "script"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
async def test_u20_another_wire_s_refusal_keeps_its_wording(tmp_path: Path, wire: Wire, script: Script) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        refused = await stage.ask()
        assert refused.status == 400
        assert refused.error["message"] == "messages: at least one message is required"
        await stage.expect(primary=1, backup=0, story=["primary refused"])


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_u20_each_field_that_a_target_refuses_is_left_out_and_never_sent_there_again(
    tmp_path: Path, stream: bool
) -> None:
    """Servers name one field at a time."""
    ask: dict[str, Any] = {"stream": stream, "top_k": 5, "context_management": {"edits": []}, "service_tier": "auto"}
    refused = ["context_management", "service_tier", "top_k"]
    async with staged(tmp_path, alone=True) as stage:
        for name in refused:
            stage.primary.play(said(400, f"{name}: Extra inputs are not permitted", "invalid_request_error"))
        assert (await stage.ask(**ask)).status == 200
        await stage.expect(primary=4, backup=0, story=["primary field refused"] * 3 + ["primary ok"])
        assert (await stage.ask(**ask)).status == 200
        await stage.expect(primary=5, backup=0, story=["primary ok"])
        sent = [sum(name in call.json for name in refused) for call in stage.primary.calls]
        assert sent == [3, 2, 1, 0, 0]


@pytest.mark.parametrize("wire", [MESSAGES, BEDROCK], ids=by_name)
async def test_u20_a_sampling_field_that_a_newer_model_gave_up_is_left_out(tmp_path: Path, wire: Wire) -> None:
    """As on every server that refuses a field by its name; the catalog knows not every name of these models."""
    message = "`temperature` is deprecated for this model."
    error = aws(400, "ValidationException", message) if wire is BEDROCK else said(400, message, "invalid_request_error")
    async with staged(tmp_path, wire, alone=True) as stage:
        stage.primary.play(error)
        assert (await stage.ask(temperature=0.2)).status == 200
        await stage.expect(primary=2, backup=0, story=["primary field refused", "primary ok"])
        assert (await stage.ask(temperature=0.2)).status == 200
        await stage.expect(primary=3, backup=0, story=["primary ok"])
        assert ["temperature" in call.json for call in stage.primary.calls] == [True, False, False]


async def turned_away(stage: Stage, fault: str, seconds: float) -> None:
    """The primary is left for the backup at once, and then passed over for long."""
    await stage.ask()
    calls = len(stage.primary.calls)
    await stage.expect(primary=calls, backup=1, story=[f"primary {fault}", "backup ok"], cooling={"primary": seconds})
    [row] = (await stage.debug())["rate_limits"]
    assert row["lasting"], "it ends with a change of config or credentials, too"
    assert fault in row["reason"]
    await stage.ask()
    await stage.expect(primary=calls, backup=2, story=["backup ok"], cooling={"primary": seconds})


ACCOUNT = {401: ("credentials", 300.0), 403: ("credentials", 300.0), 402: ("no credit", 600.0)}


@pytest.mark.parametrize("code", ACCOUNT)
@pytest.mark.parametrize("wire", [MESSAGES, CHAT], ids=by_name)
async def test_u21_an_account_that_is_refused_rests_for_long(tmp_path: Path, wire: Wire, code: int) -> None:
    fault, seconds = ACCOUNT[code]
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(said(code, "not you"))
        await turned_away(stage, fault, seconds)


@pytest.mark.parametrize(("code", "told"), [(401, 403), (403, 403), (402, 402)])
async def test_u21_when_nobody_else_is_left_the_client_is_told_not_to_retry(
    tmp_path: Path, code: int, told: int
) -> None:
    async with staged(tmp_path, alone=True) as stage:
        stage.primary.play(said(code, "not you"))
        refused = await stage.ask()
        assert refused.status == told
        assert refused.headers["x-should-retry"] == "false"
        assert "primary" in refused.error["message"]
        fault, seconds = ACCOUNT[code]
        await stage.expect(primary=1, backup=0, story=[f"primary {fault}"], cooling={"primary": seconds})


EXPIRED = aws(403, "ExpiredTokenException", "The security token included in the request is expired")
NO_KEY = {"primary": '""', "backup": "canary-of-the-backup"}


async def test_u21_aws_credentials_that_changed_meanwhile_are_taken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def log_in(name: str) -> None:
        file.write_text(f"[default]\naws_access_key_id = {name}\naws_secret_access_key = canary-{name}\n")

    async def script(call: Call) -> None:
        log_in("AKIASECOND0000000000")
        await EXPIRED(call)

    log_in("AKIAFIRST00000000000")
    async with staged(tmp_path, BEDROCK, keys=NO_KEY) as stage:
        stage.primary.play(script)
        await stage.ask()
        first, second = (call.headers["authorization"] for call in stage.primary.calls)
        assert "AKIAFIRST" in first
        assert "AKIASECOND" in second
        await stage.expect(primary=2, backup=0, story=["primary credentials", "primary ok"])


def signed_at(call: Call) -> datetime:
    """The moment by which a request was signed."""
    return datetime.strptime(call.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


@pytest.mark.parametrize("off", [timedelta(hours=3), timedelta(minutes=-20)])
async def test_u21_requests_are_signed_by_the_clock_of_aws_where_this_machine_s_is_wrong(
    tmp_path: Path, off: timedelta
) -> None:
    message = "Signature expired: 20261123T140000Z is now earlier than 20261123T143000Z"
    more = {"x-amzn-errortype": "InvalidSignatureException", "date": format_datetime(datetime.now(UTC) + off)}
    async with staged(tmp_path, BEDROCK, environ=SIGV4, keys=NO_KEY) as stage:
        stage.primary.play(status(403, compact({"message": message}), more=more))
        await stage.ask()
        await stage.expect(primary=2, backup=0, story=["primary credentials", "primary ok"])
        await stage.ask()
        await stage.expect(primary=3, backup=0, story=["primary ok"])
        for call in stage.primary.calls[1:]:
            assert abs(signed_at(call) - datetime.now(UTC) - off) < timedelta(minutes=5), "as AWS demands"


@pytest.fixture
def credentials_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """AWS credentials are what this file says."""
    said, configuration = tmp_path / "said", tmp_path / "aws"
    configuration.write_text(f"[default]\ncredential_process = cat {said}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(aws_module, "LOOK_AGAIN_SECONDS", 0.0)
    return said


def log_in(told: Path) -> None:
    """There are credentials, for an hour."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    keys = {"Version": 1, "AccessKeyId": "ASIA0", "SecretAccessKey": "canary", "Expiration": until}
    told.write_text(json.dumps(keys))


def log_out(told: Path) -> None:
    """There are none, and words instead."""
    told.write_text("Please log in\n")


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a program of Unix")
async def test_u21_a_credential_program_that_says_nonsense_keeps_nobody_from_the_next_target(
    tmp_path: Path, credentials_told: Path
) -> None:
    log_out(credentials_told)
    async with staged(tmp_path, BEDROCK, keys=NO_KEY) as stage:
        assert (await stage.ask()).status == 200
        await stage.expect(primary=0, backup=1, story=["backup ok"])
        assert (await stage.debug())["providers"]["primary"]["credentials"] == "missing"


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a program of Unix")
async def test_u21_a_credential_program_that_does_not_answer_keeps_nobody_from_the_next_target(
    tmp_path: Path, credentials_told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_module, "PATIENCE", 0.0)
    os.mkfifo(credentials_told)
    async with staged(tmp_path, BEDROCK, keys=NO_KEY) as stage:
        assert (await stage.ask()).status == 200
        await stage.expect(primary=0, backup=1, story=["backup ok"])
        assert "does not answer" in (await stage.debug())["providers"]["primary"]["remedy"]
        await asyncio.to_thread(log_in, credentials_told)
        await until_found(stage)
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=["primary ok"])


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a program of Unix")
async def test_u21_a_login_that_is_over_and_one_that_is_new_are_told_as_soon_as_they_are_met(
    tmp_path: Path, credentials_told: Path
) -> None:
    log_in(credentials_told)
    async with staged(tmp_path, BEDROCK, keys=NO_KEY) as stage:
        assert (await stage.debug())["providers"]["primary"]["credentials"] == "found"
        log_out(credentials_told)
        primary = stage.app._dispatcher.runtime.providers["primary"]
        assert isinstance(primary, BedrockProvider)
        primary._account._credentials._expiry_time = datetime.now(UTC)
        await stage.ask()
        assert (await stage.debug())["providers"]["primary"]["credentials"] == "missing"
        await stage.expect(primary=0, backup=1, story=["primary credentials", "backup ok"], cooling={"primary": 300.0})
        log_in(credentials_told)
        await stage.ask()
        await until_found(stage)
        await stage.ask()
        await stage.expect(primary=1, backup=2, story=["primary ok"])


async def until_found(stage: Stage) -> None:
    """Wait until the primary's credentials are known to be there."""
    found = asyncio.Event()

    def look(_event: object, snapshot: Snapshot) -> None:
        if all(state.credentials is Credentials.FOUND for state in snapshot.providers if state.name == "primary"):
            found.set()

    unsubscribe = stage.app.journal.subscribe(look)
    look(None, stage.app.journal.snapshot)
    await found.wait()
    unsubscribe()


async def test_u21_the_same_aws_credentials_are_not_tried_twice(tmp_path: Path) -> None:
    async with staged(tmp_path, BEDROCK, environ=SIGV4, keys=NO_KEY) as stage:
        stage.primary.play(EXPIRED)
        await turned_away(stage, "credentials", 300.0)
        assert "AWS4-HMAC-SHA256" in stage.primary.last.headers["authorization"]


@pytest.mark.parametrize("key", ["sk-ant-canary0123456789", "a-canary-of-no-known-shape"])
async def test_u21_a_key_that_the_upstream_repeats_goes_no_further(tmp_path: Path, key: str) -> None:
    """The stage looks for it in the answers, in the log, in /debug and in the journal."""
    keys = {"primary": key, "backup": "canary-of-the-backup"}
    echo = sse({"type": "error", "error": {"type": "api_error", "message": f"who is {key}?"}})
    async with staged(tmp_path, keys=keys, alone=True) as stage:
        stage.primary.play(
            said(400, f"the header is {key}", "invalid_request_error"),
            streamed(MESSAGES, lambda _: (echo,)),
            streamed(MESSAGES, lambda frames: (*frames.start, frames.deltas[0], echo)),
            said(401, f"Incorrect API key provided: {key}. And again {key}"),
        )
        assert (await stage.ask()).error["message"] == "the header is ***"
        await stage.ask()
        assert (await stage.ask()).error["message"] == "who is ***?"
        assert (await stage.ask()).status == 403
        await stage.expect(primary=4, backup=0, story=["primary credentials"], cooling={"primary": 300.0})


MISSING: dict[str, tuple[Wire, Script]] = {
    "messages": (MESSAGES, said(404, "model: claude-sonnet-4-5", "not_found_error")),
    "chat": (CHAT, status(404, compact({"error": {"code": "model_not_found", "message": "no such model"}}))),
    "bedrock": (BEDROCK, aws(404, "ResourceNotFoundException", "Model not found")),
    "bedrock, in this region": (BEDROCK, aws(400, "ValidationException", "The provided model identifier is invalid.")),
    "bedrock, not for this account": (
        BEDROCK,
        aws(400, "ValidationException", "This account is not authorized to invoke the model in us-west-2."),
    ),
    "bedrock, on demand": (
        BEDROCK,
        aws(400, "ValidationException", "Invocation with on-demand throughput isn't supported."),
    ),
}


@pytest.mark.parametrize(("wire", "script"), MISSING.values(), ids=MISSING.keys())
async def test_u22_a_missing_model_is_left_alone_until_the_configuration_changes(
    tmp_path: Path, wire: Wire, script: Script
) -> None:
    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        await turned_away(stage, "model not available", 3600.0)
        await reload(stage.app, tmp_path)
        await stage.ask()
        await stage.expect(primary=2, backup=2, story=["primary ok"])


@pytest.mark.parametrize("failure", [said(401, "invalid x-api-key"), said(402, "no credit"), said(404, "no model")])
async def test_u21_u22_a_request_from_before_a_change_does_not_put_to_rest_what_the_change_has_mended(
    tmp_path: Path, failure: Script
) -> None:
    """It goes on under the old configuration, and is still refused when the user has mended that."""
    asked = asyncio.Event()

    async def in_the_end(call: Call) -> None:
        await asked.wait()
        await failure(call)

    async with staged(tmp_path) as stage:
        stage.primary.play(in_the_end)
        before = asyncio.create_task(stage.ask())
        await stage.primary.call()
        stage.clock.advance(1.0)
        await reload(stage.app, tmp_path)
        asked.set()
        await before
        assert await stage.cooling() == {}
        await stage.ask()
        await stage.expect(primary=2, backup=1, story=["primary ok"])


async def reload(app: App, tmp_path: Path) -> None:
    """As if the user had saved the file."""
    app.reload(await asyncio.to_thread(load, tmp_path / "config.yaml", {}))
    assert app._lookout.looking is not None
    await asyncio.wait((app._lookout.looking,))


async def test_u22_when_nobody_has_the_model_the_client_is_told_so(tmp_path: Path) -> None:
    async with staged(tmp_path, alone=True) as stage:
        stage.primary.play(said(404, "model: claude-sonnet-4-5", "not_found_error"))
        refused = await stage.ask()
        assert refused.status == 404
        assert refused.error["type"] == "not_found_error"
        await stage.expect(primary=1, backup=0, story=["primary model not available"], cooling={"primary": 3600.0})


@pytest.mark.parametrize("code", [408, 409])
async def test_u23_a_timeout_or_a_conflict_falls_over_and_cools_nothing(tmp_path: Path, code: int) -> None:
    async with staged(tmp_path) as stage:
        stage.primary.play(said(code, "try again"))
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=["primary broken", "backup ok"])


BODIES: dict[str, tuple[bytes, str]] = {
    "envelope": (envelope("api_error", "sorry"), JSON),
    "HTML": (HTML, "text/html"),
    "empty": (b"", JSON),
    "rubbish": (b"\x00\xff" * 100, "application/octet-stream"),
}
SICK: Mapping[int, tuple[str, dict[str, float]]] = {
    500: ("broken", {}),
    502: ("broken", {}),
    503: ("overloaded", {"primary": 10.0}),
    504: ("broken", {}),
    529: ("overloaded", {"primary": 10.0}),
}


@pytest.mark.parametrize(("body", "content_type"), BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("code", SICK)
async def test_u26_a_sick_server_is_left_whatever_it_says(
    tmp_path: Path, code: int, body: bytes, content_type: str
) -> None:
    fault, cooling = SICK[code]
    async with staged(tmp_path) as stage:
        stage.primary.play(status(code, body, content_type))
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=[f"primary {fault}", "backup ok"], cooling=cooling)


@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u26_of_an_endless_error_only_the_beginning_is_read(tmp_path: Path, wire: Wire) -> None:
    async def script(call: Call) -> None:
        await call.send(head(500, content_type="text/html", length=1024**3))
        while True:
            await call.send(b"x" * 65536)

    async with staged(tmp_path, wire) as stage:
        stage.primary.play(script)
        await stage.ask()
        await stage.primary.last.gone.wait()
        # What the kernel's buffers hold on both sides counts too.
        assert stage.primary.last.connection.written < 32 * 1024 * 1024
        await stage.expect(primary=1, backup=1, story=["primary broken", "backup ok"])


@pytest.mark.parametrize("code", [429, 500, 401, 404])
@pytest.mark.parametrize("wire", WIRES, ids=by_name)
async def test_u26_an_error_whose_text_does_not_come_is_judged_by_its_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: Wire, code: int
) -> None:
    """``first_event_timeout`` is at its default: a backup that had to wait for it would come too late for the test."""
    monkeypatch.setattr(response, "ERROR_PATIENCE", 0.05)

    async def script(call: Call) -> None:
        await call.send(head(code, content_type=JSON, length=500, more={"retry-after": "37"}), b'{"message": "not ')
        await call.gone.wait()

    fault, seconds = {429: ("throttled", 37.0), 404: ("model not available", 3600.0), 500: ("broken", 0.0), **ACCOUNT}[
        code
    ]
    async with staged(tmp_path, wire, routing="") as stage:
        stage.primary.play(script)
        await stage.ask()
        cooling = {"primary": seconds} if seconds else {}
        await stage.expect(primary=1, backup=1, story=[f"primary {fault}", "backup ok"], cooling=cooling)
