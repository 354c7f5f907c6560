"""What survives a restart: the cooldowns, in one small file in the data folder."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ccproxy_tray.aside import apart
from ccproxy_tray.config.files import PRIVATE_DIRECTORY, write_atomically

log = logging.getLogger(__name__)

FILE = "state.json"
SETTLE_SECONDS = 1.0
"""Changes are gathered for so long before they are written."""
MAX_BYTES = 1024 * 1024
CLOSE_SECONDS = 2.0


class Memory:
    """Writes off the loop, never in a request's way; a file that cannot be read or written is only forgotten.

    ``mask`` hides what must not be written: reasons are an upstream's words.
    """

    def __init__(self, path: Path, state: Callable[[], dict[str, Any]], mask: Callable[[str], str] = str) -> None:
        self._path = path
        self._state = state
        self._mask = mask
        self._changed = False
        self._closing = asyncio.Event()
        self._saving: asyncio.Task[None] | None = None

    async def load(self) -> object:
        """What was saved; None when there is nothing that can be used."""
        return await asyncio.to_thread(self._read)

    def touch(self) -> None:
        """The state has changed; it is written soon."""
        self._changed = True
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save())

    async def close(self) -> None:
        """Write what has changed since, for a bounded time."""
        self._closing.set()
        if self._saving is not None:
            _, late = await asyncio.wait((self._saving,), timeout=CLOSE_SECONDS)
            if late:
                log.warning("%s could not be written in time, cooldowns will not survive the restart", self._path.name)

    async def _save(self) -> None:
        """One write at a time; what changes while it runs is written after it."""
        while self._changed:
            await self._settle()
            self._changed = False
            text = self._mask(json.dumps(self._state()))
            await apart(partial(self._write, text), "memory")  # to a drive that may not answer

    async def _settle(self) -> None:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._closing.wait()
        except TimeoutError:
            return

    def _read(self) -> object:
        try:
            with self._path.open("rb") as file:
                return json.loads(file.read(MAX_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be read, cooldowns start afresh: %s", self._path.name, error)
            return None

    def _write(self, text: str) -> None:
        try:
            self._path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            write_atomically(self._path, text)
        except OSError as error:
            log.warning("%s cannot be written, cooldowns will not survive a restart: %s", self._path.name, error)
