"""The composition root: starting, changing the configuration, and failing to start."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest

from ccproxy_tray import app
from ccproxy_tray.app import App, tell_log
from ccproxy_tray.config.schema import Config, Loaded, ProviderConfig, Routing, Secret, Server, Step, Upstream
from ccproxy_tray.journal import events
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.routing.outage import Outage, OutageKind
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.server.listener import PortTaken
from tests.providers import upstream

LOCAL = ProviderConfig("local", ProviderType.OPENAI, base_url="http://127.0.0.1:9/v1")
CONFIG = Config(
    server=Server(port=0),
    providers=MappingProxyType({"local": LOCAL}),
    routing=Routing(provider_sequence=(Step("local"),)),
)

STORY = Story("req_1", "m", (Attempt(Target("team", "m"), 0.0, 1.2, 0.4, 200),))


OUTAGE = Outage("local", OutageKind.THROTTLE, 61.0)


def loaded(config: Config) -> Loaded:
    return Loaded(config, "config.yaml", MappingProxyType({}))


async def status_of(app: App, token: str) -> int:
    """What a question with this token, or none, is answered."""
    port = urlsplit(app.urls[0]).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = f"x-api-key: {token}\r\n" if token else ""
    writer.write(f"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{key}Connection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


async def test_a_change_of_what_sockets_were_opened_by_is_said_to_wait_for_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    changed = replace(CONFIG, server=replace(CONFIG.server, port=8123), upstream=Upstream(connect_timeout=1.0))
    async with App(loaded(CONFIG), {}) as app:
        urls = app.urls
        app.reload(loaded(changed))
        assert app.urls == urls
        assert app.journal.snapshot.loaded == loaded(changed)
    assert "only after a restart: server.port, upstream.connect_timeout" in caplog.text


async def test_a_token_stays_in_force_for_as_long_as_others_reach_the_open_sockets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exposed = replace(CONFIG, server=Server(host="0.0.0.0", port=0, token=Secret("the-old-token")))  # noqa: S104 - with a token
    async with App(replace(loaded(exposed), sources={"server.host": "file", "server.token": "file"}), {}) as app:
        # whose host needs none, and waits for a restart
        app.reload(replace(loaded(CONFIG), sources={"server.host": "default", "server.token": "default"}))
        assert await status_of(app, "") == 401
        assert await status_of(app, "the-old-token") == 200
        told = app.journal.snapshot.loaded
        assert told is not None
        assert told.config == replace(CONFIG, server=replace(CONFIG.server, token=Secret("the-old-token")))
        assert told.sources == {"server.host": "default", "server.token": "file"}
    assert "only after a restart: server.host, server.token" in caplog.text


async def test_a_token_that_only_this_machine_needed_is_gone_at_once(caplog: pytest.LogCaptureFixture) -> None:
    guarded = replace(CONFIG, server=replace(CONFIG.server, token=Secret("the-old-token")))
    async with App(loaded(guarded), {}) as app:
        assert await status_of(app, "") == 401
        app.reload(loaded(CONFIG))
        assert await status_of(app, "") == 200
    assert "restart" not in caplog.text


async def test_any_other_change_is_in_force_at_once_and_needs_no_words(caplog: pytest.LogCaptureFixture) -> None:
    async with App(loaded(CONFIG), {}) as app:
        app.reload(loaded(replace(CONFIG, routing=replace(CONFIG.routing, only="local"))))
    assert "restart" not in caplog.text


async def test_a_start_that_fails_leaves_nobody_at_the_journal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def defect(*_: object) -> object:
        raise LookupError("a defect")

    caplog.set_level("INFO")
    monkeypatch.setattr(app, "providers", defect)
    journal = Journal("0", 0.0)
    with pytest.raises(LookupError):
        await App(loaded(CONFIG), {}, journal=journal).__aenter__()
    journal.record(events.OutageSimulated(1.0, None))
    assert caplog.text == ""


async def test_after_a_sleep_no_old_connection_is_used_again() -> None:
    async with upstream.scripted(upstream.Server()) as url, App(loaded(CONFIG), {}) as app:
        await app._transport.warm(url)
        [before] = app._transport._pool._open
        assert before.usable
        app.resumed(60.0)
        assert not before.usable


async def test_a_configuration_that_cannot_be_used_is_shown_and_changes_nothing() -> None:
    async with App(loaded(CONFIG), {}) as app:
        app.reject(("config.yaml:1: server.port: no",))
        assert app.journal.snapshot.problems == ("config.yaml:1: server.port: no",)
        assert app.journal.snapshot.loaded == loaded(CONFIG)


async def test_a_start_that_fails_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port: int = other.getsockname()[1]
        app = App(loaded(replace(CONFIG, server=Server(port=port))), {})
        with pytest.raises(PortTaken):
            await app.__aenter__()
        assert app._transport._closed


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (events.Served(1.0, STORY), "req_1: team m: ok in 1.2 s"),
        (events.FellBack(1.0, STORY), "req_1: team m: ok in 1.2 s"),
        (events.Exhausted(1.0, STORY, 529, "all busy"), "req_1: 529, all busy [team m: ok in 1.2 s]"),
        (events.Refused(1.0, STORY, 400, "too\nlong"), r"req_1: 400, too\nlong [team m: ok in 1.2 s]"),
        (events.BrokeOff(1.0, STORY, "reset"), "req_1: broke off: reset [team m: ok in 1.2 s]"),
        (events.Abandoned(1.0, STORY), "req_1: the client left [team m: ok in 1.2 s]"),
        (events.WentOffline(1.0), "Offline: no provider can be reached"),
        (events.CameBack(1.0), "Online again"),
        (events.OutageSimulated(1.0, OUTAGE), "Simulated outage of local: 429, for 60 s"),
        (events.OutageSimulated(1.0, None), "The simulated outage is over"),
        (events.ConfigRejected(1.0, ("a", "b")), "The changed configuration is not used: a; b"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_what_a_user_wants_to_know_of_is_one_line_of_the_log(
    event: events.Event, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    tell_log(event, Snapshot("1.0", 0.0))
    assert caplog.messages == [line]


def test_what_happens_all_the_time_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    tell_log(events.Cooled(1.0, ()), Snapshot("1.0", 0.0))
    assert caplog.messages == []


async def test_a_simulated_outage_ends_with_the_program() -> None:
    async with App(loaded(CONFIG), {}) as app:
        app.simulate("local", OutageKind.HANG)
        assert app.journal.snapshot.outage is not None
    assert app.journal.snapshot.outage is None
