from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ccproxy_tray.config.schema import Failback
from ccproxy_tray.config.value import (
    DAYS,
    DURATION,
    MEGABYTES,
    MILLISECONDS,
    PAUSE,
    PORT,
    Kind,
    Unfit,
    flag,
    one_of,
    seconds,
    sendable,
    whole,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60s", 60.0),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("90", 90.0),
        ("1.5", 1.5),
        (" 1h 15m 30.5s ", 4530.5),
        ("10 S", 10.0),
        ("0", 0.0),
    ],
)
def test_a_duration_may_be_written_in_any_usual_way(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "s", "60x", "-1s", "1e3", ".5", "1:30", "inf", "nan", "1d", "60s later", "\uff16s", "1_0"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        seconds(text)


def test_a_timeout_is_longer_than_nothing_and_shorter_than_a_day() -> None:
    for text in ("0", "0s", "0h0m"):
        with pytest.raises(Unfit, match=r'^expected a duration above zero, up to a day \("24h"\)$'):
            DURATION.read(text)
    with pytest.raises(Unfit, match=r'^expected a duration of at most a day \("24h"\)$'):
        DURATION.read("25h")
    assert (DURATION.read("24h"), PAUSE.read("0")) == (86_400, 0)


@pytest.mark.parametrize(
    ("kind", "text", "limit"),
    [
        (MILLISECONDS, "600001", "at most 600000 milliseconds"),
        (PAUSE, "86401", "at most 86400 seconds"),
        (DAYS, "36501", "at most 36500 days; 0: no limit"),
        (MEGABYTES, "1000001", "at most 1000000 megabytes"),
    ],
)
def test_of_what_is_too_much_the_limit_is_told(kind: Kind[float], text: str, limit: str) -> None:
    with pytest.raises(Unfit, match=f"^expected {limit}"):
        kind.read(text)


@given(number=st.integers(0, 10**6), unit=st.sampled_from([("ms", 1000), ("s", 1), ("m", 1 / 60), ("h", 1 / 3600)]))
@settings(max_examples=50)
def test_units_agree_with_each_other(number: int, unit: tuple[str, float]) -> None:
    name, per_second = unit
    assert seconds(f"{number}{name}") * per_second == pytest.approx(number)


def test_whole_numbers_are_decimal() -> None:
    assert [whole(text) for text in ("8000", " 7 ", "+1", "-1", "007")] == [8000, 7, 1, -1, 7]
    for text in ("", "8000.0", "0x10", "1_000", "٣", "1e3", "9" * 13):
        with pytest.raises(ValueError, match=r"^$"):
            whole(text)


def test_a_port_includes_both_ends() -> None:
    assert (PORT.read("0"), PORT.read("65535")) == (0, 65535)
    for text in ("-1", "65536"):
        with pytest.raises(ValueError, match=r"^$"):
            PORT.read(text)


def test_flags_are_read_in_every_spelling() -> None:
    assert all(flag(text) for text in ("true", "True", "YES", "on", "1", " yes "))
    assert not any(flag(text) for text in ("false", "No", "OFF", "0"))
    for text in ("", "2", "y", "enabled"):
        with pytest.raises(ValueError, match=r"^$"):
            flag(text)


@pytest.mark.parametrize("word", ["true", "false", "yes", "no", "on", "off"])
def test_flags_of_the_older_yaml_mean_what_they_meant_there(word: str) -> None:
    """YAML 1.1, "Boolean Language-Independent Type", as far as PyYAML reads it: ``y`` and ``n`` are texts to it."""
    for spelled in (word, word.title(), word.upper()):
        assert flag(spelled) is yaml.safe_load(spelled)
    assert yaml.safe_load("[y, n]") == ["y", "n"]


def test_a_choice_is_read_in_any_case_and_listed_when_missed() -> None:
    kind = one_of(Failback)

    assert kind.read(" STICKY ") is Failback.STICKY
    assert kind.what == '"eager" or "sticky"'


def test_a_key_that_no_header_could_carry_is_refused_without_being_quoted() -> None:
    assert sendable(" sk-1\n") == "sk-1"
    for text in ("a b", "a\nb", "clé", "a\x00"):
        with pytest.raises(Unfit) as caught:
            sendable(text)
        assert text not in str(caught.value)
