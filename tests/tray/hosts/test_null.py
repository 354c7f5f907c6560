from __future__ import annotations

from ccproxy_tray.tray.hosts.null import NullHost
from tests.tray.hosts.stage import NOTICE, Listener, Running, running, view


def test_it_waits_until_it_is_stopped_and_shows_nothing() -> None:
    listener = Listener()
    host = NullHost(listener, view())
    with running(host):
        host.apply(view(routing=False))
        host.notify(NOTICE)
    assert (listener.clicks, listener.visible) == ([], [])


def test_stopped_before_the_start_it_ends_at_once() -> None:
    host = NullHost(Listener(), view())
    host.stop()
    host.stop()
    Running(host).over()
