"""Matrix B, rows C4, C6, C7, C8, C9, C11: requests that are many, malformed, huge or odd."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ccproxy_tray.server.admission import Admission
from tests.faults.faultd import Call
from tests.faults.raw import Raw, asking, connected, request
from tests.faults.stage import ASK, Stage, staged
from tests.faults.wire import BEDROCK, MESSAGES, good

MIB = 1024 * 1024


async def untouched(stage: Stage) -> None:
    """No upstream was called, and nobody's story was told."""
    stage.unjudged = False
    assert not stage.calls
    assert not stage.ends
    assert await stage.cooling() == {}


async def refused(stage: Stage, raw: Raw, status: int, kind: str) -> str:
    """The next answer is this error; gives its message."""
    answered = await stage.checked(await raw.answer())
    assert answered.status == status
    assert answered.error["type"] == kind
    message: str = answered.error["message"]
    return message


async def test_c4_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(*(request(asking(stream=number % 2 == 0)) for number in range(6)))
        for number in range(1, 7):
            answered = await stage.checked(await raw.answer())
            assert answered.text().startswith(f"<primary{number}.0>")
        await stage.expect(primary=6, backup=0, story=["primary ok"])


async def test_c4_one_connection_serves_hundreds_of_requests(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        for number in range(300):
            await raw.send(request(asking(stream=number % 2 == 0)))
            await raw.answer()
        assert len(stage.primary.connections) == 1
        await stage.expect(primary=300, backup=0, story=["primary ok"])


async def test_c4_a_client_that_asks_first_is_told_to_go_on(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        body = asking()
        await raw.send(request(body, headers={"expect": "100-continue"})[: -len(body)])
        assert await raw.head() == (100, {})
        await raw.send(body)
        await stage.checked(await raw.answer())
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_c4_a_client_too_old_to_be_told_to_go_on_gets_nothing_but_its_answer(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        old = request(asking(stream=False), headers={"expect": "100-continue"}).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        await raw.send(old)
        assert (await stage.checked(await raw.answer())).status == 200
        await stage.expect(primary=1, backup=0, story=["primary ok"])


def asked(**fields: object) -> bytes:
    return json.dumps({**ASK, **fields}).encode()


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{not json",
    "an array": b"[]",
    "null": b"null",
    "NaN": asked()[:-1] + b', "temperature": NaN}',
    "infinity": asked()[:-1] + b', "temperature": 1e999}',
    "invalid UTF-8": asked().replace(b"canary", b"\xff\xfe"),
    "deep nesting": b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a key twice": asked()[:-1] + b', "model": "other"}',
    "no model": asked(model=None),
    "no messages": b'{"model": "claude-sonnet-4-5", "max_tokens": 1}',
    "messages of another type": asked(messages="hello"),
    "no max_tokens": b'{"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "x"}]}',
    "stream of another type": asked(stream="yes"),
    "an endless number": asked()[:-1] + b', "seed": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_c6_a_malformed_request_is_refused_and_goes_nowhere(tmp_path: Path, body: bytes) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(body))
        await refused(stage, raw, 400, "invalid_request_error")
        await untouched(stage)


@pytest.mark.parametrize("stream", [True, False])
async def test_c12_a_conversation_that_somebody_should_hold_is_not_found_and_goes_nowhere(
    tmp_path: Path, stream: bool
) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        held = {"type": "continue", "previous_message_id": "msg_01"}
        await raw.send(request(asked(thread=held, stream=stream)))
        answered = await stage.checked(await raw.answer())
        assert (answered.status, answered.error["type"]) == (404, "not_found_error")
        # What the official clients act on: they send the whole conversation, as the beginning of another thread.
        assert answered.error["details"] == {"error_code": "thread_not_found"}
        await untouched(stage)
        await raw.send(request(asked(thread={"type": "create"})))
        await stage.checked(await raw.answer())
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_c7_a_request_of_40_mb_is_served_and_holds_up_nobody(tmp_path: Path) -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": "A" * 40_000_000}
    body = await asyncio.to_thread(
        asking, messages=[{"role": "user", "content": [{"type": "image", "source": picture}]}]
    )
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(body))
        await stage.checked(await raw.answer())
        assert stage.primary.last.body == body
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_c7_a_request_that_announces_too_much_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(b"", headers={"content-length": str(64 * MIB + 1)}))
        await refused(stage, raw, 413, "request_too_large")
        await untouched(stage)


async def test_c7_a_request_without_end_is_refused_when_it_has_become_too_large(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(b"", headers={"content-length": "", "transfer-encoding": "chunked"}))
        answer = asyncio.create_task(refused(stage, raw, 413, "request_too_large"))
        for _ in range(64):
            await raw.send(b"100000\r\n", b" " * MIB, b"\r\n")
        assert not answer.done(), "so much may be sent"
        await raw.send(b"1\r\n \r\n")
        await answer
        await untouched(stage)


async def test_c7_a_request_that_is_shorter_than_it_says_goes_nowhere(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        async with connected(stage) as raw:
            body = asking()
            await raw.send(request(body, headers={"content-length": str(len(body) + 10)}))
        await untouched(stage)


async def test_c7_what_follows_a_request_that_is_longer_than_it_says_is_no_request(tmp_path: Path) -> None:
    body = asking()
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(body))
        await stage.checked(await raw.answer())
        await raw.send(body)
        await refused(stage, raw, 400, "invalid_request_error")
        assert await raw.closed() == b""
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_c7_a_request_that_comes_together_with_rubbish_goes_nowhere(tmp_path: Path) -> None:
    body = asking()
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(body + body, headers={"content-length": str(len(body))}))
        await refused(stage, raw, 400, "invalid_request_error")
        assert await raw.closed() == b""
        await untouched(stage)


PLACES = {
    "another method": ("PUT", "/v1/messages", 405),
    "DELETE": ("DELETE", "/v1/messages", 405),
    "GET of a POST": ("GET", "/v1/messages", 405),
    "POST of a GET": ("POST", "/health", 405),
    "OPTIONS": ("OPTIONS", "/v1/messages", 405),
    "another path": ("POST", "/v1/complete", 404),
    "a slash behind": ("POST", "/v1/messages/", 404),
    "two slashes before": ("POST", "//v1/messages", 404),
    "upper case": ("POST", "/V1/Messages", 404),
    "below": ("POST", "/v1/messages/batches", 404),
}
KINDS = {404: "not_found_error", 405: "invalid_request_error"}


@pytest.mark.parametrize(("method", "path", "status"), PLACES.values(), ids=PLACES.keys())
async def test_c8_a_wrong_method_or_path_is_told_in_the_envelope(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(asking(), method=method, path=path))
        await refused(stage, raw, status, KINDS[status])
        await untouched(stage)


@pytest.mark.parametrize("path", ["/", "/health", "/api/hello"])
async def test_c8_head_is_answered_without_a_body(tmp_path: Path, path: str) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(b"", method="HEAD", path=path), request(b"", method="GET", path="/health"))
        assert (await raw.head())[0] == 200
        assert (await raw.answer()).status == 200
        await untouched(stage)


