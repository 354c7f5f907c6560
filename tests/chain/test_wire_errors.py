"""What a provider's error must not bring along and what of it must not be lost, in forms that are easily missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.faultd import Script
from tests.faults.stage import staged
from tests.faults.wire import MESSAGES, envelope, sse, status, streamed

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
