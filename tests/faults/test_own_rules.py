"""``routing.errors``: what the user says of errors that a provider puts in its own way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.stage import AT_ONCE, staged
from tests.faults.test_status import by_name, said
from tests.faults.wire import CHAT, MESSAGES, Wire, sse, streamed

FULL = "Sorry, no capacity for you"
ERRORS = AT_ONCE + "\n  errors: [ { provider: primary, message: no capacity, as: overloaded } ]"


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
