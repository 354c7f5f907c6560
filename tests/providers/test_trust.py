"""Python from python.org for macOS brings no authorities, and asks its user to install some."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ccproxy_tray.providers import trust

AUTHORITY = Path(__file__).parents[1] / "data" / "tls" / "authority.pem"
Trusted = Callable[[], int]


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Trusted:
    """A Mac with one authority of its own, and a Python that finds none: how many it trusts."""
    nowhere = ssl.DefaultVerifyPaths("", "", "SSL_CERT_FILE", "/no/cert.pem", "SSL_CERT_DIR", "/no/certs")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.setattr(trust, "MAC_AUTHORITIES", str(AUTHORITY))
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    make = trust.context.__wrapped__
    return lambda: int(make().cert_store_stats()["x509_ca"])


def test_the_mac_s_own_authorities_are_trusted_where_python_has_none(trusted: Trusted) -> None:
    assert trusted() == 1


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_whoever_says_what_to_trust_is_obeyed(trusted: Trusted, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/my/own")
    assert trusted() == 0


def test_authorities_that_python_finds_are_enough(trusted: Trusted, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ssl.get_default_verify_paths()._replace(cafile="/opt/homebrew/etc/ca-certificates/cert.pem")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: found)
    assert trusted() == 0


def test_other_systems_keep_theirs_elsewhere(trusted: Trusted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert trusted() == 0


def test_a_mac_without_any_says_so_by_its_connections(trusted: Trusted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "MAC_AUTHORITIES", "/no/such/file.pem")
    assert trusted() == 0
