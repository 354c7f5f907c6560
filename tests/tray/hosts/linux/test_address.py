import pytest

from ccproxy_tray.tray.hosts.freedesktop.address import sockets


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("unix:path=/run/user/1000/bus", ("/run/user/1000/bus",)),
        ("unix:path=/run/a%20b%c3%a9,guid=0123", ("/run/a bé",)),
        ("unix:abstract=/tmp/dbus-x,guid=0", ("\0/tmp/dbus-x",)),
        ("unix:guid=0,path=/first;unix:path=/second", ("/first", "/second")),
        ("tcp:host=localhost,port=1;unixexec:path=/bin/x;unix:path=/last", ("/last",)),
        ("unix:path=/same;unix:path=/same", ("/same",)),
    ],
)
def test_the_sockets_of_an_address_are_found_in_its_order(address: str, expected: tuple[str, ...]) -> None:
    assert sockets({"DBUS_SESSION_BUS_ADDRESS": address}) == expected


@pytest.mark.parametrize(
    "address", ["", ";", "unix", "unix:", "unix:path", "unix:path=", "unix:tmpdir=/tmp", "unix:path=/a%00b", "?=,:;%"]
)
def test_an_address_that_leads_nowhere_gives_nothing(address: str) -> None:
    assert sockets({"DBUS_SESSION_BUS_ADDRESS": address}) == ()


def test_the_runtime_directory_comes_after_the_address() -> None:
    environ = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/a", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert sockets(environ) == ("/a", "/run/user/7/bus")


def test_a_bus_that_both_name_is_tried_once() -> None:
    environ = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/7/bus", "XDG_RUNTIME_DIR": "/run/user/7"}
    assert sockets(environ) == ("/run/user/7/bus",)


def test_nothing_known_is_no_address() -> None:
    assert sockets({}) == ()
