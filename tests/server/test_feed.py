from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ccproxy_tray.config.schema import Secret, Server
from ccproxy_tray.errors import Fault
from ccproxy_tray.journal.events import BodyKept, BrokeOff, CameBack, FellBack, Served, WentOffline
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.row import row
from ccproxy_tray.routing.story import Attempt, Story
from ccproxy_tray.routing.target import Target
from ccproxy_tray.server import feed as module
from ccproxy_tray.server.listener import PortTaken
from ccproxy_tray.server.status import status
from tests.server.harness import NOW, Client, Wire, serving, until

TARGET = Target("bedrock", "anthropic.claude-sonnet-4-5", "us-east-1")


def served(name: str) -> Served:
    return Served(NOW, Story(name, "claude-sonnet-4-5", (Attempt(TARGET, 0.0, 1.0, 0.5, 200),)))


class Stream:
    """A page that listens."""

    def __init__(self, wire: Wire, headers: dict[str, str]) -> None:
        self.wire = wire
        self.headers = headers
        self.last = ""
        self._rest = b""

    async def block(self) -> bytes:
        """The next event or comment, without the empty line that ends it."""
        async with asyncio.timeout(20):
            while b"\n\n" not in self._rest:
                chunk = await self.wire.chunk()
                if not chunk:
                    raise EOFError
                self._rest += chunk
        block, self._rest = self._rest.split(b"\n\n", 1)
        return block

    async def event(self) -> tuple[str, Any]:
        """The next event's type and data."""
        fields = dict(line.split(": ", 1) for line in (await self.block()).decode().split("\n"))
        self.last = fields.get("id", self.last)
        return fields["event"], json.loads(fields["data"])

    async def requests(self, count: int) -> list[str]:
        """The ids of the next so many rows, whatever else is told between them."""
        found: list[str] = []
        while len(found) < count:
            kind, data = await self.event()
            if kind == "request":
                found.append(data["id"])
        return found


