"""What a click puts on the clipboard, or opens."""

from __future__ import annotations

from ccproxy_tray.config import files
from ccproxy_tray.config.schema import Loaded
from ccproxy_tray.desktop import environment, opening
from ccproxy_tray.diagnostics import diagnostics, status_text
from ccproxy_tray.journal.journal import Journal
from ccproxy_tray.journal.snapshot import Snapshot
from ccproxy_tray.program import Program
from ccproxy_tray.setting import Unchangeable
from ccproxy_tray.tray.action import CopyDiagnostics, CopyEnvironment, CopyText, Document


class Handout:
    """Made of the picture as it is at the click. Everything blocks for a moment: call it in a thread."""

    def __init__(self, program: Program, journal: Journal) -> None:
        self._program = program
        self._journal = journal

    def copied(self, action: CopyText | CopyEnvironment | CopyDiagnostics) -> tuple[str, str]:
        """The text for the clipboard, and what to call it. Raises Unchangeable."""
        match action:
            case CopyText(text=text, what=what):
                return text, what
            case CopyEnvironment(shell=shell):
                lines = environment.lines(shell, *url_and_token(self._journal.snapshot), self._program.environ)
                return lines, f"the lines for {shell}"
            case CopyDiagnostics():
                text = diagnostics(self._journal.snapshot, self._program)
                return self._program.redact(text), "the diagnostics, without secrets,"

    def open(self, document: Document) -> None:
        """Show it in the user's program for it. Raises CannotOpen."""
        match document:
            case Document.STATUS:
                self._open_status(self._journal.snapshot)
            case Document.LOG:
                opening.open_path(self._program.log_path)
            case _:
                opening.open_path(self._program.path)

    def _open_status(self, snapshot: Snapshot) -> None:
        """As the status page, which asks for a token by itself; while nothing is served, as a file."""
        if snapshot.urls:
            opening.open_url(f"{snapshot.urls[0]}/status")
            return
        path = self._program.data_dir / "status.json"
        self._program.data_dir.mkdir(mode=files.PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        files.write_atomically(path, self._program.redact(status_text(snapshot, self._program.wall())))
        opening.open_path(path)


def loaded_of(snapshot: Snapshot) -> Loaded:
    """The configuration in force. Raises Unchangeable."""
    if snapshot.loaded is None:
        raise Unchangeable("The configuration cannot be read yet, so nothing can be changed in it.")
    return snapshot.loaded


def url_and_token(snapshot: Snapshot) -> tuple[str, str]:
    """Where the proxy serves, and what it asks clients for. Raises Unchangeable."""
    if not snapshot.urls:
        raise Unchangeable("The proxy has no address at the moment; the first line of the menu says why.")
    return snapshot.urls[0], loaded_of(snapshot).config.server.token.reveal()
