import json
import re
from datetime import datetime
from types import MappingProxyType

import pytest

from ccproxy_tray.config.schema import Config, Loaded, ProviderConfig, Route, Routing, Secret, Server, Step, Variant
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import (
    BrokeOff,
    ConfigChanged,
    ConfigRejected,
    Cooled,
    CoolingTarget,
    Credentials,
    Event,
    Exhausted,
    FellBack,
    HistoryTold,
    Listened,
    OutageSimulated,
    ProvidersChecked,
    ProviderState,
    Served,
)
from ccproxy_tray.journal.snapshot import Snapshot, advance
from ccproxy_tray.routing.outage import Outage, OutageKind
from ccproxy_tray.routing.story import Attempt, Story, line
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.server import status as module
from ccproxy_tray.server.status import moment, status
from tests.server.harness import NOW, Client

EAST = Target("bedrock", "anthropic.claude-sonnet-4-5", "us-east-1")
WEST = Target("bedrock", "anthropic.claude-sonnet-4-5", "us-west-2")
BUMPY = Story(
    "req_2",
    "claude-sonnet-4-5",
    (
        Attempt(EAST, 0.0, 0.12345, None, 429, Fault.THROTTLED, "Too many requests", 37.0),
        Attempt(WEST, 0.12345, 1.2, 0.5, 200),
    ),
)


def fold(*events: Event) -> Snapshot:
    snapshot = Snapshot("1.2.3", NOW)
    for event in events:
        snapshot = advance(snapshot, event)
    return snapshot


def test_a_fresh_program_has_little_to_tell() -> None:
    assert status(fold(), NOW + 1.4) == {
        "version": "1.2.3",
        "time": moment(NOW + 1.4),
        "uptime_seconds": 1,
        "urls": [],
        "headline": {"state": "idle", "text": "○ Starting"},
        "chain": [],
        "serving": None,
        "on_fallback": False,
        "offline": False,
        "outage": None,
        "config": {"path": "", "warnings": [], "problems": []},
        "rate_limits": [],
        "settings": [],
        "history": "",
        "routing": {},
        "providers": {},
        "fallbacks": [],
        "requests": {
            **dict.fromkeys(("total", "served", "fell_back", "exhausted", "refused", "broke_off", "abandoned"), 0),
            "today": dict.fromkeys(
                ("total", "served", "fell_back", "exhausted", "refused", "broke_off", "abandoned"), 0
            ),
        },
    }


def test_a_clock_that_was_set_back_gives_no_negative_uptime() -> None:
    assert status(fold(), NOW - 100)["uptime_seconds"] == 0


@pytest.mark.parametrize("since", [0.0, 0.2, 0.4, 59.9])
def test_the_start_is_the_same_moment_whoever_works_it_out_and_when(since: float) -> None:
    started = NOW + 0.7
    document = status(Snapshot("1.2.3", started), started + since)
    assert datetime.fromisoformat(document["time"]).timestamp() - document["uptime_seconds"] == NOW


def test_every_key_is_documented_and_every_documented_key_is_there() -> None:
    assert module.__doc__ is not None
    assert set(re.findall(r"^``(\w+)``  ", module.__doc__, re.MULTILINE)) == set(status(fold(), NOW))


def test_cooling_targets_are_shown_with_their_end_and_reason() -> None:
    cooling = (
        CoolingTarget(EAST, NOW, NOW + 37, "429"),
        CoolingTarget(Target("openrouter", ""), NOW, NOW + 600, "no credit", lasting=True),
    )
    first, second = status(fold(Cooled(NOW, cooling)), NOW + 10.04)["rate_limits"]
    assert first == {
        "target": "bedrock us-east-1 anthropic.claude-sonnet-4-5",
        "provider": "bedrock",
        "model": "anthropic.claude-sonnet-4-5",
        "region": "us-east-1",
        "seconds_left": 27.0,
        "until": moment(NOW + 37),
        "since": moment(NOW),
        "reason": "429",
        "lasting": False,
    }
    assert (second["target"], second["model"], second["lasting"]) == ("openrouter", "", True)
    assert len(status(fold(Cooled(NOW, cooling)), NOW + 37)["rate_limits"]) == 1


