from __future__ import annotations

import pytest

from ccproxy_tray.providers.proxies import Proxies, proxy_for

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_loopback_is_never_proxied(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://corp.example:3128")
    assert proxy_for(f"http://{host}:9/v1") is None


@pytest.mark.parametrize("host", ["localhost.evil.example", "10.0.0.1", "example.com"])
def test_nothing_else_counts_as_loopback(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://corp.example:3128")
    assert proxy_for(f"http://{host}:9/v1") == "http://corp.example:3128"


def test_the_environment_s_proxy_is_used_unless_no_proxy_names_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://corp.example:3128")
    assert proxy_for("https://openrouter.ai") == "http://corp.example:3128"
    monkeypatch.setenv("NO_PROXY", "openrouter.ai")
    assert proxy_for("https://openrouter.ai") is None


@pytest.mark.parametrize(
    ("listed", "url", "direct"),
    [
        ("gateway.example:8443", "https://gateway.example:8443/v1", True),
        ("gateway.example:8443", "https://gateway.example/v1", False),
        ("gateway.example:443", "https://gateway.example/v1", True),
        ("other.example, 10.0.0.0/8", "https://10.1.2.3/v1", True),
        ("10.0.0.0/8", "https://11.1.2.3/v1", False),
        ("10.0.0.0/8", "https://10.example/v1", False),
        ("10.0.0.7/8", "https://10.1.2.3:8443/v1", True),
        ("fd00::/8", "https://[fd12::1]/v1", True),
        ("fd00::/8", "https://10.1.2.3/v1", False),
        ("any/thing", "https://10.1.2.3/v1", False),
    ],
)
def test_no_proxy_may_name_a_port_or_a_network(
    listed: str, url: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://corp.example:3128")
    monkeypatch.setenv("NO_PROXY", listed)
    assert (proxy_for(url) is None) is direct


def test_a_proxy_without_a_scheme_is_asked_in_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "corp.example:3128")
    assert proxy_for("https://openrouter.ai") == "http://corp.example:3128"


def test_a_proxy_that_the_http_client_cannot_use_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://corp.example:1080")
    assert proxy_for("https://openrouter.ai") is None


async def test_the_system_is_asked_once_for_each_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    proxies = Proxies()
    monkeypatch.setenv("HTTPS_PROXY", "http://first.example:1")
    assert await proxies.find("https://openrouter.ai/api/v1/messages") == "http://first.example:1"
    monkeypatch.setenv("HTTPS_PROXY", "http://second.example:2")
    assert await proxies.find("https://openrouter.ai/api/v1/key") == "http://first.example:1"
    assert await proxies.find("https://api.anthropic.com/v1/messages") == "http://second.example:2"