@asynccontextmanager
async def listening(client: Client, path: str = "/events", /, **headers: str) -> AsyncIterator[Stream]:
    async with client.wire() as wire:
        await wire.send(client.lines("GET", path, {name.replace("_", "-"): each for name, each in headers.items()}))
        status_code, fields, _ = await wire.head()
        assert status_code == 200
        yield Stream(wire, fields)


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often pictures and rows are made, from now on."""
    made: Counter[str] = Counter()

    def counting(name: str) -> Callable[..., object]:
        function = getattr(module, name)

        def called(*arguments: object) -> object:
            made[name] += 1
            return function(*arguments)

        return called

    for name in ("status", "row"):
        monkeypatch.setattr(module, name, counting(name))
    return made


async def test_a_listener_hears_first_how_the_program_stands(client: Client) -> None:
    client.journal.record(served("req_1"))
    async with listening(client) as stream:
        assert await stream.event() == ("status", json.loads(json.dumps(status(client.journal.snapshot, NOW + 60))))
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store"


async def test_a_request_that_ends_is_told_as_a_row_and_then_the_new_picture(client: Client) -> None:
    ended = FellBack(
        NOW, Story("req_1", "m", (Attempt(TARGET, 0, 1, None, 429, Fault.THROTTLED), Attempt(TARGET, 1, 1)))
    )
    async with listening(client) as stream:
        await stream.event()
        client.journal.record(ended)
        assert await stream.event() == ("request", row(ended))
        kind, told = await stream.event()
        assert (kind, told["requests"]["fell_back"]) == ("status", 1)


async def test_every_listener_hears_the_same(client: Client) -> None:
    async with listening(client) as one, listening(client) as other:
        await one.event()
        await other.event()
        client.journal.record(served("req_1"))
        assert await one.event() == await other.event() == ("request", row(served("req_1")))
        assert one.last == other.last


async def test_a_change_of_the_picture_is_told(client: Client) -> None:
    async with listening(client) as stream:
        assert (await stream.event())[1]["offline"] is False
        client.journal.record(WentOffline(NOW))
        assert (await stream.event())[1]["offline"] is True


async def test_many_changes_at_once_are_one_picture(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made = counted(monkeypatch)
    async with listening(client) as stream:
        await stream.event()
        before = made["status"]
        for _ in range(50):
            client.journal.record(WentOffline(NOW))
            client.journal.record(CameBack(NOW))
        client.journal.record(WentOffline(NOW))
        assert (await stream.event())[1]["offline"] is True
        assert made["status"] == before + 1


async def test_pictures_keep_their_distance(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 3600.0)
    feed = client.endpoint._feed
    async with listening(client) as stream:
        await stream.event()
        client.journal.record(WentOffline(NOW))
        assert (await stream.event())[1]["offline"] is True  # the first change is told at once
        client.journal.record(CameBack(NOW))
        assert feed._timer is not None
        assert feed._timer.when() == feed._shown_at + 3600
        waiting = feed._timer
        client.journal.record(WentOffline(NOW))
        assert feed._timer is waiting


async def test_bodies_are_the_history_s_alone(client: Client) -> None:
    async with listening(client) as stream:
        await stream.event()
        client.journal.record(BodyKept(NOW, "req_1", {}, b"canary", b"canary", 6, 6))
        assert client.endpoint._feed._timer is None
        client.journal.record(served("req_1"))
        assert (await stream.event())[0] == "request"


async def test_who_comes_back_hears_what_was_missed_and_how_things_stand(client: Client) -> None:
    async with listening(client) as stream:
        await stream.event()
        client.journal.record(served("req_1"))
        assert await stream.requests(1) == ["req_1"]
        last = stream.last
    for name in ("req_2", "req_3"):
        client.journal.record(served(name))
    for path, headers in (("/events", {"Last_Event_ID": last}), (f"/events?last_event_id={last}", {})):
        async with listening(client, path, **headers) as stream:
            assert [(await stream.event())[1]["id"], (await stream.event())[1]["id"]] == ["req_2", "req_3"]
            kind, told = await stream.event()
            assert (kind, told["requests"]["served"]) == ("status", 3)


async def test_the_header_counts_more_than_the_address(client: Client) -> None:
    async with listening(client) as stream:
        await stream.event()
        first = stream.last
        client.journal.record(served("req_1"))
        await stream.requests(1)
        latest = stream.last
    async with listening(client, f"/events?last_event_id={first}", Last_Event_ID=latest) as stream:
        assert (await stream.event())[0] == "status"
    async with listening(client, f"/events?last_event_id={first}") as stream:
        assert (await stream.event())[0] == "request"


async def test_resuming_after_a_status_repeats_no_row(client: Client) -> None:
    async with listening(client) as stream:
        await stream.event()
        client.journal.record(served("req_1"))
        await stream.requests(1)
        assert (await stream.event())[0] == "status"
        last = stream.last
    client.journal.record(served("req_2"))
    async with listening(client, Last_Event_ID=last) as stream:
        assert (await stream.event())[1]["id"] == "req_2"


@pytest.mark.parametrize(
    "last", ["00000000-0", "x", "1", "-", "{run}-1", "{run}-99", "{run}--1", "{run}-1x", "{run}-\xb9"]
)
async def test_an_id_that_means_nothing_here_starts_afresh_and_says_that_rows_were_missed(
    client: Client, last: str
) -> None:
    async with listening(client, Last_Event_ID=last.replace("{run}", client.endpoint._feed._run)) as stream:
        assert (await stream.event())[0] == "status"
        assert await stream.event() == ("gap", {})


async def test_after_a_restart_the_old_id_starts_afresh() -> None:
    journal = Journal("1.2.3", NOW)
    async with serving(journal=journal) as client, listening(client) as stream:
        await stream.event()
        journal.record(served("req_1"))
        await stream.requests(1)
        last = stream.last
    async with serving(journal=journal) as client, listening(client, Last_Event_ID=last) as stream:
        assert [(await stream.event())[0], (await stream.event())[0]] == ["status", "gap"]
        journal.record(served("req_2"))
        assert await stream.requests(1) == ["req_2"]


async def test_an_id_that_is_too_old_starts_afresh(client: Client) -> None:
    async with listening(client) as stream:
        await stream.event()
        last = stream.last
    for number in range(module.KEPT):
        client.journal.record(served(f"req_{number}"))
    async with listening(client, Last_Event_ID=last) as stream:
        assert len(await stream.requests(module.KEPT)) == module.KEPT
    client.journal.record(served("one too many"))
    async with listening(client, Last_Event_ID=last) as stream:
        assert [(await stream.event())[0], (await stream.event())[0]] == ["status", "gap"]


async def test_silence_is_broken_by_a_comment() -> None:
    async with serving(quiet=0.01) as client, listening(client) as stream:
        await stream.event()
        assert [await stream.block() for _ in range(3)] == [b": "] * 3
        client.journal.record(served("req_1"))
        while (block := await stream.block()) == b": ":
            pass
        assert b"event: request" in block


async def test_while_nobody_listens_nothing_is_made_and_nothing_wakes_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = counted(monkeypatch)
    monkeypatch.setattr(module, "PAUSE", 3600.0)
    feed = client.endpoint._feed
    for _ in range(3):
        client.journal.record(served("req_1"))
    assert (made, feed._timer) == (Counter(), None)
    async with listening(client) as stream:
        await stream.event()
        client.journal.record(WentOffline(NOW))
        await stream.event()
        client.journal.record(CameBack(NOW))
        assert feed._timer is not None
    await until(lambda: not feed._listeners)
    assert feed._timer is None
    assert made["row"] == 0


async def test_a_row_is_made_once_for_all(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made = counted(monkeypatch)
    async with listening(client) as one, listening(client) as other:
        first = await one.event() and one.last
        await other.event()
        client.journal.record(served("req_1"))
        assert await one.requests(1) == await other.requests(1) == ["req_1"]
    async with listening(client, Last_Event_ID=first) as again:
        assert await again.requests(1) == ["req_1"]
    assert made["row"] == 1


async def test_there_is_room_for_so_many_and_not_for_one_more(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LISTENERS", 2)
    async with listening(client), listening(client):
        reply = await client.ask("GET", "/events")
        assert reply.error()[:2] == (503, "overloaded_error")
        assert reply.headers["retry-after"] == "5"
        assert (await client.ask("GET", "/health")).status == 200
    await until(lambda: not client.endpoint._feed._listeners)
    async with listening(client) as stream:
        assert (await stream.event())[0] == "status"


async def test_head_tells_the_headers_and_ends(client: Client) -> None:
    reply = await client.ask("HEAD", "/events")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


@pytest.mark.parametrize("query", ["since=1", "last_event_id=a&last_event_id=b", "last_event_id=%00", "=1"])
async def test_other_parameters_are_refused(client: Client, query: str) -> None:
    assert (await client.ask("GET", f"/events?{query}")).error()[0] == 400


async def test_a_stop_ends_every_stream_cleanly_and_takes_no_grace(client: Client) -> None:
    async with listening(client) as one, listening(client) as other:
        await one.event()
        await other.event()
        await asyncio.wait_for(client.endpoint.stop(), 3)  # half of the grace that running requests get
        for stream in (one, other):
            with pytest.raises(EOFError):
                await stream.event()
            assert await stream.wire.closed()


async def test_whoever_comes_while_the_endpoint_stops_is_sent_away(client: Client) -> None:
    client.endpoint._feed.close()
    assert (await client.ask("GET", "/events")).error() == (503, "overloaded_error", "The proxy is shutting down.")


async def test_a_stop_does_not_wait_for_a_page_that_does_not_read() -> None:
    async with serving() as client, listening(client) as stream:
        await flood(client, stream)
        await asyncio.wait_for(client.endpoint.stop(), 3)
        assert client.endpoint._feed._listeners == set()


async def flood(client: Client, stream: Stream) -> None:
    """Tell more than the connection takes, while nobody reads."""
    stream.wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
    [connection] = client.connections()
    transport = connection.transport
    assert transport is not None
    number = 0
    while transport.get_write_buffer_size() <= 64 * 1024:  # asyncio's high-water mark: now a write waits
        for _ in range(5):
            number += 1
            client.journal.record(served(f"req_{number}_{'x' * 5000}"))
        await asyncio.sleep(0)


async def test_a_page_that_does_not_read_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Server(port=0, write_timeout=0.05)) as client, listening(client) as stream:
        await flood(client, stream)
        number = 0
        feed = client.endpoint._feed
        while feed._listeners:
            number += 1
            client.journal.record(served(f"more_{number}"))
            await asyncio.sleep(0.001)
        assert "internal error" not in caplog.text


async def test_a_slow_page_gets_a_picture_instead_of_what_has_piled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 10)
    async with serving() as client, listening(client) as stream:
        await stream.event()
        await flood(client, stream)
        for number in range(1000):
            client.journal.record(served(f"late_{number}"))
        stream.wire.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
        while (told := await stream.event())[0] != "gap":
            assert not told[1].get("id", "").startswith("late_0")
        client.journal.record(served("req_new"))
        assert await stream.requests(1) == ["req_new"]


async def test_known_secrets_are_masked_in_everything_that_is_told() -> None:
    def mask(text: str) -> str:
        return text.replace("canary", "***")

    async with serving(mask=mask) as client, listening(client) as stream:
        client.journal.record(BrokeOff(NOW, Story("req_1", "model-canary", ()), "canary in an error"))
        blocks = [await stream.event() for _ in range(3)]
    text = json.dumps(blocks)
    assert "canary" not in text
    assert "model-***" in text


async def test_a_listener_needs_the_token() -> None:
    async with serving(Server(port=0, token=Secret("local-token"))) as client:
        assert (await client.ask("GET", "/events")).error()[0] == 401
        async with listening(client, x_api_key="local-token") as stream:
            assert (await stream.event())[0] == "status"


async def test_an_endpoint_that_cannot_be_opened_or_was_closed_leaves_the_journal_alone(client: Client) -> None:
    journal = Journal("1.2.3", NOW)
    before = journal._subscribers
    with pytest.raises(PortTaken):
        async with serving(Server(port=client.port), journal=journal):
            pass
    assert journal._subscribers == before
    async with serving(journal=journal):
        assert len(journal._subscribers) == 1
    assert journal._subscribers == before
