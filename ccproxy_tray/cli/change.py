"""The commands that change the user's files: what the menu does, through the same files."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ccproxy_tray.cli.invocation import FAILED, OK, address_of, create, loaded_for, path_of, url_of
from ccproxy_tray.cli.output import complain, say
from ccproxy_tray.config import edit, files
from ccproxy_tray.desk import hookup
from ccproxy_tray.desktop.claude_code import Hookup
from ccproxy_tray.desktop.claude_level import World, look
from ccproxy_tray.desktop.conflict import Severity
from ccproxy_tray.desktop.instance import running
from ccproxy_tray.desktop.precedence import findings, remaining
from ccproxy_tray.errors import ConfigError


def connect(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Point Claude Code's settings here, and say what wins over them."""
    loaded = loaded_for(args, environ)
    url, token = address_of(loaded, args, environ), loaded.config.server.token.reveal()
    settings = _hookup(args, environ)
    settings.connect(url, token)
    say(f"Claude Code uses {url} from its next start on ({settings.state(url).path}).")
    if running(files.data_dir(environ), path_of(args, environ)) is None:
        complain("The proxy does not run yet: start it with `ccproxy-tray`.")
    complain(*(str(found) for found in findings(_world(environ), url, token) if found.severity is Severity.BREAKS))
    return OK


def disconnect(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Put back what stood there, and say what else leads to the proxy. A broken configuration is in nobody's way."""
    settings = _hookup(args, environ)
    path = settings.state().path  # of the settings that are connected, which may be others than this shell's
    settings.disconnect()
    say(f"Claude Code no longer uses the proxy from its next start on ({path}).")
    with suppress(ConfigError):
        left = remaining(_world(environ), url_of(loaded_for(args, environ), args, environ))
        complain(*([str(left)] if left else []))
    return OK


def _hookup(args: argparse.Namespace, environ: Mapping[str, str]) -> Hookup:
    return hookup(path_of(args, environ), environ, files.data_dir(environ))


def _world(environ: Mapping[str, str]) -> World:
    return look(environ, files.home(), files.folder(), sys.platform)


def routing(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Switch ``routing.enable``."""
    from ccproxy_tray.setting import change
    from ccproxy_tray.tray.action import SetRouting

    create(args, environ)
    return _changed(args, environ, *change(SetRouting(enable=args.state == "on"), loaded_for(args, environ)))


def order(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Set ``routing.order``."""
    from ccproxy_tray.setting import order as setting

    create(args, environ)
    return _changed(args, environ, *setting(args.names, loaded_for(args, environ)))


def _changed(args: argparse.Namespace, environ: Mapping[str, str], key: str, value: edit.Value) -> int:
    return _told(args, environ, key, changed=edit.change(path_of(args, environ), {key: value}))


def config_set(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Set any key."""
    from ccproxy_tray.setting import set_key

    create(args, environ)
    changed = set_key(path_of(args, environ), args.key, args.words, environ)
    return _told(args, environ, args.key, changed=changed)


def _told(args: argparse.Namespace, environ: Mapping[str, str], key: str, *, changed: bool) -> int:
    say(f"{path_of(args, environ)}: {key} {'changed' if changed else 'is so already'}")
    return OK


def config_edit(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Open the file in the editor that the user has named, else in the desktop's."""
    from ccproxy_tray.desktop import opening

    create(args, environ)
    path = path_of(args, environ)
    editor = _editor(environ)
    if not editor:
        opening.open_path(path)
        return OK
    try:
        done = subprocess.run([*editor, str(path)], check=False)  # noqa: S603 - the user's own editor
    except OSError as fault:
        why = fault.strerror or str(fault)
        raise opening.CannotOpen(f"{editor[0]} cannot be started ({why}): set EDITOR, or open {path} by hand") from None
    return OK if done.returncode == 0 else FAILED


def _editor(environ: Mapping[str, str]) -> list[str]:
    """The command that the variables name, with its arguments; a path with blanks in it needs no quotes."""
    text = (environ.get("VISUAL") or environ.get("EDITOR") or "").strip()
    if Path(text).is_file():
        return [text]
    try:
        words = shlex.split(text, posix=os.name != "nt")
    except ValueError:  # a quotation mark without its other half
        return [text]
    return [word.strip('"') for word in words] if os.name == "nt" else words