def test_a_simulated_outage_is_shown_with_its_end() -> None:
    snapshot = fold(OutageSimulated(NOW, Outage("bedrock", OutageKind.HANG, NOW + 60)))
    assert status(snapshot, NOW + 12.34)["outage"] == {
        "provider": "bedrock",
        "kind": "hang",
        "until": moment(NOW + 60),
        "seconds_left": 47.7,
    }
    assert status(snapshot, NOW + 61)["outage"]["seconds_left"] == 0
    assert status(advance(snapshot, OutageSimulated(NOW, None)), NOW)["outage"] is None


def test_fallbacks_tell_their_story_latest_first() -> None:
    events = (FellBack(NOW, BUMPY), Exhausted(NOW + 1, BUMPY, 529, "busy"), BrokeOff(NOW + 2, BUMPY, "reset"))
    fallbacks = status(fold(*events), NOW)["fallbacks"]
    assert [each["outcome"] for each in fallbacks] == ["broke off", "exhausted", "served"]
    assert fallbacks[2] == {
        "time": moment(NOW),
        "request_id": "req_2",
        "model": "claude-sonnet-4-5",
        "outcome": "served",
        "story": line(BUMPY),
        "attempts": [
            {
                "target": str(EAST),
                "started": 0.0,
                "seconds": 0.123,
                "first_event": None,
                "status": 429,
                "fault": "throttled",
                "reason": "Too many requests",
                "cooling": 37.0,
                "simulated": False,
            },
            {
                "target": str(WEST),
                "started": 0.123,
                "seconds": 1.2,
                "first_event": 0.5,
                "status": 200,
                "fault": None,
                "reason": "",
                "cooling": None,
                "simulated": False,
            },
        ],
    }


def test_routing_is_shown_with_the_source_of_each_value() -> None:
    steps = (Step("bedrock", (Variant("auto", "us-west-2"),)),)
    routing = Routing(provider_sequence=steps, models=(Route("haiku", steps),), order=("bedrock",))
    sources = {"routing.enable": "ROUTING_ENABLE", "routing.provider_sequence": "file"}
    loaded = Loaded(Config(routing=routing), "/home/me/config.yaml", MappingProxyType(sources), ("unknown key",))
    shown = status(fold(ConfigChanged(NOW, loaded)), NOW)
    sequence = [{"name": "bedrock", "variants": [{"model": "auto", "region": "us-west-2"}]}]
    assert shown["routing"]["enable"] == {"value": True, "source": "ROUTING_ENABLE"}
    assert shown["routing"]["provider_sequence"] == {"value": sequence, "source": "file"}
    assert shown["routing"]["models"]["value"] == [{"model": "haiku", "provider_sequence": sequence}]
    assert shown["routing"]["failback"] == {"value": "eager", "source": "default"}
    assert shown["routing"]["max_wait_seconds"]["value"] == 90.0
    assert set(shown["routing"]) == {
        "enable", "provider_sequence", "models", "order", "only", "retry_timeout_millis", "rate_limit_seconds",
        "max_wait_seconds", "failback", "errors",
    }  # fmt: skip
    assert shown["config"] == {"path": "/home/me/config.yaml", "warnings": ["unknown key"], "problems": []}


def test_the_whole_configuration_is_shown_with_its_secrets_masked() -> None:
    key = ProviderConfig("team", ProviderType.ANTHROPIC, api_key=Secret("canary-key"), missing_env=("TEAM_KEY",))
    mapped = ProviderConfig("own", ProviderType.OPENAI, models=MappingProxyType({"AKIACANARY0123456789": "\x1b"}))
    config = Config(Server(port=9000, token=Secret("canary-token")), MappingProxyType({"team": key, "own": mapped}))
    sources = {"server.port": "PORT", "providers.team.api_key": "file", "providers.own.models": "file"}
    shown = status(fold(ConfigChanged(NOW, Loaded(config, "", MappingProxyType(sources)))), NOW)["settings"]
    found = {row["key"]: row for row in shown}
    assert found["server.port"] == {"key": "server.port", "value": 9000, "source": "PORT", "note": ""}
    assert found["server.token"]["value"] == found["providers.team.api_key"]["value"] == "***"
    assert found["providers.team.api_key"]["note"] == "TEAM_KEY is not set"
    assert found["providers.own.models"]["value"] == {"AKIA***": "\\x1b"}
    assert found["upstream.idle_timeout"]["value"] == "180s"
    assert "canary" not in json.dumps(shown).lower()


