import asyncio
import json
import logging
from urllib.parse import quote

import aiohttp
import pytest

from ccproxy_tray import catalog
from ccproxy_tray.dispatch import Answer
from ccproxy_tray.errors import RequestError, envelope
from ccproxy_tray.translate.messages import MessagesRequest
from tests.server.harness import MESSAGE, REQUEST, Client


async def test_a_message_is_answered_with_the_id_that_dispatch_got(client: Client) -> None:
    reply = await client.post()
    assert (reply.status, reply.body) == (200, MESSAGE)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["request-id"] == client.dispatch.ids[0]
    assert reply.headers["x-ccproxy-target"] == "bedrock us-east-1 sonnet"


async def test_no_answer_names_our_software(client: Client) -> None:
    replies = [await client.post(), await client.ask("GET", "/nothing"), await client.ask("GET", "/")]
    async with client.wire() as wire:
        await wire.send(b"nonsense\r\n\r\n")
        replies.append(await wire.reply())
    assert not [reply for reply in replies if "server" in reply.headers or b"aiohttp" in reply.raw.lower()]


@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/v1/messages?x=%zz&y", "/v1/%6dessages"])
async def test_the_query_means_nothing_and_escapes_are_read(client: Client, path: str) -> None:
    assert (await client.post(REQUEST, path)).status == 200


async def test_the_body_reaches_dispatch_as_the_bytes_that_came(client: Client) -> None:
    body = b' {"messages":[{"role":"user","content":"h\\u00e9"}] ,"max_tokens":1,"model":"claude-x[1m]","new":1}\n'
    await client.ask("POST", "/v1/messages", body, anthropic_beta="a,b", X_Claude_Code_Session_Id="s-1")
    [request] = client.dispatch.requests
    assert request.raw == body
    assert (request.model, request.long_context, request.session) == ("claude-x", True, "s-1")
    assert request.betas == ("a", "b")


async def test_repeated_headers_are_joined(client: Client) -> None:
    body = json.dumps(REQUEST).encode()
    head = client.lines("POST", "/v1/messages", {"Content-Type": "application/json", "Content-Length": str(len(body))})
    head = head.replace(b"\r\n\r\n", b"\r\nanthropic-beta: one\r\nAnthropic-Beta: two,three\r\n\r\n")
    async with client.wire() as wire:
        await wire.send(head + body)
        await wire.reply()
    assert client.dispatch.requests[0].betas == ("one", "two", "three")


async def test_an_upstreams_own_error_body_arrives_byte_for_byte(client: Client) -> None:
    body = b'{"type":"error", "error":{"type":"invalid_request_error","message":"prompt is too long"}}'
    client.dispatch.answers(Answer(400, {"x-should-retry": "false"}, body))
    reply = await client.post()
    assert (reply.status, reply.body, reply.headers["x-should-retry"]) == (400, body, "false")
    assert reply.headers["request-id"] == client.dispatch.ids[0]


async def test_header_values_cannot_end_their_line(client: Client) -> None:
    client.dispatch.answers(Answer(200, {"x-ccproxy-target": "a\r\nx-evil: 1\x00\ud800"}, b"{}"))
    reply = await client.post()
    assert "x-evil" not in reply.headers
    assert reply.headers["x-ccproxy-target"] == "a  x-evil: 1  "


async def test_tokens_are_counted(client: Client) -> None:
    value = {key: REQUEST[key] for key in ("model", "messages")}
    reply = await client.post(value, "/v1/messages/count_tokens?beta=true")
    assert reply.json == {"input_tokens": 2095}
    assert reply.headers["request-id"] == client.dispatch.ids[0]
    assert len(client.dispatch.counted) == 1


async def test_25_counts_at_once_are_all_answered(client: Client) -> None:
    replies = await asyncio.gather(*(client.post(REQUEST, "/v1/messages/count_tokens") for _ in range(25)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.headers["request-id"] for reply in replies}) == 25


