"""Notices that the loop has stopped listening, to clients or to the program's other threads.

On Windows the loop closes a listening socket for good as soon as one client has gone before it was accepted (CPython's
issue 93821): the program would live on, and nobody would reach it again. And when the socket is reset by which other
threads wake it (issue 116091), it looks for what they left only when something else happens. Its exception handler is
all that is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ccproxy_tray.errors import CcproxyError

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds between two tries at listening again, doubling."""
TURN_SECONDS = 0.05
"""How often a loop is woken that nobody can wake any more."""
_WAKING = "self pipe"
_LAST_STEP = "_call_connection_lost"
"""What Windows' loop closes a connection by. It is told as an error of the loop when the other side was quicker."""

log = logging.getLogger(__name__)


class Vigil:
    """Calls ``reopen`` while a socket of ``servers`` is closed that should be open, from now until :meth:`end`.

    ``reopen`` raises CcproxyError when that cannot be done yet. A loop that cannot be woken is kept turning for good.
    """

    def __init__(self, servers: Sequence[asyncio.Server], reopen: Callable[[], Awaitable[None]]) -> None:
        self._servers = servers
        self._reopen = reopen
        self._mending: asyncio.Task[None] | None = None
        self._turning = False
        self._loop = asyncio.get_running_loop()
        self._before = self._loop.get_exception_handler()
        self._loop.set_exception_handler(self._told)

    def end(self) -> None:
        """Sockets may be closed now."""
        self._loop.set_exception_handler(self._before)
        if self._mending is not None:
            self._mending.cancel()

    def _told(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        fault = context.get("exception")
        if isinstance(fault, OSError) and _LAST_STEP in context.get("message", ""):
            log.debug("A connection was closed from its other side: %s", fault)
            return
        if self._before is not None:
            self._before(loop, context)
        else:
            loop.default_exception_handler(context)
        loop.call_soon(self._look)  # it closes the socket only after it has told
        if _WAKING in context.get("message", "") and not self._turning:
            self._turning = True
            self._turn()

    def _turn(self) -> None:
        """What other threads have asked for is done each time the loop comes round. The end needs that, too."""
        self._loop.call_later(TURN_SECONDS, self._turn)

    def _look(self) -> None:
        if any(map(lost, self._servers)) and (self._mending is None or self._mending.done()):
            self._mending = self._loop.create_task(self._mend())

    async def _mend(self) -> None:
        pause, told = FIRST_PAUSE, ""
        while any(map(lost, self._servers)):
            try:
                await self._reopen()
            except CcproxyError as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("Nobody can connect: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                log.info("Listening again")


def lost(server: asyncio.Server) -> bool:
    """Whether somebody else has closed the socket of a server."""
    return any(sock.fileno() < 0 for sock in server.sockets)
