from __future__ import annotations

import pytest

from ccproxy_tray.config.address import (
    anthropic_url,
    base_url,
    host,
    http_url,
    is_loopback,
    is_private,
    leads_to,
    openai_url,
    openrouter_url,
    reachable,
)
from ccproxy_tray.config.value import Unfit


@pytest.mark.parametrize(
    "name", ["localhost", "LocalHost", "localhost.", "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"]
)
def test_loopback_is_recognised(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example", "box", ""])
def test_what_others_can_reach_is_not_loopback(name: str) -> None:
    assert not is_loopback(name)


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.9",
        "100.64.0.1",
        "fd00::1",
        "fe80::1",
        "ollama",
        "nas.local",
    ],
)
def test_private_hosts_are_recognised(name: str) -> None:
    assert is_private(name)


@pytest.mark.parametrize(
    "name", ["openrouter.ai", "8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "local.example", "x.localhost.com"]
)
def test_public_hosts_are_recognised(name: str) -> None:
    assert not is_private(name)


def test_a_host_is_a_name_or_an_address() -> None:
    assert [host(text) for text in ("127.0.0.1", " ::1 ", "[::1]", "dev-box.lan")] == [
        "127.0.0.1",
        "::1",
        "::1",
        "dev-box.lan",
    ]
    for text in ("", "*", "http://x", "a b", "[x]", "a/b"):
        with pytest.raises(ValueError, match=r"^$"):
            host(text)


@pytest.mark.parametrize("text", ["localhost:8000", "127.0.0.1:8000", "::1::"])
def test_a_host_with_a_port_is_not_taken_for_one_that_others_can_reach(text: str) -> None:
    with pytest.raises(Unfit, match=r"alone; a port has a key of its own$"):
        host(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://openrouter.ai/", "https://openrouter.ai"),
        (" HTTPS://api.example:8443/v1/ ", "https://api.example:8443/v1"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://[::1]:9/", "http://[::1]:9"),
        ("http://192.168.1.2", "http://192.168.1.2"),
    ],
)
def test_a_base_url_keeps_its_path_and_loses_its_last_slash(text: str, expected: str) -> None:
    assert base_url(text) == expected


@pytest.mark.parametrize(
    "text", ["", "api.example", "ftp://x", "https://", "https:///v1", "https://x:99999", "https://[::1", "//x"]
)
def test_what_is_no_base_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        base_url(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://user:hunter22@x", "user name or password"),
        ("https://x/?a=1", "before any"),
        ("https://x/#a", "before any"),
        ("https://x y", "no blanks"),
        ("http://gateway.example", "allow_http: true"),
        ("http://8.8.8.8", "use https"),
    ],
)
def test_a_dangerous_base_url_is_refused_with_its_remedy(text: str, reason: str) -> None:
    with pytest.raises(Unfit, match=reason) as caught:
        base_url(text)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "user:hunter22@x", "https//user:hunter22@x/v1", "https:/user:hunter22@x", "ftp://user:hunter22@x",
        "https://[::1:hunter22@x", "//user:hunter22@x", "hunter22@", "https://user:hunter22@x:99999",
    ],
)  # fmt: skip
def test_a_password_in_what_is_no_url_is_never_quoted(text: str) -> None:
    for read in (base_url, host):
        with pytest.raises(Unfit, match="user name") as caught:
            read(text)
        assert "hunter22" not in str(caught.value)


def test_an_at_sign_behind_the_host_is_a_part_of_the_path() -> None:
    assert base_url("https://x/models/claude@2025") == "https://x/models/claude@2025"


def test_plain_http_to_anywhere_can_be_allowed() -> None:
    assert base_url("http://gateway.example", allow_http=True) == "http://gateway.example"


@pytest.mark.parametrize(
    "tail", ["", "/", "/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/chat/completions", "/api/v1/messages"]
)
def test_openrouters_root_may_be_given_with_or_without_its_path(tail: str) -> None:
    assert openrouter_url("https://openrouter.ai" + tail) == "https://openrouter.ai"
    assert openrouter_url("https://gateway.example/or" + tail) == "https://gateway.example/or"


def test_a_messages_servers_root_loses_its_version() -> None:
    assert anthropic_url("https://gateway.example/x/v1/") == "https://gateway.example/x"
    assert anthropic_url("https://gateway.example/x") == "https://gateway.example/x"
    assert anthropic_url("https://gateway.example/x/v1/messages") == "https://gateway.example/x"


@pytest.mark.parametrize("tail", ["", "/", "/chat/completions", "/chat/completions/"])
def test_a_chat_server_may_be_given_as_the_whole_endpoint(tail: str) -> None:
    assert openai_url("https://api.example/v1" + tail) == "https://api.example/v1"


@pytest.mark.parametrize(
    ("name", "url"), [("127.0.0.1", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000"), ("box", "http://box:8000")]
)
def test_an_ipv6_address_gets_its_brackets_in_a_url(name: str, url: str) -> None:
    assert http_url(name, 8000) == url


@pytest.mark.parametrize(
    ("name", "address"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("localhost", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("box", "box")],  # noqa: S104 - compared only
)
def test_what_listens_everywhere_is_asked_on_this_machine(name: str, address: str) -> None:
    assert reachable(name) == address


@pytest.mark.parametrize(
    ("url", "name", "port", "ours"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", 8000, True),
        ("http://LocalHost:8000/v1", "127.0.0.1", 8000, True),
        ("http://[::1]:8000", "localhost", 8000, True),
        ("http://127.0.0.1:8000", "0.0.0.0", 8000, True),  # noqa: S104 - compared only
        ("http://box:8000", "box", 8000, True),
        ("http://localhost", "127.0.0.1", 80, True),
        ("http://127.0.0.1:8001", "127.0.0.1", 8000, False),
        ("http://127.0.0.1:8000", "192.168.1.2", 8000, False),
        ("http://box:8000", "127.0.0.1", 8000, False),
        ("http://127.0.0.1:0", "127.0.0.1", 0, False),
        ("", "127.0.0.1", 8000, False),
    ],
)
def test_a_base_url_that_leads_to_a_server_is_told(url: str, name: str, port: int, ours: bool) -> None:
    assert leads_to(url, name, port) is ours
