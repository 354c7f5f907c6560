"""Any snapshot: also such as no run of the program leads to, with names and words from people who mean ill."""

from __future__ import annotations

from types import MappingProxyType

from hypothesis import strategies as st

from ccproxy_tray.config.schema import (
    Config,
    Loaded,
    Notification,
    ProviderConfig,
    Route,
    Routing,
    Secret,
    Server,
    Step,
    Tray,
    Variant,
)
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import BrokeOff, CoolingTarget, Credentials, Exhausted, FellBack, ProviderState, Switch
from ccproxy_tray.journal.snapshot import Counts, Phase, Snapshot
from ccproxy_tray.routing.outage import MARK, Outage, OutageKind
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import ProviderType, Target
from tests.tray.menu.scene import DAY, NOW

CANARY = "CANARY0123456789"
ACCOUNT = "123456789012"
_HOSTILE = (
    f"sk-ant-api03-{CANARY}",
    f"Authorization: Bearer {CANARY}",
    f"x-api-key={CANARY}\r\nSet-Cookie: {CANARY}",
    f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc",
    "two\nlines\x00\x1b[31m\u202e",
    "\U0001f980" * 90,
    "a" * 400,
    " ",
    "",
    "&_x_&",
)
_NAMES = ("bedrock", "openrouter", "anthropic", "cerebras", "team")
_MODELS = ("claude-sonnet-4-5", "anthropic/claude-sonnet-4.5", "claude-haiku-4-5-20251001", "qwen-3", "auto")

text = st.one_of(st.sampled_from(_HOSTILE), st.text(max_size=30))
name = st.one_of(st.sampled_from(_NAMES), st.sampled_from(_HOSTILE))
model = st.one_of(st.sampled_from(_MODELS), st.sampled_from(_HOSTILE))
region = st.sampled_from(("", "us-east-1", "us-west-2", "a-region-" * 6))
target = st.builds(Target, name, model, region)
past = st.floats(0, 12 * 86_400).map(lambda seconds: NOW - seconds)
future = st.floats(-60, 12 * 86_400).map(lambda seconds: NOW + seconds)
reason = st.one_of(text, text.map(lambda words: f"{MARK}: {words}"))

attempt = st.builds(
    Attempt,
    target,
    st.floats(0, 100),
    st.floats(0, 100),
    st.none() | st.floats(0, 100),
    st.sampled_from((0, 200, 429, 503)),
    st.none() | st.sampled_from(Fault),
    text,
    st.none() | st.floats(0, 3600),
    st.booleans(),
)
story = st.builds(
    Story,
    st.sampled_from(("req_1", "req_2", "req_3")),
    model,
    st.lists(attempt, max_size=10).map(tuple),
    st.lists(st.tuples(target, text), max_size=2).map(tuple),
)
event = st.one_of(
    st.builds(FellBack, past, story),
    st.builds(Exhausted, past, story, st.sampled_from((403, 429, 529)), text),
    st.builds(BrokeOff, past, story, text),
)
cooling = st.builds(
    CoolingTarget,
    st.one_of(target, target.map(lambda each: each.account)),
    past,
    future,
    reason,
    st.booleans(),
)
variants = st.lists(st.builds(Variant, model, region), max_size=3).map(tuple)
steps = st.lists(st.builds(Step, name, variants), max_size=10).map(tuple)
routing = st.builds(
    Routing,
    enable=st.booleans(),
    provider_sequence=steps,
    models=st.lists(st.builds(Route, model, steps), max_size=2).map(tuple),
    order=st.lists(name, max_size=3).map(tuple),
    only=st.one_of(st.just(""), name),
)


def _config(rules: Routing, names: list[str], kinds: list[Notification]) -> Config:
    mapped = MappingProxyType({"claude-sonnet-4-5": "mapped"})
    made = {
        each: ProviderConfig(each, ProviderType.BEDROCK, api_key=Secret(CANARY), region="us-east-1", models=mapped)
        for each in names
    }
    return Config(Server(token=Secret(CANARY)), MappingProxyType(made), rules, tray=Tray(tuple(kinds)))


_KEYS = ("routing.enable", "routing.order", "routing.only", "tray.notifications")
sources = st.dictionaries(st.sampled_from(_KEYS), st.one_of(st.sampled_from(("file", "default", "command line")), text))
loaded = st.builds(
    Loaded,
    st.builds(_config, routing, st.lists(name, max_size=5), st.lists(st.sampled_from(Notification))),
    text,
    sources,
    st.lists(text, max_size=12).map(tuple),
)
counts = st.builds(Counts, *(st.integers(0, 3) for _ in range(6)))
provider = st.builds(ProviderState, name, st.sampled_from(ProviderType), st.sampled_from(Credentials), text)

switch = st.none() | st.builds(
    Switch, st.booleans(), st.just("") | text, st.booleans(), st.lists(text, max_size=12).map(tuple)
)

snapshots = st.builds(
    Snapshot,
    st.just("0.1.0"),
    past,
    phase=st.sampled_from((Phase.SERVING, *Phase)),
    failure=st.lists(text, max_size=12).map(tuple),
    outage=st.none() | st.builds(Outage, name, st.sampled_from(OutageKind), future),
    note=st.just("") | text,
    history=st.just("") | text,
    claude_code=switch,
    login=switch,
    urls=st.sampled_from(((), ("http://127.0.0.1:8000",), ("http://[::1]:8000", "http://127.0.0.1:8000"))),
    loaded=st.one_of(loaded, loaded, st.none()),
    problems=st.lists(text, max_size=12).map(tuple),
    waiting=st.lists(st.sampled_from(("server.host", "server.port", "upstream.connect_timeout"))).map(tuple),
    providers=st.lists(provider, max_size=6).map(tuple),
    cooling=st.lists(cooling, max_size=12).map(tuple),
    offline=st.booleans(),
    current=st.none() | target,
    on_fallback=st.booleans(),
    requested=model,
    recent=st.lists(event, max_size=12).map(tuple),
    today=counts,
    day=st.just(DAY),
)