def test_what_waits_for_a_restart_says_so_beside_its_value() -> None:
    loaded = Loaded(Config(Server(port=9000)), "", MappingProxyType({}))
    shown = status(fold(ConfigChanged(NOW, loaded, ("server.port",))), NOW)["settings"]
    assert {row["key"]: row["note"] for row in shown if row["note"]} == {"server.port": "changed: takes a restart"}


def test_a_history_that_cannot_be_kept_says_why() -> None:
    told = "The disk is full: make room for history.sqlite3 sk-ant-api03-canary0123456789"
    shown = status(fold(HistoryTold(NOW, told)), NOW)["history"]
    assert shown.startswith("The disk is full")
    assert "canary" not in shown


def test_providers_and_the_current_target_are_shown() -> None:
    providers = (ProviderState("bedrock", ProviderType.BEDROCK, Credentials.MISSING, "Set AWS_PROFILE."),)
    snapshot = fold(
        Listened(NOW, ("http://127.0.0.1:8000",)),
        ProvidersChecked(NOW, providers),
        Served(NOW, Story("req_1", "sonnet", (Attempt(EAST, 0.0, 1.0),))),
    )
    shown = status(snapshot, NOW)
    assert shown["urls"] == ["http://127.0.0.1:8000"]
    assert shown["serving"] == str(EAST)
    assert shown["providers"] == {
        "bedrock": {"type": "bedrock", "credentials": "missing", "remedy": "Set AWS_PROFILE."}
    }
    assert shown["requests"]["served"] == shown["requests"]["today"]["total"] == 1


CANARIES = (
    "sk-ant-api03-canary0123456789",
    "sk-or-v1-canary0123456789abcdef",
    "AKIACANARY0123456789",
    "123456789012",
    "config-key-canary",
    "local-token-canary",
)


def everything_with_canaries() -> tuple[Event, ...]:
    """Secrets in every place that a careless document could show."""
    said = " ".join(CANARIES[:4]) + " \x1b[31m\r\n"
    arn = f"arn:aws:bedrock:us-east-1:{CANARIES[3]}:inference-profile/x"
    story = Story("req_1", f"m {said}", (Attempt(Target("bedrock", arn), 0, 1, None, 403, Fault.CREDENTIALS, said),))
    providers = {"team": ProviderConfig("team", ProviderType.ANTHROPIC, api_key=Secret(CANARIES[4]))}
    routing = Routing(provider_sequence=(Step("bedrock", (Variant(arn),)),))
    config = Config(Server(token=Secret(CANARIES[5])), MappingProxyType(providers), routing)
    return (
        ConfigChanged(NOW, Loaded(config, "config.yaml", MappingProxyType({}), (said,))),
        ConfigRejected(NOW, (said,)),
        HistoryTold(NOW, said),
        ProvidersChecked(NOW, (ProviderState("bedrock", ProviderType.BEDROCK, Credentials.FOUND, said),)),
        Cooled(NOW, (CoolingTarget(Target("bedrock", arn), NOW, NOW + 600, said),)),
        FellBack(NOW, story),
        Exhausted(NOW, story, 403, said),
        BrokeOff(NOW, story, said),
    )


def test_nothing_secret_is_shown_wherever_it_comes_from() -> None:
    document = json.dumps(status(fold(*everything_with_canaries()), NOW))
    assert [canary for canary in CANARIES if canary in document] == []
    assert "\\u001b" not in document


@pytest.mark.parametrize("path", ["/debug", "/health", "/", "/v1/models", "/nothing", "/api/hello"])
async def test_no_endpoint_shows_a_secret(client: Client, path: str) -> None:
    for event in everything_with_canaries():
        client.journal.record(event)
    reply = await client.ask("GET", path, x_api_key=CANARIES[0], Authorization=f"Bearer {CANARIES[1]}")
    text = reply.raw.decode() + reply.body.decode()
    assert [canary for canary in CANARIES if canary in text] == []


async def test_debug_is_the_picture_of_the_moment_and_not_kept_by_caches(client: Client) -> None:
    client.journal.record(FellBack(NOW, BUMPY))
    reply = await client.ask("GET", "/debug?x=1")
    assert reply.json == status(client.journal.snapshot, NOW + 60)
    assert reply.headers["cache-control"] == "no-store"
