"""Signals that reach a program whose main thread is busy in C."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Iterator

import pytest

from ccproxy_tray.signals import ECHO, IMPATIENT, Signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


@pytest.fixture(autouse=True)
def at_a_terminal() -> Iterator[None]:
    """SIGHUP as a terminal hands it on, although the tests may run under nohup themselves."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def told() -> queue.Queue[object]:
    return queue.Queue()


@pytest.fixture
def moments() -> list[float]:
    """When the signals come, one after the other."""
    return [100.0]


@pytest.fixture
def signals(told: queue.Queue[object], moments: list[float]) -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signals = Signals(lambda: told.put("stop"), told.put, lambda: moments.pop(0))
    signals.install()
    yield signals
    signals.restore()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops(signals: Signals, told: queue.Queue[object], number: signal.Signals) -> None:
    signals.install()  # again, as after a tray that has set handlers of its own
    os.kill(os.getpid(), number)
    assert told.get(timeout=20) == "stop"


def test_a_program_that_is_to_outlive_its_terminal_does(told: queue.Queue[object]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = Signals(lambda: told.put("stop"), told.put)
    signals.install()
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        assert told.get(timeout=20) == "stop"
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signals.restore()
        signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("signals")
def test_the_second_signal_ends_the_program_at_once(told: queue.Queue[object], moments: list[float]) -> None:
    moments.append(100.0 + 2 * ECHO)
    os.kill(os.getpid(), signal.SIGTERM)
    assert told.get(timeout=20) == "stop"
    os.kill(os.getpid(), signal.SIGINT)
    assert told.get(timeout=20) == IMPATIENT


@pytest.mark.usefixtures("signals")
def test_a_logout_that_sends_two_signals_at_once_is_one_request(
    told: queue.Queue[object], moments: list[float]
) -> None:
    moments += [100.0 + ECHO / 2, 100.0 + 2 * ECHO]
    os.kill(os.getpid(), signal.SIGTERM)
    assert told.get(timeout=20) == "stop"
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGINT)
    assert told.get(timeout=20) == IMPATIENT
    assert told.empty()


@pytest.mark.usefixtures("signals")
def test_signals_that_end_nothing_are_not_counted(told: queue.Queue[object]) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert told.get(timeout=20) == "stop"
        assert told.empty()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_handlers_are_given_back(told: queue.Queue[object]) -> None:
    kept = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    signals = Signals(lambda: told.put("stop"))
    signals.install()
    signals.restore()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.set_wakeup_fd(-1) == -1
    signal.signal(signal.SIGINT, kept[0])
    signal.signal(signal.SIGTERM, kept[1])
