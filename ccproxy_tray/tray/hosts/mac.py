"""The menu bar of macOS: pystray's status item, with all its writes on the main thread and its open menu left alone.

macOS 26 ends a process (SIGTRAP) that writes to a status item from any other thread. pystray does, so its ``run`` and
its ``stop`` are not used.
"""

from __future__ import annotations

import importlib
import io
import logging
import subprocess
from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

from ccproxy_tray.tray.hosts import pystray_menu
from ccproxy_tray.tray.hosts.base import Onlooker
from ccproxy_tray.tray.icon import template
from ccproxy_tray.tray.view import Notice, View

backend: Any = pystray_menu.load("_darwin")
AppKit: Any = backend.AppKit
Foundation: Any = backend.Foundation
AppHelper: Any = importlib.import_module("PyObjCTools.AppHelper")
_Icon: Any = backend.Icon
_IconDelegate: Any = backend.IconDelegate
_NSObject: Any = Foundation.NSObject

log = logging.getLogger(__name__)

POINTS = 22
"""Height of the icon, which is that of the menu bar of a screen without a notch."""
SCALES = (1, 2)
"""Pixels to a point, on plain screens and on Retina ones."""
ACCESSORY = 1
"""NSApplicationActivationPolicyAccessory: no icon in the Dock, no menu of one's own."""
TERMINATE_CANCEL, TERMINATE_NOW = 0, 1
"""NSApplicationTerminateReply."""
QUIT_REASON = 0x7768793F
"""kAEQuitReason ('why?'), which a quit event carries when the session ends."""
AWAKE = 0x00EFFFFF
"""NSActivityUserInitiatedAllowingIdleSystemSleep."""
WILL_POWER_OFF = "NSWorkspaceWillPowerOffNotification"
NOTIFYING_SECONDS = 10
"""How long osascript may take."""
_SCRIPT = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)

Work = Callable[[], None]


class CcproxyMenuDelegate(_IconDelegate):  # type: ignore[misc]  # pystray ships no types
    """What AppKit tells about one menu. Each has a delegate of its own, so that a click means the menu it was made in.

    AppKit closes a menu before it sends the click.
    """

    watcher: MacIcon

    def menuWillOpen_(self, _menu: Any) -> None:  # noqa: N802 - NSMenuDelegate
        """The user looks at it."""
        self.watcher.menu_opened()

    def menuDidClose_(self, _menu: Any) -> None:  # noqa: N802 - NSMenuDelegate
        """And no longer."""
        self.watcher.menu_closed()


class CcproxyAppDelegate(_NSObject):  # type: ignore[misc]  # PyObjC ships no types
    """What AppKit tells about the program's end."""

    onlooker: Onlooker

    def applicationShouldTerminate_(self, _app: Any) -> int:  # noqa: N802 - NSApplicationDelegate
        """Somebody asks the program to quit.

        It ends by itself, with its streams drained; AppKit's way is ``exit`` on the spot. But who says no while the
        session ends stops the logout.
        """
        self.onlooker.ending()
        event = Foundation.NSAppleEventManager.sharedAppleEventManager().currentAppleEvent()
        leaving = event is not None and event.attributeDescriptorForKeyword_(QUIT_REASON) is not None
        return TERMINATE_NOW if leaving else TERMINATE_CANCEL

    def sessionEnds_(self, _notification: Any) -> None:  # noqa: N802 - a selector with one argument
        """Logout, restart or shutdown begins; the quit event comes later."""
        self.onlooker.ending()


