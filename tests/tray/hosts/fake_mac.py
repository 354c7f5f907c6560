# ruff: noqa: N802 - the methods have the names that AppKit gives them
"""As much of macOS as a menu bar icon touches, so that pystray's real code for it runs anywhere.

It keeps the rules that matter: what AppKit owns is written on the main thread only (macOS 26 ends the process
otherwise; here it raises), the event loop ends with the next event after it was told to, an open menu has an event loop
of its own and closes before its click is sent, and nobody keeps a target alive.
"""

from __future__ import annotations

import functools
import io
import queue
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar

import pytest
from PIL import Image

PATIENCE = 20.0
"""Seconds until a test that waits for something has failed."""
Method = TypeVar("Method", bound=Callable[..., Any])
Work = Callable[[], None]


class OffMainThread(BaseException):
    """What macOS does not survive; no ``except Exception`` does either."""


@dataclass
class Mac:
    """The machine and its user."""

    main: int = field(default_factory=threading.get_ident)
    events: queue.Queue[tuple[bool, Work]] = field(default_factory=queue.Queue)
    """What the main thread is to do, and whether it is an event (or only a call from elsewhere)."""
    items: list[Any] = field(default_factory=list)
    """The status items in the menu bar."""
    sins: list[str] = field(default_factory=list)
    policy: int = 0
    delegate: Any = None
    stopping: bool = False
    tracking: Any = None
    """The menu that is open."""
    chosen: Any = None
    mach_signals: dict[int, Any] = field(default_factory=dict)
    observers: dict[str, tuple[Any, bytes]] = field(default_factory=dict)
    quit_reason: object | None = None
    activities: list[tuple[int, str]] = field(default_factory=list)
    """What keeps the program from napping: options and reasons."""

    def check(self, name: str) -> None:
        """Write something that belongs to AppKit."""
        if threading.get_ident() != self.main:
            self.sins.append(name)
            raise OffMainThread(name)

    # --- the user; called on any other thread

    def call(self, work: Callable[[], Any]) -> Any:
        """Have this done on the main thread, between two events, and wait for what it gives."""
        done: queue.Queue[Any] = queue.Queue()
        self.events.put((True, lambda: done.put(work())))
        return done.get(timeout=PATIENCE)

    def settle(self) -> None:
        """Wait until everything is done that has been asked for so far."""
        self.call(lambda: None)

    @property
    def item(self) -> Any:
        """The one status item."""
        (item,) = self.items
        return item

    def open_menu(self) -> Any:
        """Click the icon; gives the menu."""
        opened = threading.Event()
        self.events.put((True, lambda: self._track(self.item.menu, opened)))
        assert opened.wait(PATIENCE)
        return self.tracking

    def choose(self, *labels: str) -> None:
        """Click a row of the open menu and wait until that has had its effect."""
        rows = self.tracking.rows
        for label in labels[:-1]:
            rows = next(row.submenu for row in rows if row.title == label).rows
        row = next(row for row in rows if row.title == labels[-1])
        self.call(lambda: self._close(row))
        self.settle()

    def dismiss(self) -> None:
        """Click somewhere else."""
        self.call(lambda: self._close(None))
        self.settle()

    def _close(self, row: Any) -> None:
        self.tracking, self.chosen = None, row

    def _track(self, menu: Any, opened: threading.Event) -> None:
        self.tracking, self.chosen = menu, None
        menu.tell("menuWillOpen_")
        opened.set()
        while self.tracking is menu:
            self._next()
        menu.busy = True
        menu.tell("menuDidClose_")
        menu.busy = False
        if self.chosen is not None:
            self.chosen.send()

    def _next(self) -> bool:
        is_event, work = self.events.get(timeout=PATIENCE)
        work()
        return is_event

    def run(self) -> None:
        """NSApplication's event loop."""
        self.check("run")
        self.stopping = False
        while not (self._next() and self.stopping):
            pass


def _guarded(mac: Mac, method: Method) -> Method:
    @functools.wraps(method)
    def checked(*arguments: Any) -> Any:
        mac.check(method.__name__)
        return method(*arguments)

    return checked  # type: ignore[return-value]  # it has the same signature


class NSObject:
    """The root of all classes. Python's subclasses may have attributes of their own, as in PyObjC."""

    @classmethod
    def alloc(cls) -> Any:
        return cls()

    def init(self) -> Any:
        return self