async def test_c8_a_query_changes_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(asking(), path="/v1/messages?beta=true&x=%00"))
        await stage.checked(await raw.answer())
        assert stage.primary.last.path == "/v1/messages"
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def healthy(stage: Stage) -> None:
    async with stage.client.get(f"{stage.url}/health") as response:
        assert response.status == 200


async def test_c9_two_hundred_streams_at_a_time_are_served_and_health_answers_meanwhile(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def script(call: Call) -> None:
        await release.wait()
        await good(MESSAGES)(call)

    async with staged(tmp_path) as stage:
        stage.primary.always = script
        asked_ = [asyncio.create_task(stage.ask()) for _ in range(200)]
        await stage.primary.call(200)
        await healthy(stage)
        release.set()
        texts = {answered.text() for answered in await asyncio.gather(*asked_)}
        assert len(texts) == 200
        await stage.expect(primary=200, backup=0, story=["primary ok"])


async def test_c9_more_requests_than_there_is_room_for_wait_a_moment_and_are_then_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()

    async def script(call: Call) -> None:
        await release.wait()
        await good(MESSAGES)(call)

    admission = Admission(served=4, waiting=2, patience=60.0)
    monkeypatch.setattr("ccproxy_tray.server.messages.Admission", lambda: admission)
    async with staged(tmp_path) as stage:
        stage.primary.always = script
        served = [asyncio.create_task(stage.ask()) for _ in range(4)]
        await stage.primary.call(4)
        waiting = [asyncio.create_task(stage.ask()) for _ in range(2)]
        while admission._free_for_waiting:  # noqa: ASYNC110 - the place in the queue is the event
            await asyncio.sleep(0)
        turned_away = await stage.ask()
        assert turned_away.status == 529
        assert turned_away.error["type"] == "overloaded_error"
        assert turned_away.headers["retry-after"] == "1"
        await healthy(stage)
        release.set()
        for answered in await asyncio.gather(*served, *waiting):
            assert answered.status == 200
        await stage.expect(primary=6, backup=0, story=["primary ok"])


async def test_c9_idle_connections_keep_nobody_out(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        idle = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", stage.port) for _ in range(400)))
        await stage.ask()
        await healthy(stage)
        for _, writer in idle:
            writer.close()
        await stage.expect(primary=1, backup=0, story=["primary ok"])


MANY = ",".join(f"future-feature-{number:05}-2030-01-01" for number in range(1600))


@pytest.mark.parametrize("name", ["anthropic-beta", "Anthropic-Beta", "ANTHROPIC-BETA"])
async def test_c11_beta_headers_reach_a_messages_server_however_long_they_are(tmp_path: Path, name: str) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        assert len(MANY) > 48 * 1024
        await raw.send(request(asking(), headers={name: MANY}))
        await stage.checked(await raw.answer())
        assert stage.primary.last.headers["anthropic-beta"] == MANY
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_c11_bedrock_is_not_told_of_betas_that_it_cannot_know(tmp_path: Path) -> None:
    async with staged(tmp_path, BEDROCK) as stage, connected(stage) as raw:
        await raw.send(request(asking(), headers={"anthropic-beta": MANY, "x-unknown": "1", "Cookie": "a=b"}))
        await stage.checked(await raw.answer())
        assert "anthropic_beta" not in stage.primary.last.json
        assert not {"anthropic-beta", "x-unknown", "cookie", "x-api-key"} & set(stage.primary.last.headers)
        await stage.expect(primary=1, backup=0, story=["primary ok"])


async def test_c11_a_header_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, connected(stage) as raw:
        await raw.send(request(asking(), headers={"anthropic-beta": "x" * 200_000}))
        await refused(stage, raw, 431, "invalid_request_error")
        await untouched(stage)
