import pytest
from multidict import CIMultiDict

from ccproxy_tray.config.schema import Secret, Server
from ccproxy_tray.errors import RequestError
from ccproxy_tray.server.guard import (
    Door,
    bearer,
    check_content_type,
    check_origin,
    check_token,
    token_headers,
)
from tests.server.harness import Client, serving

DOOR = Door.of(8000, ())
TOKEN = "local-token-canary"


def refusal(method: str, target: str, *headers: tuple[str, str], door: Door = DOOR) -> int:
    """The status with which a request is refused; 0 when it may come in."""
    try:
        check_origin(method, target, CIMultiDict(headers), door)
    except RequestError as error:
        return error.status
    return 0


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "LOCALHOST:8000"],
)
def test_our_own_names_with_our_port_or_none_come_in(host: str) -> None:
    assert refusal("POST", "/v1/messages", ("Host", host)) == 0


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil",
        "127.0.0.1@evil",
        "evil@127.0.0.1",
        "localhost:9000",
        "localhost:8000:8000",
        "localhost:",
        "localhost:80x",
        "localhost.",
        "::1",
        "[::1",
        "[::2]",
        "127.1",
        "2130706433",
        "127.0.0.1/x",
        "localhost, localhost",
        "localhost\u00a0",
        "",
        " ",
    ],
)
def test_every_other_name_is_misdirected(host: str) -> None:
    assert refusal("GET", "/debug", ("Host", host)) == 421


@pytest.mark.parametrize("hosts", [(), ("localhost", "localhost"), ("localhost", "evil.example")])
def test_a_request_needs_exactly_one_host(hosts: tuple[str, ...]) -> None:
    assert refusal("GET", "/", *(("Host", host) for host in hosts)) == 400


def test_allowed_hosts_stand_for_themselves_with_our_port_and_those_with_a_port_for_exactly_that() -> None:
    door = Door.of(8000, ("Box.lan", "localhost:9000"))
    good = ("box.lan", "box.lan:8000", "BOX.LAN", "localhost:9000", "localhost")
    bad = ("box.lan:9000", "x.box.lan", "localhost:9001")
    assert [refusal("GET", "/", ("Host", host), door=door) for host in good] == [0] * len(good)
    assert [refusal("GET", "/", ("Host", host), door=door) for host in bad] == [421] * len(bad)


def test_the_refusal_of_a_name_says_what_to_do() -> None:
    with pytest.raises(RequestError, match=r"http://127\.0\.0\.1:8000.*server\.allowed_hosts"):
        check_origin("GET", "/", CIMultiDict(Host="proxy.lan"), DOOR)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://localhost:8000/v1/models", 0),
        ("http://evil.example/v1/models", 421),
        ("HTTP://evil.example", 421),
        ("http://localhost@evil.example/", 421),
        ("http://", 421),
        ("*", 0),
        ("evil.example:443", 400),
        ("ftp://localhost/", 400),
    ],
)
def test_the_request_target_may_not_lead_elsewhere(target: str, status: int) -> None:
    assert refusal("GET", target, ("Host", "localhost:8000")) == status


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://localhost", "https://127.0.0.1:8000", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_origin_is_refused(method: str, origin: str) -> None:
    assert refusal(method, "/debug", ("Host", "127.0.0.1:8000"), ("Origin", origin)) == 403


def test_our_own_page_may_read_but_not_post() -> None:
    headers = (("Host", "127.0.0.1:8000"), ("Origin", "http://127.0.0.1:8000"))
    assert refusal("GET", "/debug", *headers) == 0
    assert refusal("HEAD", "/debug", *headers) == 0
    assert refusal("POST", "/v1/messages", *headers) == 403