class Menu(NSObject):
    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.delegate: Any = lambda: None
        self.busy = False

    def initWithTitle_(self, _title: str) -> Menu:
        return self

    def setAutoenablesItems_(self, on: bool) -> None:
        assert on is False

    def addItem_(self, row: Any) -> None:
        self.rows.append(row)

    def setDelegate_(self, delegate: Any) -> None:
        self.delegate = weakref.ref(delegate)

    def tell(self, method: str) -> None:
        delegate = self.delegate()
        if delegate is not None:
            getattr(delegate, method)(self)


class MenuItem(NSObject):
    separator = False

    def __init__(self) -> None:
        self.title = ""
        self.submenu: Any = None
        self.state = -1
        self.enabled = True
        self.number = -1
        self.bold = False
        self._target: Any = lambda: None
        self._selector = b""

    @classmethod
    def separatorItem(cls) -> MenuItem:
        item = cls()
        item.separator = True
        return item

    def initWithTitle_action_keyEquivalent_(self, title: str, selector: bytes, _key: str) -> MenuItem:
        self.title, self._selector = title, selector
        return self

    def setSubmenu_(self, menu: Any) -> None:
        self.submenu = menu

    def setAction_(self, selector: bytes) -> None:
        self._selector = selector

    def setTarget_(self, target: Any) -> None:
        self._target = weakref.ref(target)

    def setTag_(self, number: int) -> None:
        self.number = number

    def tag(self) -> int:
        return self.number

    def setState_(self, state: int) -> None:
        self.state = state

    def setEnabled_(self, on: bool) -> None:
        self.enabled = on

    def setAttributedTitle_(self, _title: object) -> None:
        self.bold = True

    def send(self) -> None:
        """The click: to whoever still lives."""
        target = self._target()
        for name in dir(type(target)):
            method = getattr(type(target), name)
            if getattr(method, "selector", None) == self._selector and self.enabled:
                method(target, self)


class Button(NSObject):
    def __init__(self) -> None:
        self.hidden, self.tip, self.image = False, "", None

    def setTarget_(self, _target: object) -> None:
        pass

    def setAction_(self, _selector: bytes) -> None:
        pass

    def setHidden_(self, on: bool) -> None:
        self.hidden = on

    def setToolTip_(self, text: str) -> None:
        self.tip = text

    def setImage_(self, image: Any) -> None:
        self.image = image


class StatusItem(NSObject):
    def __init__(self) -> None:
        self._button = Button()
        self.menu: Any = None

    def button(self) -> Button:
        return self._button

    def setMenu_(self, menu: Any) -> None:
        assert self.menu is None or not self.menu.busy, "it is not to be replaced from within itself"
        self.menu = menu


class BitmapImageRep(NSObject):
    points: tuple[float, float] = (0, 0)

    def __init__(self, png: bytes = b"") -> None:
        self.pixels = Image.open(io.BytesIO(png))

    @classmethod
    def imageRepWithData_(cls, data: bytes) -> BitmapImageRep:
        return cls(data)

    def setSize_(self, points: tuple[float, float]) -> None:
        self.points = points


class NSImage(NSObject):
    template = False
    points: tuple[float, float] = (0, 0)

    def __init__(self) -> None:
        self.drawings: list[Any] = []

    def initWithSize_(self, points: tuple[float, float]) -> NSImage:
        self.points = points
        return self

    def initWithData_(self, data: bytes) -> NSImage:
        self.drawings.append(BitmapImageRep(data))
        return self

    def size(self) -> tuple[int, int]:
        return (22, 22)

    def addRepresentation_(self, drawing: Any) -> None:
        self.drawings.append(drawing)

    def setTemplate_(self, on: bool) -> None:
        self.template = on


class Data(bytes):
    @classmethod
    def dataWithBytes_length_(cls, data: bytes, length: int) -> Data:
        return cls(data[:length])


def _guard(mac: Mac, *classes: type) -> None:
    """Every method of these that writes belongs to the main thread."""
    for cls in classes:
        for name, method in list(vars(cls).items()):
            if name.endswith("_") and not name.startswith("__") and callable(method):
                setattr(cls, name, _guarded(mac, method))


def _application(mac: Mac) -> Any:
    class Application(NSObject):
        def setActivationPolicy_(self, policy: int) -> None:
            mac.policy = policy

        def setDelegate_(self, delegate: Any) -> None:
            mac.delegate = weakref.ref(delegate)

        def run(self) -> None:
            mac.run()

        def stop_(self, _sender: object) -> None:
            mac.stopping = True

        def postEvent_atStart_(self, _event: object, _start: bool) -> None:
            mac.events.put((True, lambda: None))

    _guard(mac, Application)
    return Application()