class MacIcon(_Icon):  # type: ignore[misc]  # pystray ships no types
    """Pystray's icon. Everything but ``post`` runs on the main thread, on which it is made too."""

    _delegate: Any

    def __init__(self, onlooker: Onlooker, view: View) -> None:
        super().__init__("ccproxy-tray")
        self._onlooker = onlooker
        self._view = view
        self._drawn: View | None = None
        self._open = False
        self._stale = True
        self._over = False
        self._menu_handle: Any = None
        self._previous: Any = None
        self._button_delegate = self._delegate  # buttons and menu items do not keep their targets alive
        self._app_delegate = CcproxyAppDelegate.alloc().init()
        self._app_delegate.onlooker = onlooker

    def post(self, work: Work) -> None:
        """Have this done on the main thread. Any thread may call it, also before there is an event loop."""
        AppHelper.callAfter(self._do, work)

    def _do(self, work: Work) -> None:
        if self._over:
            return
        try:
            work()
        except Exception:  # the last line of defence: one drawing that fails must not take the event loop with it
            log.exception("The menu bar icon cannot be drawn")

    def serve(self, ready: Callable[[], None]) -> None:
        """Show the icon and run AppKit's event loop until ``finish``."""
        self._app.setActivationPolicy_(ACCESSORY)
        self._app.setDelegate_(self._app_delegate)
        centre = AppKit.NSWorkspace.sharedWorkspace().notificationCenter()
        centre.addObserver_selector_name_object_(self._app_delegate, b"sessionEnds:", WILL_POWER_OFF, None)
        # A program without a window takes naps (App Nap): its timers come late, its network comes last, also for
        # requests. The machine itself may sleep.
        process = Foundation.NSProcessInfo.processInfo()
        activity = process.beginActivityWithOptions_reason_(AWAKE, "Requests of this user's programs are served")
        self.post(partial(self._begin, ready))
        try:
            self._app.run()
        finally:
            self._over = True
            process.endActivity_(activity)
            centre.removeObserver_(self._app_delegate)
            self.vanish()

    def vanish(self) -> None:
        """Take the icon away."""
        self._over = True
        self._visible = False
        self._status_bar.removeStatusItem_(self._status_item)

    def finish(self) -> None:
        """End ``serve``. An open menu has an event loop of its own, which ends first."""
        if self._open:
            self._menu_handle[0].cancelTracking()
        self._stop()

    def _begin(self, ready: Callable[[], None]) -> None:
        self.show_view(self._view)
        self._status_item.button().setHidden_(False)
        self._visible = True
        self._onlooker.shown(True, "")
        ready()

    def show_view(self, view: View) -> None:
        """Draw what has changed."""
        before, self._view, self._drawn = self._drawn, view, view
        self._stale = before is None or self._stale or view.menu != before.menu
        button = self._status_item.button()
        if before is None or (view.icon, view.simulated) != (before.icon, before.simulated):
            button.setImage_(_image(view))
        if before is None or view.tooltip != before.tooltip:
            button.setToolTip_(view.tooltip)
        self._renew_menu()

    def menu_opened(self) -> None:
        """From now on the menu stays as it is."""
        self._open = True

    def menu_closed(self) -> None:
        """What was held back is drawn after the click that closed the menu has been told."""
        self._open = False
        self.post(self._renew_menu)

    def _renew_menu(self) -> None:
        if self._stale and not self._open:
            self._stale = False
            # There is no click on the icon alone, so a default item would be nothing but bold.
            self.menu = pystray_menu.menu(self._view.menu, self._onlooker.clicked, default=False)

    def _update_menu(self) -> None:
        """Pystray's makes the items, which take their target from ``_delegate``."""
        delegate = CcproxyMenuDelegate.alloc().init()
        delegate.watcher = self
        self._previous = (self._delegate, self._menu_handle)  # a click on it may still be on its way
        self._delegate = delegate
        super()._update_menu()
        delegate.icon = SimpleNamespace(_menu_handle=self._menu_handle)
        if self._menu_handle is not None:
            self._menu_handle[0].setDelegate_(delegate)

    def _handler(self, callback: Callable[[object], None]) -> Callable[[object], None]:
        """Pystray's redraws the menu after each click; here a mark moves when the state has."""
        return callback


def _image(view: View) -> Any:
    """A template image, which macOS tints to its menu bar, sharp on both kinds of screens."""
    image = AppKit.NSImage.alloc().initWithSize_((POINTS, POINTS))
    for scale in SCALES:
        png = io.BytesIO()
        template(view.icon, POINTS * scale, simulated=view.simulated).save(png, "png")
        data = Foundation.NSData.dataWithBytes_length_(png.getvalue(), len(png.getvalue()))
        drawing = AppKit.NSBitmapImageRep.imageRepWithData_(data)
        drawing.setSize_((POINTS, POINTS))
        image.addRepresentation_(drawing)
    image.setTemplate_(True)
    return image


class MacHost:
    """See :class:`~ccproxy_tray.tray.hosts.base.Host`."""

    def __init__(self, onlooker: Onlooker, view: View) -> None:
        self._icon = MacIcon(onlooker, view)
        self._stopped = Event()

    def run(self, ready: Callable[[], None]) -> None:
        """Run AppKit's event loop; Python's signal handlers do not come to their turn in it."""
        if self._stopped.is_set():
            self._icon.vanish()
        else:
            self._icon.serve(ready)

    def apply(self, view: View) -> None:
        """Draw this from now on."""
        self._icon.post(partial(self._icon.show_view, view))

    def notify(self, notice: Notice) -> None:
        """Show a notification. It comes from a script, so a click on it leads to macOS' script editor, not to us."""
        try:
            Thread(target=_notify, args=(notice,), name="notice", daemon=True).start()
        except RuntimeError:  # no thread can be had, which is worse than a notice that is missed
            log.warning("A notification could not be shown: %s", notice.title)

    def stop(self) -> None:
        """End ``run``."""
        self._stopped.set()
        self._icon.post(self._icon.finish)


def _notify(notice: Notice) -> None:
    """The texts are arguments of the script and no part of it; options end at the first that is none."""
    lines = [part for line in _SCRIPT for part in ("-e", line)]
    command = ["/usr/bin/osascript", *lines, notice.title.lstrip("-") or "ccproxy-tray", notice.text]
    try:
        subprocess.run(  # noqa: S603 - a fixed program, without a shell
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=NOTIFYING_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.info("A notification could not be shown: %s", type(error).__name__)
