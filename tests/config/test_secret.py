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


@pytest.mark.parametrize("text", ['"sk-or-1"', "'sk-or-1'", " 'sk-or-1' \n"])
def test_quotation_marks_around_a_key_are_left_out_and_told(text: str, reads: Reader) -> None:
    by_variable = reads("", {"OPENROUTER_API_KEY": text})
    by_reference = reads('providers: {openrouter: {api_key: "${KEY}"}}', {"KEY": text})

    for loaded in (by_variable, by_reference):
        assert loaded.config.providers["openrouter"].api_key.reveal() == "sk-or-1"
    said = "has quotation marks around it, which no key has: they are left out"
    assert by_variable.warnings == (f"OPENROUTER_API_KEY: {said}",)
    assert by_reference.warnings == (f"config.yaml:1: providers.openrouter.api_key: {said}",)


@pytest.mark.parametrize("text", ["$KEY", "$env:KEY", "%KEY%", "env:KEY", "os.environ/KEY"])
def test_what_other_programs_take_for_a_variable_is_warned_of(text: str, reads: Reader) -> None:
    loaded = reads(f'providers: {{openrouter: {{api_key: "{text}"}}}}', {"KEY": "sk-or-1"})

    assert loaded.config.providers["openrouter"].api_key.reveal() == text
    said = 'looks like a reference to a variable, but is sent as it stands; write "${NAME}" instead'
    assert loaded.warnings == (f"config.yaml:1: providers.openrouter.api_key: {said}",)


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
