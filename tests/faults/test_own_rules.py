"""``routing.errors``: what the user says of errors that a provider puts in its own way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.faultd import Call
from tests.faults.stage import AT_ONCE, staged
from tests.faults.test_status import by_name, said
from tests.faults.wire import CHAT, MESSAGES, Wire, envelope, sse, streamed
from tests.faults.wire import status as answer_of

FULL = "Sorry, no capacity for you"
ERRORS = AT_ONCE + "\n  errors: [ { provider: primary, message: no capacity, as: overloaded } ]"


async def lost(call: Call) -> None:
    """The connection breaks instead of an answer."""
    call.reset()


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("wire", [MESSAGES, CHAT], ids=by_name)
async def test_a_400_that_the_user_takes_for_an_overload_falls_over_and_cools(
    tmp_path: Path, wire: Wire, *, stream: bool
) -> None:
    async with staged(tmp_path, wire, routing=ERRORS) as stage:
        stage.primary.play(said(400, FULL))
        assert (await stage.ask(stream=stream)).message()["id"].startswith("msg_backup")
        cooling = {"primary": 10.0}
        await stage.expect(primary=1, backup=1, story=["primary overloaded", "backup ok"], cooling=cooling)


async def test_an_error_inside_a_stream_is_judged_as_well(tmp_path: Path) -> None:
    error = sse({"type": "error", "error": {"type": "invalid_request_error", "message": FULL}})
    async with staged(tmp_path, routing=ERRORS) as stage:
        stage.primary.play(streamed(MESSAGES, lambda frames: (*frames.start, error)))
        assert (await stage.ask()).message()["id"].startswith("msg_backup")
        cooling = {"primary": 10.0}
        await stage.expect(primary=1, backup=1, story=["primary overloaded", "backup ok"], cooling=cooling)


async def test_other_errors_are_what_they_were(tmp_path: Path) -> None:
    async with staged(tmp_path, routing=ERRORS) as stage:
        stage.primary.play(said(400, "max_tokens: too large", "invalid_request_error"))
        assert (await stage.ask()).status == 400
        await stage.expect(primary=1, backup=0, story=["primary refused"])


async def test_a_fault_of_the_server_that_the_user_takes_for_the_requests_own_is_a_400(tmp_path: Path) -> None:
    rule = AT_ONCE + "\n  errors: [ { status: 500, message: no such tool, as: refused } ]"
    async with staged(tmp_path, routing=rule) as stage:
        stage.primary.play(said(500, "no such tool: Bash"))
        refused = await stage.ask()
        assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")
        assert "no such tool: Bash" in refused.error["message"]
        await stage.expect(primary=1, backup=0, story=["primary refused"])


async def test_where_one_target_serves_alone_its_error_is_passed_on(tmp_path: Path) -> None:
    async with staged(tmp_path, routing=ERRORS + "\n  enable: false") as stage:
        stage.primary.play(said(400, FULL))
        refused = await stage.ask()
        assert (refused.status, refused.error["message"]) == (400, FULL)
        await stage.expect(primary=1, backup=0, story=["primary refused"])


async def test_an_error_after_content_is_told_as_what_the_user_takes_it_for(tmp_path: Path) -> None:
    """Clients wait longer before they try again what was overloaded."""
    error = sse({"type": "error", "error": {"type": "api_error", "message": FULL}})
    async with staged(tmp_path, routing=ERRORS) as stage:
        stage.primary.play(streamed(MESSAGES, lambda frames: (*frames.start, *frames.deltas, error)))
        answered = await stage.ask()
        assert (answered.error["type"], answered.error["message"]) == ("overloaded_error", FULL)
        await stage.expect(primary=1, backup=0, story=["primary overloaded"], cooling={"primary": 10.0})


@pytest.mark.parametrize("status", [401, 404, 408, 409, 429, 500])
async def test_what_only_the_client_can_mend_is_a_400_that_it_neither_repeats_nor_logs_in_for(
    tmp_path: Path, status: int
) -> None:
    rule = AT_ONCE + "\n  errors: [ { message: no such tool, as: refused } ]"
    body = envelope("authentication_error", "no such tool: Bash")
    async with staged(tmp_path, routing=rule) as stage:
        stage.primary.play(answer_of(status, body, more={"x-should-retry": "true", "retry-after": "7"}))
        refused = await stage.ask()
        assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")
        assert refused.error["message"] == "no such tool: Bash"
        assert "x-should-retry" not in refused.headers
        assert "retry-after" not in refused.headers
        await stage.expect(primary=1, backup=0, story=["primary refused"])


async def test_rules_are_about_what_a_provider_says_and_not_about_the_way_to_it(tmp_path: Path) -> None:
    """Else a machine without a network would be taken for one whose providers are overloaded."""
    rule = AT_ONCE + "\n  errors: [ { message: e, as: overloaded } ]"
    async with staged(tmp_path, routing=rule, alone=True) as stage:
        stage.primary.play(lost, lost)
        refused = await stage.ask()
        assert refused.status == 529
        await stage.expect(primary=1, backup=0, story=["primary unreachable"])
        assert (await stage.debug())["offline"]