def test_a_page_on_another_of_our_names_is_still_another_page() -> None:
    assert refusal("GET", "/debug", ("Host", "127.0.0.1:8000"), ("Origin", "http://localhost:8000")) == 403


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("Same-Site", 403), ("same-origin", 0), ("none", 0)])
def test_fetches_from_other_sites_are_refused(site: str, status: int) -> None:
    assert refusal("GET", "/debug", ("Host", "127.0.0.1:8000"), ("Sec-Fetch-Site", site)) == status


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x"]
)
def test_json_is_taken_with_any_parameters(kind: str) -> None:
    check_content_type(CIMultiDict({"Content-Type": kind}))


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/plain; application/json", ""]
)
def test_what_a_form_could_send_is_not_taken(kind: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_content_type(CIMultiDict({"Content-Type": kind}))
    assert caught.value.status == 415


def test_a_missing_content_type_is_not_taken() -> None:
    with pytest.raises(RequestError, match="missing"):
        check_content_type(CIMultiDict())


@pytest.mark.parametrize(
    "headers",
    [{"x-api-key": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}, {"authorization": f"bearer  {TOKEN}"}],
)
def test_the_token_comes_in_either_header(headers: dict[str, str]) -> None:
    check_token(CIMultiDict(headers), TOKEN)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": "sk-ant-other"},
        {"x-api-key": TOKEN + "x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"x-api-key": "\udcff"},
    ],
)
def test_anything_else_is_refused_in_one_shape_that_clients_do_not_retry(headers: dict[str, str]) -> None:
    with pytest.raises(RequestError) as caught:
        check_token(CIMultiDict(headers), TOKEN)
    assert (caught.value.status, caught.value.error_type) == (401, "authentication_error")
    assert caught.value.headers == {"x-should-retry": "false"}
    assert TOKEN not in caught.value.message


def test_without_a_token_nothing_is_asked_for() -> None:
    check_token(CIMultiDict(), "")


def test_only_the_headers_that_carry_the_token_are_ours() -> None:
    headers = CIMultiDict({"x-api-key": TOKEN, "Authorization": "Bearer sk-ant-own"})
    assert token_headers(headers, TOKEN) == ("x-api-key",)


@pytest.mark.parametrize(
    ("value", "credential"), [("Bearer a b", "a b"), ("Basic abc", ""), ("", ""), ("Bearer", ""), ("bearer x ", "x")]
)
def test_only_bearer_credentials_are_read(value: str, credential: str) -> None:
    assert bearer(value) == credential


@pytest.mark.parametrize("path", ["/v1/messages", "/debug", "/health", "/", "/no/such/path", "/api/hello"])
async def test_a_foreign_host_is_refused_on_every_path(client: Client, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        status, kind, _ = (await client.ask(method, path, Host="evil.example")).error()
        assert (status, kind) == (421, "invalid_request_error")
    assert client.dispatch.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null", "Content_Type": "text/plain"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": None},
    ],
)
async def test_what_a_web_page_can_send_never_reaches_a_model(client: Client, headers: dict[str, str | None]) -> None:
    reply = await client.post(**headers)
    assert reply.error()[0] in (403, 415)
    assert client.dispatch.requests == []


async def test_no_answer_ever_permits_another_origin(client: Client) -> None:
    replies = [
        await client.ask("OPTIONS", "/v1/messages", Origin="http://evil.example", Access_Control_Request_Method="POST"),
        await client.ask("OPTIONS", "/v1/messages"),
        await client.ask("OPTIONS", "*"),
        await client.ask("GET", "/debug"),
        await client.post(),
    ]
    assert [reply.status for reply in replies] == [403, 405, 405, 200, 200]
    assert not [name for reply in replies for name in reply.headers if name.startswith("access-control")]


async def test_a_token_guards_everything_but_the_signs_of_life() -> None:
    async with serving(Server(port=0, token=Secret(TOKEN))) as client:
        for path in ("/", "/debug", "/v1/models", "/v1/models/x", "/nothing"):
            reply = await client.ask("GET", path)
            assert reply.error()[:2] == (401, "authentication_error")
            assert reply.headers["x-should-retry"] == "false"
        assert (await client.post()).status == 401
        assert (await client.post(x_api_key="wrong")).status == 401
        assert client.dispatch.requests == []
        assert (await client.ask("GET", "/health")).status == 200
        assert (await client.ask("HEAD", "/api/hello")).status == 200
        assert (await client.ask("GET", "/debug", x_api_key=TOKEN)).status == 200
        assert (await client.post(Authorization=f"Bearer {TOKEN}")).status == 200


async def test_the_local_token_goes_no_further_but_the_clients_own_credential_does() -> None:
    async with serving(Server(port=0, token=Secret(TOKEN))) as client:
        await client.post(x_api_key=TOKEN)
        await client.post(x_api_key=TOKEN, Authorization="Bearer sk-ant-own")
        await client.post(Authorization=f"Bearer {TOKEN}")
    credentials = [request.credential for request in client.dispatch.requests]
    assert credentials == [None, ("authorization", "Bearer sk-ant-own"), None]