NESTED = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b'"text"',
        b"null",
        b"{}",
        b'{"model": "m", "max_tokens": 1}',
        b'{"model": 7, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "m", "max_tokens": "1", "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "m", "max_tokens": true, "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "m", "max_tokens": 1, "messages": {}}',
        b'{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": 5}]}',
        b'{"model": "m", "max_tokens": NaN, "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "m", "max_tokens": 1, "temperature": Infinity, "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "\xff"}]}',
        b'{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]} trailing',
        b'{"model": "m", "model": "n", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "m", "max_tokens": 1, "n": 1' + b"0" * 10_000 + b', "messages": [{"role":"user","content":"x"}]}',
        b'{"model": "m", "max_tokens": 1, "messages": ' + NESTED + b"}",
        NESTED,
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_a_bad_body_is_refused_with_one_clear_message(client: Client, path: str, body: bytes) -> None:
    status, kind, message = (await client.ask("POST", path, body)).error()
    assert (status, kind) == (400, "invalid_request_error")
    assert 5 < len(message) < 400
    assert client.dispatch.requests == client.dispatch.counted == []


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v1/files", 404, "Not found: POST /v1/files"),
        ("GET", "/no", 404, "Not found: GET /no"),
        ("DELETE", "/nothing/at/all", 404, "Not found: DELETE /nothing/at/all"),
        ("POST", "/v1/messages/", 404, "Not found: POST /v1/messages/"),
        ("POST", "//v1/messages", 404, "Not found: POST //v1/messages"),
        ("POST", "/v1/../v1/messages", 404, "Not found: POST /v1/../v1/messages"),
        ("POST", "/V1/messages", 404, "Not found: POST /V1/messages"),
        ("GET", "/a%0d%0ab", 404, r"Not found: GET /a\r\nb"),
        ("GET", "/v1/messages", 405, "Method not allowed: GET"),
        ("HEAD", "/v1/messages", 405, ""),
        ("PUT", "/v1/messages", 405, "Method not allowed: PUT"),
        ("POST", "/health", 405, "Method not allowed: POST"),
        ("DELETE", "/v1/models/x", 405, "Method not allowed: DELETE"),
        ("OPTIONS", "/nothing", 405, "Method not allowed: OPTIONS"),
        ("CONNECT", "127.0.0.1:443", 400, "The request target must be a path."),
        ("TRACE", "/", 405, "Method not allowed: TRACE"),
    ],
)
async def test_wrong_paths_and_methods(client: Client, method: str, path: str, status: int, message: str) -> None:
    reply = await client.ask(method, path)
    assert reply.status == status
    if message:
        assert reply.error()[2] == message
    assert reply.headers["request-id"].startswith("req_")


async def test_a_405_says_what_is_allowed(client: Client) -> None:
    assert (await client.ask("GET", "/v1/messages")).headers["allow"] == "POST"
    assert (await client.ask("POST", "/health")).headers["allow"] == "GET, HEAD"


async def test_a_base_url_with_v1_is_explained(client: Client) -> None:
    _, _, message = (await client.post(REQUEST, "/v1/v1/messages?beta=true")).error()
    assert "/v1 at its end" in message


async def test_a_long_path_is_cut_in_the_message(client: Client) -> None:
    _, _, message = (await client.ask("GET", "/" + "x" * 5000)).error()
    assert len(message) < 300


async def test_absolute_form_works_when_it_names_us(client: Client) -> None:
    assert (await client.ask("GET", f"http://127.0.0.1:{client.port}/health")).status == 200
    assert (await client.ask("GET", "http://evil.example/health")).error()[0] == 421


async def test_root_health_and_hello_are_small_and_answer_head(client: Client) -> None:
    root = (await client.ask("GET", "/")).json
    assert (root["name"], root["version"]) == ("ccproxy-tray", "1.2.3")
    assert (await client.ask("GET", "/health")).json == {
        "status": "ok", "timestamp": "2026-11-18T11:07:40Z", "service": "ccproxy-tray", "version": "1.2.3",
    }  # fmt: skip
    for path in ("/", "/health", "/api/hello", "/debug", "/v1/models"):
        reply = await client.ask("HEAD", path)
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["request-id"].startswith("req_")
    assert (await client.ask("GET", "/api/hello")).body == b""


async def test_models_are_listed_in_anthropics_shape(client: Client) -> None:
    page = (await client.ask("GET", "/v1/models?limit=1000")).json
    ids = [row["id"] for row in page["data"]]
    assert ids == [row.id for row in catalog.models()]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (ids[0], ids[-1], False)
    assert set(page["data"][0]) == {
        "type", "id", "display_name", "created_at", "lifecycle", "line", "max_input_tokens", "max_tokens",
    }  # fmt: skip
    assert all("claude" in name for name in ids)


