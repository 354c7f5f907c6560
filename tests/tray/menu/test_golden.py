"""What the menu looks like in every state. ``CCPROXY_WRITE_GOLDEN=1`` writes the files anew: read the difference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from ccproxy_tray.config.schema import Config, ProviderConfig, Route, Routing, Step, Tray, Variant
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import Switch
from ccproxy_tray.journal.snapshot import Counts, Phase, Snapshot
from ccproxy_tray.routing.outage import Outage, OutageKind
from ccproxy_tray.routing.story import Attempt
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.tray.action import Document, MoveFirst, Open, UseOnly
from ccproxy_tray.tray.menu import view
from tests.tray.menu.outline import outline
from tests.tray.menu.scene import (
    AWS_REMEDY,
    EAST,
    NOW,
    PROVIDERS,
    READY,
    ROUTER,
    ROUTER_REMEDY,
    SERVING,
    SONNET,
    WEST,
    broke_off,
    cooling,
    exhausted,
    fell_back,
    loaded,
    provider,
    steps,
    throttled,
)

GOLDEN = Path(__file__).parent / "golden"
FALLING_BACK = replace(
    SERVING,
    current=ROUTER,
    on_fallback=True,
    cooling=(cooling(EAST),),
    recent=(fell_back(1, ago=90 * 60), broke_off(2, 600), fell_back(3, throttled(EAST), throttled(WEST))),
    today=Counts(served=12, fell_back=2, broke_off=1),
)
LONG = "an-account-with-a-name-that-somebody-made-very-long-indeed"
LONG_MODEL = "vendor/a-model-with-a-name-that-is-even-longer-than-that-of-its-account-v1-instruct-preview"
HOSTILE = "evil\n\u202egnp & _x\x1b[31m sk-ant-api03-CANARY0123456789"
NINE = tuple(f"p{number}" for number in range(1, 10))


def failed(*problems: str) -> Snapshot:
    return Snapshot("0.1.0", NOW, phase=Phase.FAILED, failure=problems)


def config(*names: str) -> Mapping[str, ProviderConfig]:
    return MappingProxyType({name: ProviderConfig(name, ProviderType.OPENAI) for name in names})


def many() -> Snapshot:
    targets = [Target("openrouter", f"vendor/model-{number}") for number in range(1, 11)]
    recent = tuple(fell_back(number, ago=(20 - number) * 60) for number in range(1, 13))
    return replace(
        FALLING_BACK,
        cooling=tuple(cooling(target, 60.0 * n) for n, target in enumerate(targets, 1)),
        recent=recent,
        today=Counts(served=40, fell_back=12, exhausted=2),
    )


def played() -> Snapshot:
    return replace(
        FALLING_BACK,
        outage=Outage("bedrock", OutageKind.THROTTLE, NOW + 45),
        cooling=(cooling(EAST, 45, "simulated: 429 Too many requests", simulated=True),),
        recent=(fell_back(1, throttled(EAST, simulated=True)),),
        today=Counts(served=8, fell_back=1),
    )


def long_names() -> Snapshot:
    target = Target(LONG, LONG_MODEL, "a-region-in-a-far-away-country-1")
    first = Target(LONG + "-2", LONG_MODEL, "eu-central-1")
    routing = Routing(provider_sequence=(Step(LONG + "-2", (Variant(LONG_MODEL),)), Step(LONG)))
    names = (LONG, LONG + "-2")
    return replace(
        SERVING,
        loaded=loaded(routing, providers=config(*names)),
        providers=tuple(provider(name, remedy=f"set providers.{name}.api_key") for name in names[:1]),
        current=target,
        on_fallback=True,
        cooling=(cooling(first, reason="429: " + "please slow down " * 20),),
        recent=(fell_back(1, throttled(first), throttled(Target(LONG, LONG_MODEL)), to=target),),
        today=Counts(served=1, fell_back=1),
    )


def hostile() -> Snapshot:
    target = Target(HOSTILE, f"arn:aws:bedrock:us-east-1:123456789012:x/{HOSTILE}", "us-east-1")
    routing = Routing(provider_sequence=steps(HOSTILE), only=HOSTILE)
    return replace(
        SERVING,
        loaded=loaded(routing, warnings=(HOSTILE,), sources={"routing.order": HOSTILE}),
        problems=(HOSTILE,),
        providers=(provider(HOSTILE, remedy=HOSTILE),),
        current=target,
        cooling=(cooling(target, reason=HOSTILE),),
        recent=(exhausted(1, Attempt(target, 0, 1, None, 0, Fault.UNREACHABLE, HOSTILE)),),
        today=Counts(exhausted=1),
        outage=Outage(HOSTILE, OutageKind.HANG, NOW + 9),
    )


TWO_PROBLEMS = (
    'config.yaml:14: routing.retry_timeout_millis: expected whole milliseconds, got "fast"',
    'config.yaml:31: routing.only: no provider is called "bedrok"; did you mean "bedrock"?',
)
TAKEN = (
    "port 8000 of 127.0.0.1 is taken by another program: end that program, or choose another port with server.port "
    "in config.yaml or with the environment variable PORT; it is tried again every 10 seconds"
)

STATES: Mapping[str, Snapshot] = {
    "starting": Snapshot("0.1.0", NOW),
    "starting again": replace(FALLING_BACK, phase=Phase.STARTING, urls=()),
    "idle": READY,
    "ready after nobody answered": replace(
        READY,
        requested=SONNET,
        recent=(exhausted(1),),
        counts=Counts(exhausted=1),
        today=Counts(exhausted=1),
    ),
    "serving": SERVING,
    "fallback": FALLING_BACK,
    "fallback, all cooling ended": replace(FALLING_BACK, cooling=()),
    "fallback, several out": replace(
        FALLING_BACK,
        loaded=loaded(
            Routing(provider_sequence=(Step("bedrock", (Variant(), Variant(region="us-west-2"))), *steps("openrouter")))
        ),
        cooling=(cooling(EAST), cooling(WEST, 90, "model not available", lasting=True)),
    ),
    "long lists": many(),
    "all cooling": replace(
        SERVING,
        cooling=(cooling(ROUTER, 20), cooling(EAST.account, 290, "403: the security token is invalid", lasting=True)),
        recent=(exhausted(1),),
        today=Counts(served=7, exhausted=1),
    ),
    "offline": replace(SERVING, offline=True),
    "failed, port taken": failed(TAKEN),
    "failed, broken config": failed(*TWO_PROBLEMS, "config.yaml:40: tray: unknown key"),
    "failed while connected": replace(failed(TAKEN), claude_code=Switch(on=True)),
    "failed with a config": replace(SERVING, phase=Phase.FAILED, failure=(TAKEN,), urls=()),
    "stopped": replace(SERVING, phase=Phase.STOPPED, urls=()),
    "no credentials": replace(
        READY,
        providers=(
            provider("bedrock", ProviderType.BEDROCK, AWS_REMEDY),
            provider("openrouter", ProviderType.OPENROUTER, ROUTER_REMEDY),
        ),
    ),
    "broken hand edit": replace(SERVING, problems=TWO_PROBLEMS),
    "a port that waits for a restart": replace(SERVING, waiting=("server.port",)),
    "a history that cannot be kept": replace(
        SERVING,
        history="History is not kept: the disk is full. Make room on the disk of /home/ada/.local/share/ccproxy-tray.",
    ),
    "one warning": replace(SERVING, loaded=loaded(warnings=("config.yaml:9: server.prot: unknown key",))),
    "set by the environment": replace(
        SERVING,
        loaded=loaded(
            sources={"routing.enable": "ROUTING_ENABLE", "routing.order": "file", "server.port": "PORT"},
            tray=Tray(("start_failed",)),
        ),
    ),
    "set on the command line": replace(
        SERVING,
        loaded=loaded(
            sources=dict.fromkeys(
                ("routing.enable", "routing.only", "routing.order", "tray.notifications"), "command line"
            )
        ),
    ),
    "routing off, idle": replace(READY, loaded=loaded(Routing(enable=False))),
    "routing off": replace(SERVING, loaded=loaded(Routing(enable=False)), cooling=(cooling(EAST),)),
    "use only, not asked yet": replace(SERVING, loaded=loaded(Routing(only="openrouter"))),
    "use only without credentials": replace(SERVING, loaded=loaded(Routing(only="anthropic"))),
    "reordered, one without credentials": replace(
        SERVING,
        loaded=loaded(
            Routing(
                provider_sequence=steps("bedrock", "anthropic", "openrouter", "bedrock"),
                models=(Route("haiku", steps("cerebras")),),
                order=("anthropic",),
            )
        ),
    ),
    "nine providers, the ninth alone": replace(
        READY,
        loaded=loaded(Routing(provider_sequence=steps(*NINE), only="p9"), providers=config(*NINE)),
        providers=tuple(provider(name) for name in NINE),
    ),
    "simulated outage": played(),
    "simulated, all cooling": replace(
        played(),
        loaded=loaded(Routing(provider_sequence=steps("bedrock"))),
        current=EAST,
        requested=SONNET,
    ),
    "long names": long_names(),
    "hostile names": hostile(),
    "singular": replace(
        SERVING,
        recent=(exhausted(1),),
        today=Counts(served=0, exhausted=1),
    ),
    "started again on the same day": replace(READY, started=NOW - 60, earlier=Counts(served=12, fell_back=2)),
    "another day": replace(
        SERVING,
        cooling=(cooling(ROUTER, 86_400), cooling(WEST, 30 * 86_400)),
        recent=(fell_back(1, ago=9 * 86_400), fell_back(2, ago=86_400)),
        today=Counts(),
    ),
    "another model": replace(SERVING, requested="claude-haiku-4-5", cooling=(cooling(EAST), cooling(ROUTER))),
    "two addresses": replace(READY, urls=("http://127.0.0.1:8000", "http://[::1]:8000"), providers=PROVIDERS[:1]),
    "at home on the desktop": replace(SERVING, claude_code=Switch(on=True), login=Switch(on=True)),
    "connected in vain": replace(
        SERVING,
        claude_code=Switch(
            on=True,
            advice=("CLAUDE_CODE_USE_BEDROCK in settings.json:4: Claude Code asks Bedrock itself. Remove it there.",),
        ),
    ),
    "not at home on the desktop": replace(
        SERVING,
        note="Port 8000 is taken by python3 (pid 4711), so the proxy serves at 8001 for now",
        urls=("http://127.0.0.1:8001",),
        claude_code=Switch(on=False, note="settings.json:3:5 is not valid JSON", possible=False),
        login=Switch(on=False, note="switched off in Task Manager"),
    ),
    "nothing to serve with": replace(READY, loaded=loaded(Routing(provider_sequence=()), providers=Config().providers)),
}


@pytest.mark.parametrize("name", STATES)
def test_the_menu_looks_as_it_is_meant_to(name: str) -> None:
    path = GOLDEN / f"{name.replace(', ', '-').replace(' ', '-')}.txt"
    text = outline(view(STATES[name], NOW))
    if os.environ.get("CCPROXY_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in STATES if name.startswith("failed")])
def test_every_row_that_says_why_nothing_is_served_leads_to_where_it_can_be_mended(name: str) -> None:
    rows = [row for row in view(STATES[name], NOW).menu if row.key.split(" ")[0] in ("headline", "failure")]
    assert {row.action for row in rows} == {Open(Document.CONFIG)}


def test_only_a_program_that_heard_of_none_says_that_there_was_no_request() -> None:
    assert view(STATES["idle"], NOW).menu[0].label == "○ Ready · no request yet"
    assert view(STATES["ready after nobody answered"], NOW).menu[0].label == "○ Ready · bedrock us-east-1 is next"


@pytest.mark.parametrize("only", ["", "p60"])
def test_each_of_sixty_providers_can_be_tried_first_and_used_alone(only: str) -> None:
    names = tuple(f"p{number}" for number in range(1, 61))
    chosen = loaded(Routing(provider_sequence=steps(*names), only=only), providers=config(*names))
    rows = [row for top in view(replace(READY, loaded=chosen), NOW).menu for row in top.walk()]
    assert [row.action.provider for row in rows if isinstance(row.action, MoveFirst)] == list(names)
    alone = [row.action.provider for row in rows if isinstance(row.action, UseOnly)]
    assert sorted(alone) == sorted(["", *names])
    assert max(len(row.children) for row in rows) <= 30


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{name.replace(', ', '-').replace(' ', '-')}.txt" for name in STATES}
    assert {path.name for path in GOLDEN.iterdir()} == wanted
