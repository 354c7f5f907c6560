"""The tray of Windows: pystray's icon, with its writes on one thread and its open menu left alone.

The window lives in a thread of its own. So ``run`` can return while Windows still waits for the answer to
WM_ENDSESSION, after which it ends the process: the program uses that time to drain.
"""

from __future__ import annotations

import ctypes
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from typing import Any

from ccproxy_tray.tray.action import Document, Open
from ccproxy_tray.tray.hosts import pystray_menu
from ccproxy_tray.tray.hosts.base import NoTray, Onlooker
from ccproxy_tray.tray.hosts.windows_shell import (
    WM_CLOSE,
    WM_DPICHANGED,
    WM_ENDSESSION,
    WM_NULL,
    WM_POWERBROADCAST,
    WM_QUERYENDSESSION,
    WM_SETTINGCHANGE,
    WM_TIMER,
    WM_WORK,
    Shell,
    clamped,
    escaped,
)
from ccproxy_tray.tray.icon import bitmap, render
from ccproxy_tray.tray.view import MAX_TOOLTIP, TEXT_LIMIT, TITLE_LIMIT, Notice, View

backend: Any = pystray_menu.load("_win32")
win32: Any = backend.win32
_Icon: Any = backend.Icon

log = logging.getLogger(__name__)

NIN_BALLOONUSERCLICK = 0x0405
NIIF_RESPECT_QUIET_TIME = 0x80
RESUMED = (0x07, 0x12)
"""PBT_APMRESUMESUSPEND, PBT_APMRESUMEAUTOMATIC."""
ICON_ID = 1
RETRY_MILLISECONDS = 5000
"""How often the icon is offered to a taskbar that does not take it: at login it may come up after us."""
ENDING_SECONDS = 4.5
"""How long the end of the session is held up; Windows ends the process by force after 5 (HungAppTimeout)."""
NO_TASKBAR = "The taskbar does not take icons yet; ours follows as soon as it does."

Work = Callable[[], None]