async def test_pages_of_models_join_without_gap_or_overlap(client: Client) -> None:
    ids = [row.id for row in catalog.models()]
    seen: list[str] = []
    query = "?limit=3"
    while True:
        page = (await client.ask("GET", f"/v1/models{query}")).json
        seen += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            break
        query = f"?limit=3&after_id={page['last_id']}"
    assert seen == ids
    assert (await client.ask("GET", f"/v1/models?limit={len(ids)}")).json["has_more"] is False
    back = (await client.ask("GET", f"/v1/models?limit=2&before_id={ids[3]}")).json
    assert ([row["id"] for row in back["data"]], back["has_more"]) == (ids[1:3], True)
    first = (await client.ask("GET", f"/v1/models?limit=2&before_id={ids[2]}")).json
    assert ([row["id"] for row in first["data"]], first["has_more"]) == (ids[:2], False)


async def test_models_may_be_asked_for_by_lifecycle(client: Client) -> None:
    active = (await client.ask("GET", "/v1/models?limit=1000&lifecycle=active")).json["data"]
    assert [row["id"] for row in active] == [row.id for row in catalog.models() if row.lifecycle == "active"]
    none = (await client.ask("GET", "/v1/models?lifecycle=unheard-of")).json
    assert none == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=", "limit=٣", "after_id=x", "before_id=x",
              "after_id=a&before_id=b"],
)  # fmt: skip
async def test_a_page_that_makes_no_sense_is_refused(client: Client, query: str) -> None:
    assert (await client.ask("GET", f"/v1/models?{quote(query, safe='=&')}")).error()[0] == 400


async def test_one_model_may_be_asked_for_by_any_name_that_is_known(client: Client) -> None:
    row = catalog.models()[0]
    assert (await client.ask("GET", f"/v1/models/{row.id}")).json["id"] == row.id
    for name in ("no/such model:0", "gpt-5"):
        status, kind, message = (await client.ask("GET", f"/v1/models/{quote(name, safe='')}")).error()
        assert (status, kind, message) == (404, "not_found_error", f"No such model: {name}")


async def test_a_connection_serves_many_requests_and_pipelined_ones_in_order(client: Client) -> None:
    async with client.wire() as wire:
        for path in ("/health", "/", "/nothing", "/health"):
            await wire.send(client.lines("GET", path, {}))
            await wire.reply()
        await wire.send(client.lines("GET", "/nothing", {}) + client.lines("GET", "/", {}))
        assert [(await wire.reply()).status, (await wire.reply()).status] == [404, 200]


async def test_a_refused_request_with_a_body_leaves_the_connection_usable(client: Client) -> None:
    async with client.wire() as wire:
        for _ in range(2):
            await wire.send(client.lines("POST", "/v1/files", {"Content-Length": "5"}) + b"12345")
            assert (await wire.reply()).status == 404


async def test_an_aiohttp_client_keeps_one_connection(client: Client) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(client.urls[0], connector=connector) as session:
        for _ in range(20):
            async with session.post("/v1/messages?beta=true", json=REQUEST) as response:
                assert await response.read() == MESSAGE
    assert len(client.dispatch.requests) == 20


async def test_a_defect_in_dispatch_is_a_500_in_the_envelope_and_a_trace_in_the_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async def defect(request: MessagesRequest) -> Answer:
        raise TimeoutError("canary", request.model)

    client.dispatch.reply = defect
    with caplog.at_level(logging.ERROR):
        reply = await client.post()
    status, kind, message = reply.error()
    assert (status, kind) == (500, "api_error")
    assert "canary" not in message
    assert reply.headers["request-id"] in caplog.text
    assert "canary" in caplog.text


async def test_a_request_error_from_dispatch_is_told_as_it_is(client: Client) -> None:
    async def refuse(request: MessagesRequest) -> Answer:
        del request
        raise RequestError(429, "Slow down.", headers={"retry-after": "7"})

    client.dispatch.reply = refuse
    reply = await client.post()
    assert reply.error() == (429, "rate_limit_error", "Slow down.")
    assert reply.headers["retry-after"] == "7"


async def test_a_large_answer_arrives_whole(client: Client) -> None:
    body = b'"' + b"0123456789abcdef" * 200_000 + b'"'
    client.dispatch.answers(Answer(200, {}, body))
    async with client.wire(limit=2**24) as wire:
        raw = json.dumps(REQUEST).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        await wire.send(client.lines("POST", "/v1/messages", fields) + raw)
        reply = await wire.reply()
    assert reply.headers["content-length"] == str(len(body))
    assert reply.body == body


async def test_the_envelope_of_the_program_and_of_the_server_are_one(client: Client) -> None:
    reply = await client.ask("GET", "/nothing")
    assert reply.body == envelope("not_found_error", "Not found: GET /nothing", reply.headers["request-id"])
