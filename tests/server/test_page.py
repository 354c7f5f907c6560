from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ccproxy_tray.config.schema import Secret, Server
from ccproxy_tray.server import page
from tests.server.harness import Client, serving

FILES = {
    "index.html": b"<!doctype html><title>status</title>",
    "app.js": b"export const one = 1;",
    "style.css": b"body { color: red }",
    "icon.svg": b"<svg/>",
    "large.js": b"// " + b"x" * 400_000,
    "README.md": b"not served",
    "notes.js.bak": b"not served",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files in place of the page's own, which are another matter."""
    web = tmp_path / "web"
    web.mkdir()
    for name, content in FILES.items():
        (web / name).write_bytes(content)
    (web / "folder.js").mkdir()
    (tmp_path / "secret.js").write_bytes(b"outside")
    monkeypatch.setattr("importlib.resources.files", lambda _package: tmp_path)
    return web


@pytest.mark.parametrize(
    ("path", "name", "media_type"),
    [
        ("/status", "index.html", "text/html; charset=utf-8"),
        ("/status?tab=usage", "index.html", "text/html; charset=utf-8"),
        ("/status/index.html", "index.html", "text/html; charset=utf-8"),
        ("/status/app.js", "app.js", "text/javascript; charset=utf-8"),
        ("/status/style.css", "style.css", "text/css; charset=utf-8"),
        ("/status/icon.svg", "icon.svg", "image/svg+xml; charset=utf-8"),
        ("/status/large.js", "large.js", "text/javascript; charset=utf-8"),
    ],
)
async def test_a_file_comes_as_what_it_is_and_head_tells_the_same(
    client: Client, path: str, name: str, media_type: str
) -> None:
    reply, head = await client.ask("GET", path), await client.ask("HEAD", path)
    assert (reply.status, reply.body) == (200, FILES[name])
    assert reply.headers["content-type"] == media_type
    assert (head.status, head.body) == (200, b"")
    same = ("content-type", "content-length", "etag", *page.HEADERS)
    assert [head.headers[each] for each in same] == [reply.headers[each] for each in same]


async def test_a_connection_goes_on_after_the_head_of_a_large_file(client: Client) -> None:
    async with client.wire() as wire:
        await wire.send(client.lines("HEAD", "/status/large.js", {}))
        await wire.reply(head=True)
        await wire.send(client.lines("GET", "/status/app.js", {}))
        assert (await wire.reply()).body == FILES["app.js"]


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js", "README.md", "notes.js.bak", "folder.js", "App.js", "app.js/", "/app.js", "./app.js", "..",
        "../secret.js", "..%2fsecret.js", "%2e%2e/secret.js", "..%5csecret.js", "app.js%00", "app%00.js", "%ff.js",
        "/etc/passwd", "__init__.py",
    ],
)  # fmt: skip
async def test_nothing_else_is_there(client: Client, name: str) -> None:
    status, kind, message = (await client.ask("GET", f"/status/{name}")).error()
    assert (status, kind) == (404, "not_found_error")
    assert message.startswith("Not found: GET /status")


@pytest.mark.parametrize(
    ("condition", "known"),
    [
        ("{etag}", True),
        ("W/{etag}", True),
        ('"other", {etag}', True),
        ('"a,b" , W/"c",{etag}', True),
        ("*", True),
        ("", False),
        ('"other"', False),
        ("{bare}", False),
        ('"x{bare}"', False),
    ],
)
async def test_who_has_the_version_gets_it_not_again(client: Client, condition: str, *, known: bool) -> None:
    etag = (await client.ask("GET", "/status/app.js")).headers["etag"]
    assert etag.startswith('"')
    given = condition.format(etag=etag, bare=etag.strip('"'))
    reply = await client.ask("GET", "/status/app.js", If_None_Match=given)
    assert (reply.status, reply.body) == ((304, b"") if known else (200, FILES["app.js"]))
    assert reply.headers["etag"] == etag
    assert reply.headers["cache-control"] == "no-cache"


async def test_another_content_is_another_version(client: Client, folder: Path) -> None:
    before = (await client.ask("GET", "/status/app.js")).headers["etag"]
    await asyncio.to_thread((folder / "app.js").write_bytes, b"export const two = 2;")
    assert (await client.ask("GET", "/status/app.js")).headers["etag"] == before  # read once
    async with serving() as later:
        assert (await later.ask("GET", "/status/app.js")).headers["etag"] != before


async def test_files_are_not_read_before_they_are_asked_for(folder: Path) -> None:
    async with serving() as client:
        await asyncio.to_thread((folder / "late.js").write_bytes, b"late")
        assert (await client.ask("GET", "/status/late.js")).body == b"late"


async def test_an_installation_without_the_page_says_so(client: Client, folder: Path) -> None:
    await asyncio.to_thread(folder.rename, folder.with_name("gone"))
    assert (await client.ask("GET", "/status")).error() == (404, "not_found_error", "Not found: GET /status")


async def test_the_page_may_do_nothing_but_ask_us(client: Client) -> None:
    headers = (await client.ask("GET", "/status")).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy.pop("default-src") == "'none'"
    assert set(policy) == {
        "script-src", "style-src", "img-src", "connect-src", "base-uri", "form-action", "frame-ancestors",
    }  # fmt: skip
    assert set(policy.values()) == {"'self'", "'none'"}
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "TEXT/HTML"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_browser_that_comes_to_the_root_is_led_to_the_page(client: Client, accept: str, method: str) -> None:
    reply = await client.ask(method, "/", Accept=accept)
    assert (reply.status, reply.body, reply.headers["location"]) == (303, b"", "/status")
    assert reply.headers["vary"] == "accept"


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
async def test_everybody_else_is_told_what_this_is(client: Client, accept: str | None) -> None:
    reply = await client.ask("GET", "/", Accept=accept)
    assert (reply.status, reply.json["name"], reply.headers["vary"]) == (200, "ccproxy-tray", "accept")


async def test_the_page_needs_no_token_and_its_data_does() -> None:
    async with serving(Server(port=0, token=Secret("local-token"))) as client:
        for path in ("/status", "/status/app.js"):
            assert (await client.ask("GET", path)).status == 200
        assert (await client.ask("GET", "/", Accept="text/html")).status == 303
        for path in ("/", "/debug", "/nothing"):
            assert (await client.ask("GET", path)).error()[0] == 401
            assert (await client.ask("GET", path, x_api_key="local-token")).status != 401


async def test_a_slash_behind_the_address_of_the_page_leads_to_it(client: Client) -> None:
    reply = await client.ask("GET", "/status/")
    assert (reply.status, reply.headers["location"]) == (303, "/status")