def _status_bar(mac: Mac) -> Any:
    class StatusBar(NSObject):
        def statusItemWithLength_(self, _length: int) -> Any:
            mac.items.append(StatusItem())
            return mac.items[-1]

        def removeStatusItem_(self, item: StatusItem) -> None:
            mac.items.remove(item)

        def thickness(self) -> float:
            return 22.0

    _guard(mac, StatusBar)
    return StatusBar()


def _appkit(mac: Mac) -> ModuleType:
    module = ModuleType("AppKit")
    application, bar = _application(mac), _status_bar(mac)

    def cancel(menu: Any) -> None:
        assert mac.tracking is menu
        mac.tracking = None

    def observe(observer: Any, selector: bytes, name: str, _subject: object) -> None:
        mac.observers[name] = (observer, selector)

    def forget(observer: Any) -> None:
        mac.observers = {name: pair for name, pair in mac.observers.items() if pair[0] is not observer}

    centre = SimpleNamespace(addObserver_selector_name_object_=observe, removeObserver_=forget)
    workspace = SimpleNamespace(notificationCenter=lambda: centre)
    event = "otherEventWithType_location_modifierFlags_timestamp_windowNumber_context_subtype_data1_data2_"
    vars(module).update(
        NSApplication=SimpleNamespace(sharedApplication=lambda: application),
        NSStatusBar=SimpleNamespace(systemStatusBar=lambda: bar),
        NSWorkspace=SimpleNamespace(sharedWorkspace=lambda: workspace),
        NSEvent=SimpleNamespace(**{event: lambda *_: "event"}),
        NSVariableStatusItemLength=-1,
        NSApplicationDefined=15,
        NSPoint=lambda x, y: (x, y),
        NSOnState=1,
        NSOffState=0,
        NSMenu=type("NSMenu", (Menu,), {"cancelTracking": _guarded(mac, cancel)}),
        NSMenuItem=MenuItem,
        NSImage=NSImage,
        NSBitmapImageRep=BitmapImageRep,
    )
    return module


def _foundation(mac: Mac) -> ModuleType:
    module = ModuleType("Foundation")
    event = SimpleNamespace(attributeDescriptorForKeyword_=lambda key: mac.quit_reason if key == 0x7768793F else None)
    manager = SimpleNamespace(currentAppleEvent=lambda: event if mac.quit_reason != "" else None)

    def begin(options: int, reason: str) -> tuple[int, str]:
        mac.activities.append((options, reason))
        return mac.activities[-1]

    process = SimpleNamespace(beginActivityWithOptions_reason_=begin, endActivity_=mac.activities.remove)
    vars(module).update(
        NSObject=NSObject,
        NSData=Data,
        NSAppleEventManager=SimpleNamespace(sharedAppleEventManager=lambda: manager),
        NSProcessInfo=SimpleNamespace(processInfo=lambda: process),
    )
    return module


def _objc() -> ModuleType:
    module = ModuleType("objc")

    def named(selector: bytes) -> Callable[[Method], Method]:
        def mark(method: Method) -> Method:
            vars(method)["selector"] = selector
            return method

        return mark

    vars(module).update(namedSelector=named)
    return module


def _tools(mac: Mac) -> dict[str, ModuleType]:
    package, helper, signals = (ModuleType(f"PyObjCTools{end}") for end in ("", ".AppHelper", ".MachSignals"))

    def call_after(work: Callable[..., None], *arguments: Any) -> None:
        mac.events.put((False, functools.partial(work, *arguments)))

    def install(number: int, handler: Any) -> Any:
        before = mac.mach_signals.get(number)
        mac.mach_signals[number] = handler
        return before

    vars(helper).update(callAfter=call_after)
    vars(signals).update(signal=install, getsignal=mac.mach_signals.get)
    vars(package).update(AppHelper=helper, MachSignals=signals)
    return {module.__name__: module for module in (package, helper, signals)}


def install(monkeypatch: pytest.MonkeyPatch) -> Mac:
    """Make this process believe that it runs on macOS, as far as pystray looks; the caller is the main thread."""
    mac = Mac()
    for cls in (Menu, MenuItem, Button, StatusItem, NSImage):
        for name, method in list(vars(cls).items()):
            if name.startswith("set") or name == "addItem_":
                monkeypatch.setattr(cls, name, _guarded(mac, method))
    modules = {"AppKit": _appkit(mac), "Foundation": _foundation(mac), "objc": _objc(), **_tools(mac)}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return mac
