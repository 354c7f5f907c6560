from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from ccproxy_tray.tray.hosts.freedesktop.bus_object import (
    BusObject,
    Interface,
    Method,
    Property,
    constant,
    single_types,
)
from ccproxy_tray.tray.hosts.freedesktop.session_bus import BusError
from ccproxy_tray.tray.hosts.freedesktop.wire import Call

INTERFACE = Interface(
    "org.example.Interface",
    {"Double": Method("ia{sv}", "i", lambda call: (2 * call.body[0],))},
    {"Name": constant("s", "n"), "Count": Property("u", lambda: 3)},
    {"Changed": "us"},
)
OBJECT = BusObject([INTERFACE], children=["below"])
PROPERTIES = "org.freedesktop.DBus.Properties"


def call(interface: str, member: str, signature: str = "", *values: Any) -> Any:
    return OBJECT.answer(Call(1, ":1.1", ":1.2", "/", interface, member, signature, values, wants_reply=True))


def error(interface: str, member: str, signature: str = "", *values: Any) -> str:
    with pytest.raises(BusError) as caught:
        call(interface, member, signature, *values)
    return caught.value.name.removeprefix("org.freedesktop.DBus.Error.")


def test_a_method_gets_the_call_and_gives_values_with_their_signature() -> None:
    assert call("org.example.Interface", "Double", "ia{sv}", 4, {}) == ("i", (8,))


def test_without_an_interface_the_members_name_decides() -> None:
    assert call("", "Double", "ia{sv}", 4, {}) == ("i", (8,))
    assert call("", "Ping") == ("", ())


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (("org.example.Other", "Double"), "UnknownInterface"),
        (("org.example.Interface", "Other"), "UnknownMethod"),
        (("", "Other"), "UnknownMethod"),
        (("org.example.Interface", "Double", "s", "four"), "InvalidArgs"),
        (("org.example.Interface", "Double"), "InvalidArgs"),
        ((PROPERTIES, "Get", "ss", "org.example.Interface", "Other"), "UnknownProperty"),
        ((PROPERTIES, "Get", "ss", "org.example.Other", "Name"), "UnknownInterface"),
        ((PROPERTIES, "GetAll", "s", "org.example.Other"), "UnknownInterface"),
        ((PROPERTIES, "Set", "ssv", "org.example.Interface", "Name", ("s", "x")), "PropertyReadOnly"),
        ((PROPERTIES, "Set", "ssv", "org.example.Interface", "Other", ("s", "x")), "UnknownProperty"),
    ],
)
def test_what_is_not_there_is_an_error_with_its_proper_name(asked: tuple[Any, ...], name: str) -> None:
    assert error(*asked) == name


def test_properties_are_read_one_by_one_or_together() -> None:
    assert call(PROPERTIES, "Get", "ss", "org.example.Interface", "Count") == ("v", (("u", 3),))
    assert call(PROPERTIES, "Get", "ss", "", "Name") == ("v", (("s", "n"),))
    everything = {"Name": ("s", "n"), "Count": ("u", 3)}
    assert call(PROPERTIES, "GetAll", "s", "org.example.Interface") == ("a{sv}", (everything,))
    assert call(PROPERTIES, "GetAll", "s", "") == ("a{sv}", (everything,))
    assert call(PROPERTIES, "GetAll", "s", PROPERTIES) == ("a{sv}", ({},))


def test_the_introspection_names_everything_there_is() -> None:
    _, (text,) = call("org.freedesktop.DBus.Introspectable", "Introspect")
    root = ET.fromstring(text)  # noqa: S314 - our own text
    assert [node.get("name") for node in root.findall("node")] == ["below"]
    names = [interface.get("name") for interface in root.findall("interface")]
    assert names[0] == "org.example.Interface"
    assert {name.rpartition(".")[2] for name in names[1:] if name} == {"Properties", "Introspectable", "Peer"}
    own = root.find("interface")
    assert own is not None
    assert [(arg.get("type"), arg.get("direction")) for arg in own.findall("method/arg")] == [
        ("i", "in"),
        ("a{sv}", "in"),
        ("i", "out"),
    ]
    assert [(found.get("name"), found.get("type")) for found in own.findall("property")] == [
        ("Name", "s"),
        ("Count", "u"),
    ]
    assert [arg.get("type") for arg in own.findall("signal/arg")] == ["u", "s"]


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("", []),
        ("iias", ["i", "i", "as"]),
        ("u(ia{sv}av)", ["u", "(ia{sv}av)"]),
        ("aaia(ii)s", ["aai", "a(ii)", "s"]),
        ("a{s(iv)}b", ["a{s(iv)}", "b"]),
    ],
)
def test_a_signature_is_cut_into_single_types(signature: str, expected: list[str]) -> None:
    assert single_types(signature) == expected
