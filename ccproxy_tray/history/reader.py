"""Questions to the history. Every method may take a while: call it off the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Reader:
    """Reads the history at ``path``; a file that is not there has no requests in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def request(self, request_id: str) -> dict[str, Any] | None:
        """One request with its attempts."""
        raise NotImplementedError(request_id)
