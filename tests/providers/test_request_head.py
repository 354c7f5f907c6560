from __future__ import annotations

from base64 import b64encode

import pytest
from httptools import HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from ccproxy_tray.errors import AttemptFailed, Fault
from ccproxy_tray.providers.base import Outgoing
from ccproxy_tray.providers.request_head import USER_AGENT, Origin, address, head

URL = "https://host.example/v1"


class Request:
    """What a server understands."""

    def __init__(self, data: bytes) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.url = b""
        self.complete = False
        parser = HttpRequestParser(self)
        parser.feed_data(data)
        self.method = parser.get_method()

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_message_complete(self) -> None:
        self.complete = True

    def field(self, name: bytes) -> bytes:
        [found] = [value for key, value in self.fields if key.lower() == name]
        return found


def request(outgoing: Outgoing) -> Request:
    return Request(head(outgoing, address(outgoing.url)) + outgoing.body)


def test_what_is_always_said() -> None:
    found = request(Outgoing(URL, {"X-Own": "1"}, b"body"))
    assert found.complete
    assert (found.method, found.url) == (b"POST", b"/v1")
    assert dict(found.fields) == {
        b"Host": b"host.example",
        b"X-Own": b"1",
        b"Accept": b"*/*",
        b"Accept-Encoding": b"identity",
        b"User-Agent": USER_AGENT.encode(),
        b"Content-Length": b"4",
    }


@pytest.mark.parametrize("name", ["Host", "accept", "ACCEPT-ENCODING", "User-agent"])
def test_what_a_request_says_itself_is_not_said_twice(name: str) -> None:
    assert request(Outgoing(URL, {name: "own"})).field(name.lower().encode()) == b"own"


def test_a_request_without_a_body_says_so_where_one_is_expected() -> None:
    assert request(Outgoing(URL, {})).field(b"content-length") == b"0"
    for method in ("GET", "HEAD"):
        found = request(Outgoing(URL, {}, method=method))
        assert found.method == method.encode()
        assert not [name for name, _ in found.fields if name.lower() == b"content-length"]


@pytest.mark.parametrize(
    ("url", "origin", "field"),
    [
        ("http://host.example", ("http", "host.example", 80), "host.example"),
        ("http://host.example:80", ("http", "host.example", 80), "host.example"),
        ("https://HOST.example", ("https", "host.example", 443), "host.example"),
        ("https://host.example:80", ("https", "host.example", 80), "host.example:80"),
        ("http://127.0.0.1:8080", ("http", "127.0.0.1", 8080), "127.0.0.1:8080"),
        ("http://[::1]:8080", ("http", "::1", 8080), "[::1]:8080"),
        ("https://[2001:db8::1]", ("https", "2001:db8::1", 443), "[2001:db8::1]"),
        ("https://bücher.example", ("https", "xn--bcher-kva.example", 443), "xn--bcher-kva.example"),
        ("https://user:secret@host.example:8443/x", ("https", "host.example", 8443), "host.example:8443"),
    ],
)
def test_where_a_url_leads_to(url: str, origin: Origin, field: str) -> None:
    assert (address(url).origin, address(url).field) == (origin, field)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://h", "/"),
        ("https://h?a=b", "/?a=b"),
        ("https://h/model/us.anthropic.claude-v1%3A0/invoke", "/model/us.anthropic.claude-v1%3A0/invoke"),
        ("https://h/a;b=c/(d)?e=%20&f=[g]#h", "/a;b=c/(d)?e=%20&f=[g]"),
        ("https://h/ü", "/%C3%BC"),
    ],
)
def test_the_target_reaches_the_wire_as_it_was_signed(url: str, target: str) -> None:
    assert address(url).target == target


@pytest.mark.parametrize(
    "url",
    ["", "host.example", "ftp://h", "https://", "https://h:port", "https://h:70000", "https://h/a b", "https://h/\r\n",
     "https://\N{SNOWMAN}\N{COMBINING ACUTE ACCENT}.\N{LATIN SMALL LETTER A}" + "b" * 70, "https://[::1",
     "https://a..b", "https://.h", f"https://{'a' * 64}.example"],
)  # fmt: skip
def test_a_url_that_leads_nowhere_is_a_fault_of_the_provider_s_configuration(url: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        address(url)
    assert (caught.value.failure.fault, caught.value.failure.subject) == (Fault.BROKEN, "url")


def test_a_name_and_a_password_in_the_url_are_sent_unless_the_request_has_its_own() -> None:
    url = "https://me%40home:p%3Ass@host.example"
    expected = b"Basic " + b64encode(b"me@home:p:ss")
    assert request(Outgoing(url, {})).field(b"authorization") == expected
    assert request(Outgoing(url, {"authorization": "Bearer own"})).field(b"authorization") == b"Bearer own"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "hush\r\nx-evil: 1"},
        {"x-api-key": "hush\n"},
        {"x-api-key": "hush\r"},
        {"x-api-key": "hush\0"},
        {"x-api-key": "hush \N{EN DASH}"},
        {"x-api-key": "hush\x7f"},
    ],
)
def test_a_header_that_cannot_be_carried_is_named_and_its_value_is_not(headers: dict[str, str]) -> None:
    with pytest.raises(AttemptFailed, match="x-api-key") as caught:
        request(Outgoing(URL, {"X-Good": "1", **headers}))
    assert caught.value.failure.subject == "header"
    assert "hush" not in caught.value.failure.message


NAMES = st.text("xY-1 :\r\n", max_size=3)
VALUES = st.text("xY \t:\r\n\0\x7f\xe9\u2013", max_size=6) | st.text("xY \t:\xe9", max_size=6)


@example({"1: ": ""})
@given(st.dictionaries(st.just("x") | NAMES, VALUES, max_size=3))
def test_whatever_the_headers_are_a_server_reads_these_and_no_others(headers: dict[str, str]) -> None:
    try:
        found = request(Outgoing(URL, headers))
    except AttemptFailed:
        return
    assert found.complete
    given = [(name.encode("latin-1"), value.encode("latin-1").strip(b" \t")) for name, value in headers.items()]
    own = {b"Host", b"Accept", b"Accept-Encoding", b"User-Agent", b"Content-Length"}
    assert [(name, value.strip(b" \t")) for name, value in found.fields if name not in own] == given


@given(st.dictionaries(st.from_regex(r"\A[a-z-]{1,9}\Z"), st.from_regex(r"\A[ -~]*\Z"), max_size=4))
def test_ordinary_headers_are_never_refused(headers: dict[str, str]) -> None:
    assert head(Outgoing(URL, headers), address(URL)).count(b"\r\n") >= len(headers) + 2
