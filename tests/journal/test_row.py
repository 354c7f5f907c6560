"""What a row tells, and what it does not."""

from __future__ import annotations

from ccproxy_tray.journal.events import Served
from ccproxy_tray.journal.row import row
from ccproxy_tray.routing.origin import Origin
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import Target

ACCOUNT = "123456789012"


def test_the_ids_of_a_session_and_an_agent_stay_whole_when_they_look_like_an_account() -> None:
    session, agent = f"0a1b2c3d-0000-4000-8000-{ACCOUNT}", f"a-{ACCOUNT}"
    told = row(Served(1.0, Story("req_1", "claude-sonnet-4-5", origin=Origin(session, agent))))
    assert (told["session"], told["agent"]) == (session, agent)


def test_what_a_client_puts_in_the_place_of_an_id_is_masked_and_escaped() -> None:
    told = row(Served(1.0, Story("req_1", "m", origin=Origin("sk-ant-abcdefgh12345678", "\x1b[2J"))))
    assert told["session"] == "sk-ant-***"
    assert told["agent"] == r"\x1b[2J"


def test_no_name_of_a_model_shows_an_account() -> None:
    arn = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc"
    tried = Attempt(Target("bedrock", arn, "us-east-1"), 0.0, 1.0, 0.5, 200)
    assert ACCOUNT not in str(row(Served(1.0, Story("req_1", arn, (tried,)))))
