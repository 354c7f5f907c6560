"""What a browser may fetch, and what it is told about each answer: every route by real requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ccproxy_tray.config.schema import Secret, Server
from ccproxy_tray.server import page
from ccproxy_tray.server.disclosure import PRIVATE
from tests.server.harness import Client, serving

PAGE = ("/status", "/status/index.html")
DATA = (
    "/debug",
    "/events",
    "/metrics",
    "/status/requests",
    "/status/requests/req_1",
    "/status/facets",
    "/status/sessions",
    "/status/usage",
)
OPEN = (*PAGE, "/health", "/api/hello")
EVERYTHING = (*OPEN, *DATA, "/", "/v1/models", "/status/no-such-file.js", "/nothing")
NAVIGATION = {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
MODULE = {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "script"}
FETCH = {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}
FOREIGN = (
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},  # a link there
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"},
    {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"},  # another port
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
)
REBOUND = ("evil.example", "127.0.0.1.nip.io", "localhost.evil.example", "169.254.169.254", "127.0.0.1:1")


@pytest.fixture
async def guarded() -> AsyncIterator[Client]:
    """An endpoint that asks for a token."""
    async with serving(Server(port=0, token=Secret("local-token"))) as running:
        yield running


async def status_of(client: Client, method: str, path: str, /, **headers: str | None) -> int:
    """The status alone: /events has no end."""
    async with client.wire() as wire:
        await wire.send(client.lines(method, path, {name.replace("_", "-"): each for name, each in headers.items()}))
        async with asyncio.timeout(20):
            return (await wire.head())[0]


@pytest.mark.parametrize("path", EVERYTHING)
async def test_each_route_says_who_may_keep_and_read_it(client: Client, path: str) -> None:
    async with client.wire() as wire:
        await wire.send(client.lines("GET", path, {}))
        _, headers, _ = await wire.head()
    assert headers["request-id"].startswith("req_")
    assert not [name for name in headers if name.startswith("access-control") or name in ("server", "set-cookie")]
    if path in PAGE:
        assert {name: headers[name] for name in page.HEADERS} == page.HEADERS
        assert headers["etag"]
    elif path in DATA and path != "/status/requests/req_1":
        assert {name: headers[name] for name in PRIVATE} == PRIVATE
        assert "etag" not in headers
    kinds = {"/metrics": "text/plain", "/events": "text/event-stream", **dict.fromkeys(PAGE, "text/html")}
    assert headers["content-type"].partition(";")[0] == kinds.get(path, "application/json")


@pytest.mark.parametrize("path", EVERYTHING)
async def test_head_tells_what_get_would_and_ends(client: Client, path: str) -> None:
    async with client.wire() as wire:
        await wire.send(client.lines("HEAD", path, {}))
        first = await wire.reply(head=True)
        assert first.status == (
            404 if path in ("/nothing", "/status/no-such-file.js", "/status/requests/req_1") else 200
        )
        await wire.send(client.lines("GET", "/health", {}))
        assert (await wire.reply()).json["status"] == "ok"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [*PAGE, *DATA, "/"])
async def test_nothing_is_changed_over_http(client: Client, method: str, path: str) -> None:
    reply = await client.ask(method, path)
    assert reply.error()[0] == 405
    assert reply.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", EVERYTHING)
async def test_what_a_page_of_another_site_sends_is_refused(client: Client, path: str) -> None:
    for headers in FOREIGN:
        assert await status_of(client, "GET", path, **headers) == 403
        assert await status_of(client, "HEAD", path, **headers) == 403


@pytest.mark.parametrize("path", EVERYTHING)
async def test_a_name_that_was_rebound_to_this_machine_is_refused(client: Client, path: str) -> None:
    for host in REBOUND:
        assert await status_of(client, "GET", path, Host=host, **FETCH) == 421


async def test_the_tray_opens_the_page_and_the_page_loads_and_asks(client: Client) -> None:
    for path in ("/status", "/"):
        assert await status_of(client, "GET", path, Accept="text/html", **NAVIGATION) in (200, 303)
    own = f"http://{client.host}"
    for path in PAGE:
        assert await status_of(client, "GET", path, **MODULE) == 200
        assert await status_of(client, "GET", path, Origin=own, **MODULE) == 200
    for path in DATA:
        expected = 404 if path == "/status/requests/req_1" else 200
        assert await status_of(client, "GET", path, **FETCH) == expected
        assert await status_of(client, "GET", path, Origin=own, **FETCH) == expected


async def test_the_page_opens_under_every_name_of_this_machine(client: Client) -> None:
    for host in (f"localhost:{client.port}", f"[::1]:{client.port}", f"127.0.0.1:{client.port}"):
        assert await status_of(client, "GET", "/status", Host=host, **NAVIGATION) == 200
        assert await status_of(client, "GET", "/status/usage", Host=host, Origin=f"http://{host}", **FETCH) == 200


@pytest.mark.parametrize("path", OPEN)
async def test_what_holds_no_data_needs_no_token(guarded: Client, path: str) -> None:
    assert await status_of(guarded, "GET", path) == 200


@pytest.mark.parametrize("path", [*DATA, "/", "/v1/models", "/nothing"])
async def test_what_holds_data_needs_the_token(guarded: Client, path: str) -> None:
    assert await status_of(guarded, "GET", path) == 401
    assert await status_of(guarded, "HEAD", path) == 401
    assert await status_of(guarded, "GET", path, x_api_key="wrong") == 401
    assert await status_of(guarded, "GET", f"{path}?token=local-token") == 401
    assert await status_of(guarded, "GET", path, x_api_key="local-token") in (200, 404)
    assert await status_of(guarded, "GET", path, Authorization="Bearer local-token", **FETCH) in (200, 404)
