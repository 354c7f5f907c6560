"""Objects that others may call: what each interface offers, and the interfaces that every object has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from ccproxy_tray.tray.hosts.freedesktop.session_bus import BUS, failure
from ccproxy_tray.tray.hosts.freedesktop.wire import Body, Call

PROPERTIES = f"{BUS}.Properties"


@dataclass(frozen=True, slots=True)
class Method:
    """``run`` gets the whole call, whose body has the signature ``takes``; its result has the signature ``gives``."""

    takes: str
    gives: str
    run: Callable[[Call], Body]


@dataclass(frozen=True, slots=True)
class Property:
    """A value that others may read."""

    signature: str
    read: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Interface:
    """What an object offers under one name. ``signals`` is there for introspection: member and signature."""

    name: str
    methods: Mapping[str, Method]
    properties: Mapping[str, Property]
    signals: Mapping[str, str]


def constant(signature: str, value: Any) -> Property:
    """A property that never changes."""
    return Property(signature, lambda: value)


class BusObject:
    """What is at one path, with Properties, Introspectable and Peer (D-Bus Specification, "Standard Interfaces").

    ``children`` are the names of the objects below, for those who explore from the root.
    """

    def __init__(self, interfaces: Iterable[Interface] = (), children: Iterable[str] = ()) -> None:
        self._own = {interface.name: interface for interface in interfaces}
        self._children = tuple(children)
        self._all = {interface.name: interface for interface in (*self._own.values(), *self._standard())}

    def answer(self, call: Call) -> tuple[str, Body]:
        """The signature and the values of the answer. Raises BusError."""
        method = self._method(call.interface, call.member)
        if call.signature != method.takes:
            raise failure("InvalidArgs", f"{call.member} takes ({method.takes}), not ({call.signature})")
        return method.gives, method.run(call)

    def _method(self, interface: str, member: str) -> Method:
        if interface and interface not in self._all:
            raise failure("UnknownInterface", f"there is no interface {interface} here")
        offered = [self._all[interface]] if interface else self._all.values()
        for candidate in offered:
            if method := candidate.methods.get(member):
                return method
        raise failure("UnknownMethod", f"there is no method {member} here")

    def _standard(self) -> tuple[Interface, ...]:
        properties = {
            "Get": Method("ss", "v", lambda call: (self._get(*call.body),)),
            "GetAll": Method("s", "a{sv}", lambda call: (self._get_all(*call.body),)),
            "Set": Method("ssv", "", lambda call: self._set(*call.body)),
        }
        introspect = {"Introspect": Method("", "s", lambda _: (self._introspection(),))}
        ping = {"Ping": Method("", "", lambda _: ())}
        return (
            Interface(PROPERTIES, properties, {}, {}),
            Interface(f"{BUS}.Introspectable", introspect, {}, {}),
            Interface(f"{BUS}.Peer", ping, {}, {}),
        )

    def _properties(self, interface: str) -> Mapping[str, Property]:
        """Of an interface, or with an empty name of all."""
        if interface:
            if interface not in self._all:
                raise failure("UnknownInterface", f"there is no interface {interface} here")
            return self._all[interface].properties
        return {name: found for offered in self._own.values() for name, found in offered.properties.items()}

    def _property(self, interface: str, name: str) -> Property:
        found = self._properties(interface).get(name)
        if found is None:
            raise failure("UnknownProperty", f"there is no property {name} here")
        return found

    def _get(self, interface: str, name: str) -> tuple[str, Any]:
        found = self._property(interface, name)
        return found.signature, found.read()

    def _get_all(self, interface: str) -> dict[str, tuple[str, Any]]:
        return {name: (found.signature, found.read()) for name, found in self._properties(interface).items()}

    def _set(self, interface: str, name: str, _value: object) -> Body:
        self._property(interface, name)
        raise failure("PropertyReadOnly", f"{name} cannot be set")

    def _introspection(self) -> str:
        nodes = [f"<node name={quoteattr(child)}/>" for child in self._children]
        return f"<node>{''.join(map(_described, self._all.values()))}{''.join(nodes)}</node>"


def _described(interface: Interface) -> str:
    """The interface in the introspection format (D-Bus Specification, "Introspection Data Format")."""
    parts = [f"<interface name={quoteattr(interface.name)}>"]
    for name, method in interface.methods.items():
        arguments = _arguments(method.takes, ' direction="in"') + _arguments(method.gives, ' direction="out"')
        parts.append(f"<method name={quoteattr(name)}>{arguments}</method>")
    for name, found in interface.properties.items():
        parts.append(f'<property name={quoteattr(name)} type={quoteattr(found.signature)} access="read"/>')
    for name, signature in interface.signals.items():
        parts.append(f"<signal name={quoteattr(name)}>{_arguments(signature)}</signal>")
    return "".join(parts) + "</interface>"


def _arguments(signature: str, direction: str = "") -> str:
    return "".join(f"<arg type={quoteattr(one)}{direction}/>" for one in single_types(signature))


def single_types(signature: str) -> list[str]:
    """A signature cut into its single complete types: ``ia{sv}(ii)`` is ``i``, ``a{sv}`` and ``(ii)``."""
    found, start, depth = [], 0, 0
    for place, code in enumerate(signature):
        depth += (code in "({") - (code in ")}")
        if not depth and code != "a":
            found.append(signature[start : place + 1])
            start = place + 1
    return found
