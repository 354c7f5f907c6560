"""Where the program's files lie, and how they are written so that a crash leaves the old text or the new one.

Places come from platformdirs, which reads the desktop's own variables (XDG, APPDATA); ``CCPROXY_CONFIG`` and
``CCPROXY_DATA_DIR`` win.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs

from ccproxy_tray.config.document import MAX_BYTES, Scalar, Table, parse
from ccproxy_tray.config.environment import CONFIG_VARIABLE, DATA_VARIABLE
from ccproxy_tray.config.reading import PLACEHOLDER
from ccproxy_tray.config.report import Report
from ccproxy_tray.config.schema import PASSTHROUGH
from ccproxy_tray.config.secret import KEYRING
from ccproxy_tray.errors import CcproxyError

APP = "ccproxy-tray"
FILE = "config.yaml"
PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600
UNFINISHED = ".ccproxy-tray"
"""How the names of temporary files end; one that is still there was left by a writer that was killed."""
PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds between two attempts at replacing a file on Windows, which refuses that for as long as anybody has it open:
a virus scanner, an indexer, another program that reads it. Most of them are done within milliseconds."""


class NoFolder(CcproxyError):
    """A relative path leads nowhere."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} leads nowhere, since the current folder is gone: change to one that exists")


def config_path(environ: Mapping[str, str]) -> Path:
    """The configuration file. ``CCPROXY_CONFIG`` may name it, or the directory that holds it.

    A directory that is not there yet is one by the slash at its end.
    """
    given = environ.get(CONFIG_VARIABLE, "").strip()
    if not given:
        return platformdirs.user_config_path(APP, appauthor=False) / FILE
    path = _expanded(given)
    # Path.is_dir raises where a folder on the way may not be entered; reading the file says so better.
    return path / FILE if given.endswith(("/", os.sep)) or os.path.isdir(path) else path  # noqa: PTH112 - see above


def stands(path: Path) -> bool:
    """Whether there is a file. One that may not be looked at counts: reading it will say what is wrong."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def data_dir(environ: Mapping[str, str]) -> Path:
    """Where history and state lie."""
    given = environ.get(DATA_VARIABLE, "").strip()
    return _expanded(given) if given else platformdirs.user_data_path(APP, appauthor=False)


def log_dir(environ: Mapping[str, str]) -> Path:
    """Where the log lies: with the data, when those have a place of their own."""
    given = environ.get(DATA_VARIABLE, "").strip()
    return _expanded(given) / "log" if given else platformdirs.user_log_path(APP, appauthor=False)


def home() -> Path:
    """The user's home folder. Never raises: in a container a user may have none."""
    return _expanded("~")


def folder() -> Path | None:
    """The folder that the program was started in; None once it has been deleted, or may not be entered."""
    try:
        return Path.cwd()
    except OSError:
        return None


def absolute(path: Path) -> Path:
    """The path from the root on. Raises NoFolder for a relative one in a folder that has been deleted."""
    try:
        return path.absolute()
    except OSError:
        raise NoFolder(path) from None


def remedy(fault: OSError, otherwise: str) -> str:
    """What to do about a file that cannot be written: ``otherwise`` where there is room for it on the disk."""
    full = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
    return "make room on its disk, then try again" if fault.errno in full else otherwise


def _expanded(text: str) -> Path:
    # os.path.expanduser leaves "~" standing where there is no home; Path.expanduser raises.
    return absolute(Path(os.path.expanduser(text)))  # noqa: PTH111 - see above


def real(path: Path) -> Path:
    """Where a path leads, behind all links; links in a circle lead nowhere, which whoever opens them is told.

    Before Python 3.13, Path.resolve raises RuntimeError for these.
    """
    return Path(os.path.realpath(path))


def default_text() -> str:
    """The commented configuration that the first start writes."""
    from importlib.resources import files  # most starts find a file, and write none before they serve

    return files("ccproxy_tray.config").joinpath("default.yaml").read_text(encoding="utf-8")


def create_default(path: Path) -> bool:
    """Write the default configuration, readable by its owner only; False when something stands there already.

    A symbolic link counts as something, even one that leads nowhere: a dotfile manager put it there. Raises OSError.
    """
    if path.is_symlink() or path.exists():
        return False
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    return write_atomically(path, default_text(), ready=lambda: not path.exists())


def write_atomically(
    path: Path, text: str, *, mode: int = PRIVATE_FILE, ready: Callable[[], bool] = lambda: True
) -> bool:
    """Replace a file's text in one step; behind a symbolic link its target is replaced. Raises OSError.

    ``ready`` is asked at the last moment: on False the file stays as it is, and False is returned. ``mode`` holds
    the new file's permissions; Windows has none. Blocks there while others have the file open, for :data:`PAUSES`.
    """
    import tempfile  # as above

    target = real(path)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=UNFINISHED)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if sys.platform != "win32":
            with suppress(OSError):  # there is no old file, or giving it away takes more rights
                old = target.stat()
                os.chown(temporary, old.st_uid, old.st_gid)  # root at work for a user must not lock that user out
            temporary.chmod(mode)
        if not _replaced(temporary, target, ready):
            return False
    finally:
        temporary.unlink(missing_ok=True)  # after a replacement there is nothing under this name
    sync_directory(target.parent)
    return True


def _replaced(temporary: Path, target: Path, ready: Callable[[], bool]) -> bool:
    """Put a file in the place of another; False, and nothing done, when ``ready`` says so."""
    for pause in PAUSES if sys.platform == "win32" else ():
        try:
            return ready() and bool(temporary.replace(target))
        except PermissionError:
            time.sleep(pause)
    return ready() and bool(temporary.replace(target))


def sweep(path: Path) -> None:
    """Remove what killed writers of a file left beside it. Only for who knows that nobody is writing it now."""
    target = real(path)
    with suppress(OSError):  # a folder that cannot be listed holds nothing of ours
        for left in target.parent.iterdir():
            if left.name.startswith(f".{target.name}.") and left.name.endswith(UNFINISHED):
                left.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make a new name, or the end of one, survive a power cut; Windows cannot open directories and needs no step."""
    if sys.platform != "win32":
        with suppress(OSError):  # some file systems cannot, and the new text stands already
            descriptor = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def permission_warning(path: Path) -> str:
    """What to say about a file that holds keys and that others can read; empty when all is well.

    Windows keeps user profiles private by access lists, which mode bits do not show.
    """
    if sys.platform == "win32":
        return ""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            root = parse(file.read(MAX_BYTES + 1), Report(path.name))
    except OSError:
        return ""
    if not mode & 0o077 or not any(_is_key(scalar.text) for scalar in _secrets(root)):
        return ""
    return f"{path} holds keys and others on this machine can read it (mode {mode:03o}); run: chmod 600 '{path}'"


def _secrets(root: Table) -> Iterator[Scalar]:
    server, providers = (root.entries.get(key) for key in ("server", "providers"))
    tables = [server] if isinstance(server, Table) else []
    if isinstance(providers, Table):
        tables += [account for account in providers.entries.values() if isinstance(account, Table)]
    nodes = (table.entries.get(key) for table in tables for key in ("token", "api_key"))
    return (node for node in nodes if isinstance(node, Scalar))


def _is_key(text: str) -> bool:
    word = text.strip()
    return word not in {"", PLACEHOLDER, PASSTHROUGH} and not word.startswith(("${", KEYRING))
