"""What a provider's error must not bring along and what of it must not be lost, in forms that are easily missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.faultd import Script
from tests.faults.stage import staged
from tests.faults.wire import BEDROCK, MESSAGES, envelope, sse, status, streamed

AGES_AWAY, LONG_AGO = "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"
OTHERS_KEY = "a-canary-of-no-known-shape"


@pytest.mark.parametrize("space", ["", " "], ids=["compact", "spaced"])
async def test_a_refusal_with_an_empty_request_id_gets_ours_in_its_place(tmp_path: Path, space: str) -> None:
    """OpenRouter's Messages errors may carry ``"request_id": null``."""
    refusal = envelope("invalid_request_error", 'some `wording`, "request_id":null')[:-1]
    refusal += f',"request_id":{space}null}}'.encode()
    async with staged(tmp_path) as stage:
        stage.primary.play(status(400, refusal))
        refused = await stage.ask()
        own = json.dumps(refused.headers["request-id"]).encode()
        assert refused.body == refusal.removesuffix(b"null}") + own + b"}"
        await stage.expect(primary=1, backup=0, story=["primary refused"])


@pytest.mark.parametrize(("moment", "seconds"), [(AGES_AWAY, 900.0), (LONG_AGO, 1.0)], ids=["to come", "gone by"])
async def test_a_date_to_come_back_at_is_read_by_our_own_clock_where_the_answer_has_none(
    tmp_path: Path, moment: str, seconds: float
) -> None:
    busy = status(429, envelope("rate_limit_error", "slow down"), more={"retry-after": moment})
    async with staged(tmp_path) as stage:
        stage.primary.play(busy)
        await stage.ask()
        await stage.expect(primary=1, backup=1, story=["primary throttled", "backup ok"], cooling={"primary": seconds})


def _broken_off_with(key: str) -> Script:
    echo = sse({"type": "error", "error": {"type": "api_error", "message": f"who is {key}?"}})
    return streamed(MESSAGES, lambda frames: (*frames.start, frames.deltas[0], echo))


async def test_a_key_of_another_account_goes_no_further_either(tmp_path: Path) -> None:
    """A gateway may know several. The stage looks for it in the answers, in the log, in /debug and in the journal."""
    keys = {"primary": "canary-of-the-primary", "backup": OTHERS_KEY}
    async with staged(tmp_path, keys=keys, alone=True) as stage:
        stage.primary.play(
            status(400, envelope("invalid_request_error", f"not {OTHERS_KEY}")),
            _broken_off_with(OTHERS_KEY),
            status(403, envelope("permission_error", f"not {OTHERS_KEY}")),
        )
        answers = [await stage.ask() for _ in range(3)]
        assert [answer.error["message"] for answer in answers[:2]] == ["not ***", "who is ***?"]
        assert answers[2].status == 403
        await stage.expect(primary=3, backup=0, story=["primary credentials"], cooling={"primary": 300.0})


def _says(code: int, kind: str, text: str = "no", **more: str) -> Script:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    return status(code, envelope(kind, text), more=headers)


THROTTLED = _says(429, "rate_limit_error", retry_after="30")
OVERLOADED = _says(529, "overloaded_error")
BROKEN = _says(500, "api_error")
NO_KEY = _says(401, "authentication_error")
NO_CREDIT = _says(402, "billing_error")
NO_MODEL = _says(404, "not_found_error", "model: x")
TOO_LONG = _says(400, "invalid_request_error", "prompt is too long: 3 tokens > 2 maximum")


@pytest.mark.parametrize(
    ("first", "second", "code", "headers"),
    [
        (THROTTLED, OVERLOADED, 429, {"retry-after": "10"}),
        (THROTTLED, NO_KEY, 429, {"retry-after": "30"}),
        (OVERLOADED, NO_KEY, 529, {"retry-after": "10"}),
        (BROKEN, NO_KEY, 529, {"retry-after": "1"}),
        (NO_KEY, NO_CREDIT, 403, {"x-should-retry": "false"}),
        (NO_MODEL, NO_KEY, 403, {"x-should-retry": "false"}),
        (NO_MODEL, NO_CREDIT, 402, {"x-should-retry": "false"}),
        (NO_MODEL, NO_MODEL, 404, {}),
        (THROTTLED, TOO_LONG, 400, {}),
        (NO_KEY, TOO_LONG, 400, {}),
    ],
)
async def test_of_two_different_failures_the_client_gets_the_more_helpful(
    tmp_path: Path, first: Script, second: Script, code: int, headers: dict[str, str]
) -> None:
    """Repair before waiting, waiting before the user's help; and never a 401, which starts Claude Code's login."""
    async with staged(tmp_path) as stage:
        stage.primary.play(first)
        stage.backup.play(second)
        refused = await stage.ask()
        assert refused.status == code
        assert refused.error["message"]
        assert {name: refused.headers.get(name) for name in ("retry-after", "x-should-retry")} == {
            "retry-after": None,
            "x-should-retry": None,
            **headers,
        }
        stage.unjudged = False  # what cools and for how long is judged row by row, in tests/faults


PROFILE = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abcd1234"


async def test_no_answer_names_the_aws_account_of_a_target(tmp_path: Path) -> None:
    """It stands in the user's file, as the model of a variant; answers are pasted into reports."""
    async with staged(tmp_path, BEDROCK, alone=True) as stage:
        served = await stage.ask(model=PROFILE)
        assert "abcd1234" in served.headers["x-ccproxy-target"]
        stage.primary.play(status(404, b"{}"))
        refused = await stage.ask(model=PROFILE)
        assert "abcd1234" in refused.error["message"]
        assert "123456789012" not in f"{served.headers} {refused.headers} {refused.body!r}"
        await stage.expect(primary=2, backup=0, story=["primary model not available"], cooling={"primary": 3600.0})


async def test_nor_does_one_that_no_target_can_give(tmp_path: Path) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    async with staged(tmp_path, BEDROCK, alone=True) as stage:
        refused = await stage.ask(model=PROFILE, tools=[search])
        assert "abcd1234" in refused.error["message"]
        assert b"123456789012" not in refused.body
        await stage.expect(primary=0, backup=0, story=[])
