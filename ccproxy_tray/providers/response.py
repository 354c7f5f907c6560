"""An upstream's answer, whatever way it came."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate

from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.faults import broken
from ccproxy_tray.translate.error_body import parsed

ERROR_PATIENCE = 3.0
"""Seconds that an error has for its text: status and headers say enough, and the next target could be asked."""
ERROR_BODY_LIMIT = 64 * 1024
BODY_LIMIT = 64 * 1024 * 1024
_JSON = re.compile(rb"\s*[{\[]\s*(?:[\"{\[]|$)")
"""How JSON begins, other than a text with something in brackets."""
DRAIN_SECONDS = 1.0
"""How long the end of a finished answer is waited for, to keep its connection for the next request."""


class Response(ABC):
    """Status and headers are there, the body is read piece by piece."""

    __slots__ = ()

    status: int
    content_type: str
    """In lower case, without parameters."""

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """By names in lower case, or in whatever case. ``Date`` is always there."""

    @abstractmethod
    async def read(self) -> bytes:
        """The next bytes, as they came; empty at the end. Safe to cancel. Raises AttemptFailed."""

    @abstractmethod
    def retire(self) -> None:
        """The answer is complete: take the few bytes after it in the background, to use the connection again."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back when the answer was read to its end; cut it otherwise. May be called twice."""

    async def read_whole(self, limit: int = BODY_LIMIT) -> bytes:
        """All that is left. Raises AttemptFailed, also for a body above ``limit`` bytes."""
        parts: list[bytes] = []
        size = 0
        while data := await self.read():
            parts.append(data)
            size += len(data)
            if size > limit:
                raise AttemptFailed(broken(f"the answer is larger than {limit // (1024 * 1024)} MiB", "too large"))
        return b"".join(parts)

    async def read_error(self) -> bytes:
        """As much of an error's body as is worth reading.

        A broken or slow one counts as far as it came, but nothing does of a JSON text that broke off: half a refusal
        would reach the client as the provider's own words. Where the end of the connection is that of the body, only
        the text itself tells.
        """
        data, ended = b"", False
        with suppress(AttemptFailed, TimeoutError):
            async with asyncio.timeout(ERROR_PATIENCE):
                while len(data) < ERROR_BODY_LIMIT and (more := await self.read()):
                    data += more
            ended = len(data) >= ERROR_BODY_LIMIT or data.rstrip().endswith((b"}", b"]"))
        return data[:ERROR_BODY_LIMIT] if ended or not _JSON.match(data) or parsed(data) is not None else b""


def now() -> str:
    """The moment of arrival, for an answer without a ``Date``: a date in its other headers is read by it."""
    return formatdate(usegmt=True)
