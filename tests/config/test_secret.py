from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from ccproxy_tray.config.schema import Loaded, Secret
from ccproxy_tray.config.secret import from_keyring
from ccproxy_tray.config.value import Unfit

Reader = Callable[..., Loaded]
Refusal = Callable[..., tuple[str, ...]]


def entries(name: str) -> str:
    return {"router": "sk-or-kept", "odd": "${X} keeps"}.get(name, "")


def test_a_key_may_lie_in_the_keyring(reads: Reader) -> None:
    openrouter = reads('providers: {openrouter: {api_key: "keyring:router"}}', keyring=entries).config.providers[
        "openrouter"
    ]

    assert openrouter.api_key.reveal() == "sk-or-kept"
    assert openrouter.missing_env == ()


def test_a_key_that_the_keyring_does_not_have_is_missing_and_no_problem(reads: Reader) -> None:
    openrouter = reads('providers: {openrouter: {api_key: "keyring:gone"}}', keyring=entries).config.providers[
        "openrouter"
    ]

    assert not openrouter.api_key
    assert openrouter.missing_env == ("keyring:gone",)


def test_a_token_that_the_keyring_does_not_have_is_a_problem_with_its_remedy(refuses: Refusal) -> None:
    assert refuses('server: {token: "keyring:gone"}', keyring=entries) == (
        'config.yaml:1: server.token: the keyring has no entry "gone"; store it with: keyring set ccproxy-tray gone',
    )


def test_what_the_keyring_holds_is_taken_literally(refuses: Refusal) -> None:
    assert refuses('server: {token: "keyring:odd"}', keyring=entries) == (
        "config.yaml:1: server.token: has blanks or special characters inside, which no key has; copy it again",
    )


def test_a_malformed_reference_is_a_problem(refuses: Refusal) -> None:
    assert refuses('providers: {openrouter: {api_key: "${OPEN"}}') == (
        'config.yaml:1: providers.openrouter.api_key: a reference to a variable is written "${NAME}"',
    )


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(Unfit, match=r"pip install 'ccproxy-tray\[keyring\]'"):
        from_keyring("x")


def test_the_package_is_asked_for_the_programs_own_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    store = {("ccproxy-tray", "x"): "secret"}
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=lambda *key: store.get(key)))

    assert (from_keyring("x"), from_keyring("y")) == ("secret", "")


def test_a_keyring_that_fails_is_reported_and_does_not_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, name: str) -> str:
        raise OSError(f"{service} is locked\nfor {name}")

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=locked))

    with pytest.raises(Unfit, match=r"the keyring did not answer: ccproxy-tray is locked\\nfor x"):
        from_keyring("x")


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hidden")

    assert f"{secret} {secret!r} {[secret]}" == "*** *** [***]"
    assert (str(Secret()), secret.reveal(), bool(secret), bool(Secret())) == ("", "hidden", True, False)
    assert (secret == Secret("hidden"), secret == "hidden", len({secret, Secret("hidden")})) == (True, False, 1)
