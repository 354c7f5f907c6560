from typing import Any

from ccproxy_tray.config.schema import Config, Loaded, Route, Routing, Step
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import (
    ConfigChanged,
    Cooled,
    CoolingTarget,
    Credentials,
    Event,
    FellBack,
    Listened,
    ProvidersChecked,
    ProviderState,
    Served,
    WentOffline,
)
from ccproxy_tray.journal.snapshot import Snapshot, advance
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.server.outlook import outlook
from tests.server.harness import NOW

EAST = Target("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us-east-1")
ROUTER = Target("openrouter", "anthropic/claude-sonnet-4.5")
FAILED = Attempt(EAST, 0.0, 0.1, None, 429, Fault.THROTTLED, "Too many requests", 37.0)
FELL_BACK = FellBack(NOW, Story("req_1", "claude-sonnet-4-5", (FAILED, Attempt(ROUTER, 0.1, 1.0, 0.5, 200))))


def fold(*events: Event, routing: Routing | None = None) -> Snapshot:
    loaded = Loaded(Config(routing=routing or Routing()), "", {})
    snapshot = Snapshot("1.2.3", NOW)
    for event in (ConfigChanged(NOW, loaded), Listened(NOW, ("http://127.0.0.1:8000",)), *events):
        snapshot = advance(snapshot, event)
    return snapshot


def states(told: dict[str, Any], route: int = 0) -> list[tuple[str, str]]:
    return [(target["target"], target["state"]) for target in told["chain"][route]["targets"]]


def test_before_the_first_request_everybody_is_ready_for_any_model() -> None:
    told = outlook(fold(), NOW)
    assert told["headline"] == {"state": "idle", "text": "○ Ready · no request yet"}
    assert [route["model"] for route in told["chain"]] == [""]
    assert states(told) == [("bedrock us-east-1", "ready"), ("openrouter", "ready")]


def test_after_a_fallback_the_chain_says_who_serves_and_who_cools() -> None:
    cooled = Cooled(NOW, (CoolingTarget(EAST, NOW, NOW + 37, "429", lasting=False, simulated=True),))
    told = outlook(fold(FELL_BACK, cooled), NOW + 7.04)
    assert told["headline"]["state"] == "fallback"
    assert told["headline"]["text"].startswith("◐ openrouter · claude-sonnet-4-5 (simulated) · bedrock us-east-1 out")
    assert states(told) == [
        ("bedrock us-east-1 claude-sonnet-4-5", "cooling"),
        ("openrouter claude-sonnet-4-5", "serving"),
    ]
    first = told["chain"][0]["targets"][0]
    assert first["cooling"] == {
        "target": "bedrock us-east-1 us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "reason": "429",
        "seconds_left": 30.0,
        "until": NOW + 37,
        "lasting": False,
        "simulated": True,
    }
    assert told["chain"][0]["targets"][1]["cooling"] is None


def test_missing_credentials_come_with_their_remedy_and_secrets_masked() -> None:
    remedy = "set OPENROUTER_API_KEY=sk-or-abcdefgh12345678"
    state = ProviderState("openrouter", ProviderType.OPENROUTER, Credentials.MISSING, remedy)
    target = outlook(fold(ProvidersChecked(NOW, (state,))), NOW)["chain"][0]["targets"][1]
    assert (target["state"], target["remedy"]) == ("missing", "set OPENROUTER_API_KEY=***")


def test_offline_nobody_is_ready() -> None:
    told = outlook(fold(Served(NOW, FELL_BACK.story), WentOffline(NOW)), NOW)
    assert {state for _, state in states(told)} == {"offline"}


def test_routes_of_other_models_stand_below() -> None:
    routing = Routing(models=(Route("haiku", (Step("openrouter"),)),))
    told = outlook(fold(Served(NOW, FELL_BACK.story), routing=routing), NOW)
    assert [route["model"] for route in told["chain"]] == ["claude-sonnet-4-5", "haiku"]
    assert [target for target, _ in states(told, 1)] == ["openrouter haiku"]