class WinIcon(_Icon):  # type: ignore[misc]  # pystray ships no types
    """Pystray's icon. Everything but ``post`` and ``finish`` runs in the thread of ``pump``."""

    _hwnd: int | None
    _icon_handle: int | None

    def __init__(self, onlooker: Onlooker, view: View) -> None:
        super().__init__("ccproxy-tray")
        self._onlooker = onlooker
        self._shell = Shell(win32)
        self._work: deque[Work] = deque()
        self._menu_handle = None
        self._view = view
        self._style: tuple[int, bool] = (0, True)
        self._open = False
        self._stale = True
        self._told: bool | None = None
        self.begun, self.over = Event(), Event()
        self.failure: Exception | None = None
        self._message_handlers |= {
            WM_WORK: self._on_work,
            WM_CLOSE: self._on_close,
            WM_QUERYENDSESSION: self._on_query_end,
            WM_ENDSESSION: self._on_end,
            WM_SETTINGCHANGE: self._on_style,
            WM_DPICHANGED: self._on_style,
            WM_TIMER: self._on_timer,
            WM_POWERBROADCAST: self._on_power,
        }

    # --- any thread

    def post(self, work: Work) -> None:
        """Have this done in the window's thread. What comes before there is a window is done first of all."""
        self._work.append(work)
        if self._hwnd:  # looked at after the append: whoever sets it empties the queue after that
            win32.PostMessage(self._hwnd, WM_WORK, 0, 0)

    def finish(self) -> None:
        """End ``pump``."""
        self.post(self._finish)

    # --- the window's thread

    def pump(self) -> None:
        """Make the window, show the icon, and serve until ``finish``."""
        try:
            self._shell.see_true_pixels()
            self._run()  # pystray's: window, _mark_ready, message loop, icon and window away
        except Exception as error:  # noqa: BLE001 - told on the main thread, which goes on without a tray
            self.failure = error
        finally:
            self._running = self._visible = False
            self._release_icon()
            self._hwnd = None
            self.begun.set()
            self.over.set()

    def show_view(self, view: View) -> None:
        """Draw what has changed."""
        before, self._view = self._view, view
        self._stale = self._stale or view.menu != before.menu
        if (view.icon, view.simulated, view.tooltip) != (before.icon, before.simulated, before.tooltip):
            self._repaint()
        self._renew_menu()

    def tell(self, notice: Notice) -> None:
        """A notification; the title is never left out, or pystray would take the icon's."""
        self._message(
            win32.NIM_MODIFY,
            win32.NIF_INFO,
            szInfo=clamped(notice.text or notice.title, TEXT_LIMIT),
            szInfoTitle=clamped(notice.title, TITLE_LIMIT),
            dwInfoFlags=NIIF_RESPECT_QUIET_TIME,
        )

    def _mark_ready(self) -> None:
        """Pystray's hook between making the window and the message loop; its own would write from a third thread."""
        self._running = True
        self._work.appendleft(self._begin)
        win32.PostMessage(self._hwnd, WM_WORK, 0, 0)

    def _begin(self) -> None:
        self._style = self._current_style()
        try:
            self._show()
            self._renew_menu()
        finally:
            self.begun.set()

    def _finish(self) -> None:
        self._shell.close_menu()
        win32.PostQuitMessage(0)

    def _renew_menu(self) -> None:
        """Make the menu anew, unless the user looks at it: then as soon as it is closed."""
        if self._stale and not self._open:
            self._stale = False
            self.menu = pystray_menu.menu(self._view.menu, self._onlooker.clicked, wording=escaped)

    def _repaint(self) -> None:
        before, self._icon_handle = self._icon_handle, self._new_icon()
        self._message(win32.NIM_MODIFY, win32.NIF_ICON | win32.NIF_TIP, **self._face())
        if before:  # the taskbar has a copy of what it shows
            win32.DestroyIcon(before)

    def _face(self) -> dict[str, Any]:
        return {"hIcon": self._icon_handle, "szTip": clamped(self._view.tooltip, MAX_TOOLTIP)}

    def _new_icon(self) -> int:
        """An icon of the size and shade that the taskbar wants. Pystray's has 32 pixels and goes through a file."""
        size, dark = self._style
        return self._shell.icon(bitmap(render(self._view.icon, size, dark=dark, simulated=self._view.simulated)), size)

    def _current_style(self) -> tuple[int, bool]:
        return self._shell.icon_size(self._hwnd), self._shell.dark_taskbar()

    def _show(self) -> None:
        """Add the icon, or keep trying."""
        flags = win32.NIF_MESSAGE | win32.NIF_ICON | win32.NIF_TIP
        self._icon_handle = self._icon_handle or self._new_icon()
        face = {"uCallbackMessage": win32.WM_NOTIFY, **self._face()}
        # A slow taskbar reports a failure for an icon that it has added; then it can be changed.
        added = self._message(win32.NIM_ADD, flags, **face) or self._message(win32.NIM_MODIFY, flags, **face)
        self._visible = added
        if not added:
            self._shell.start_timer(self._hwnd, RETRY_MILLISECONDS)
        if added != self._told:
            self._told = added
            self._onlooker.shown(added, "" if added else NO_TASKBAR)

    def _message(self, code: int, flags: int, **fields: Any) -> bool:
        """Shell_NotifyIcon; pystray's names the icon's number ``hID``, which the structure does not have."""
        data = win32.NOTIFYICONDATAW(
            cbSize=ctypes.sizeof(win32.NOTIFYICONDATAW), hWnd=self._hwnd, uID=ICON_ID, uFlags=flags, **fields
        )
        return bool(win32.Shell_NotifyIcon(code, data))

    def _handler(self, callback: Callable[[WinIcon], None]) -> Callable[[WinIcon], None]:
        """Pystray's redraws the menu after each click; here a mark moves when the state has."""
        return callback

    # --- messages; each returns what Windows is to be answered

    def _on_work(self, _wparam: int, _lparam: int) -> int:
        while self._work:
            work = self._work.popleft()
            try:
                work()
            except Exception:  # the last line of defence: one drawing that fails must not take the next with it
                log.exception("The tray icon cannot be drawn")
        return 0

    def _on_notify(self, wparam: int, lparam: int) -> int:
        """The user did something with the icon. A left click is the default item, which is never a switch."""
        if self._open:
            return 0
        default = lparam == win32.WM_LBUTTONUP and any(item.default for item in self._view.menu)
        if lparam == NIN_BALLOONUSERCLICK:
            self._onlooker.clicked(Open(Document.STATUS))
        elif default:
            self._menu(self)
        elif lparam in (win32.WM_LBUTTONUP, win32.WM_RBUTTONUP):
            self._pop_up(wparam)
        return 0

    def _pop_up(self, wparam: int) -> None:
        """Show the menu until it is closed. Other messages are served meanwhile, from within."""
        self._open = True
        try:
            super()._on_notify(wparam, win32.WM_RBUTTONUP)
        finally:
            self._open = False
        win32.PostMessage(self._hwnd, WM_NULL, 0, 0)  # or the next menu closes at once (TrackPopupMenuEx, "Remarks")
        self._renew_menu()

    def _on_taskbarcreated(self, _wparam: int, _lparam: int) -> int:
        """Explorer has been started again and knows nothing of us."""
        self._show()
        return 0

    def _on_timer(self, _wparam: int, _lparam: int) -> int:
        self._shell.stop_timer(self._hwnd)
        self._show()
        return 0

    def _on_display_change(self, wparam: int, lparam: int) -> int:
        """Pystray takes the icon away and adds it again, which moves it; another size is all that it needs."""
        return self._on_style(wparam, lparam)

    def _on_style(self, _wparam: int, _lparam: int) -> int:
        """The theme or the scale may have changed."""
        style = self._current_style()
        if style != self._style:
            self._style = style
            self._repaint()
        return 0

    def _on_power(self, wparam: int, _lparam: int) -> int:
        if wparam in RESUMED:
            log.info("The machine has resumed from suspend")
        return 1

    def _on_close(self, _wparam: int, _lparam: int) -> int:
        """An installer or ``taskkill`` asks the program to end."""
        self._onlooker.ending()
        return 0

    def _on_query_end(self, _wparam: int, _lparam: int) -> int:
        """May the session end? Nothing is given up for it yet: another program may still say no."""
        return 1

    def _on_end(self, wparam: int, _lparam: int) -> int:
        """It does. As soon as this returns Windows may end the process, so it waits while the main thread drains."""
        if wparam:
            self._hide()
            self._onlooker.ending()
            self.over.set()
            Event().wait(ENDING_SECONDS)
        return 0


class WindowsHost:
    """See :class:`~ccproxy_tray.tray.hosts.base.Host`."""

    def __init__(self, onlooker: Onlooker, view: View) -> None:
        self._icon = WinIcon(onlooker, view)
        self._stopped = Event()

    def run(self, ready: Callable[[], None]) -> None:
        """Serve the tray in a thread of its own and wait for its end."""
        if self._stopped.is_set():
            return
        Thread(target=self._icon.pump, name="tray", daemon=True).start()
        self._icon.begun.wait()
        if self._icon.failure is not None:
            raise NoTray(f"Windows gives us no tray icon: {self._icon.failure}") from self._icon.failure
        ready()
        self._icon.over.wait()

    def apply(self, view: View) -> None:
        """Draw this from now on."""
        self._icon.post(partial(self._icon.show_view, view))

    def notify(self, notice: Notice) -> None:
        """Show a notification; a click on it opens the status page."""
        self._icon.post(partial(self._icon.tell, notice))

    def stop(self) -> None:
        """End ``run``."""
        self._stopped.set()
        self._icon.finish()
