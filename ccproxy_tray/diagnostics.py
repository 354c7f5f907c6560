"""The state of the program as text that may be pasted into a bug report, once it has been redacted."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from ccproxy_tray.config import files
from ccproxy_tray.config.show import shown
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.program import Program
from ccproxy_tray.redact import without_accounts
from ccproxy_tray.server.status import status

LOG_BYTES = 32 * 1024
"""How much of the log's end is told."""


def status_text(snapshot: Snapshot, now: float) -> str:
    """The /debug document as text."""
    return json.dumps(status(snapshot, now), indent=2, ensure_ascii=False)


def diagnostics(snapshot: Snapshot, program: Program) -> str:
    """Version, system, configuration in force, state, and the end of the log, without account ids and home folder.

    The configuration shows no secret, the log holds none; whoever hands this on masks what is known by value once more.
    """
    text, home = "\n".join(_parts(snapshot, program)), files.home()
    return without_accounts(text if home == Path(home.anchor) else text.replace(str(home), "~"))


def _parts(snapshot: Snapshot, program: Program) -> Iterator[str]:
    yield f"ccproxy-tray {snapshot.version}, Python {platform.python_version()}, {platform.platform()}"
    yield f"desktop: {program.environ.get('XDG_CURRENT_DESKTOP') or 'unknown'}"
    yield f"\n## State\n{status_text(snapshot, program.wall())}"
    if snapshot.loaded is not None:
        yield f"\n## Configuration in force\n{shown(snapshot.loaded)}"
    yield f"\n## End of the log\n{_tail(program.log_path)}"


def _tail(path: Path) -> str:
    """The last whole lines of a file; empty when there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return text if size <= LOG_BYTES else text.partition("\n")[2]
