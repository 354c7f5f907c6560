"""The commands that change the user's files: what the menu does, through the same files."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
from collections.abc import Mapping

from ccproxy_tray.cli.invocation import OK, complain, create, loaded_for, path_of, say, url_of
from ccproxy_tray.config import edit, files
from ccproxy_tray.desktop.claude_code import RECORD_FILE, Hookup, settings_path
from ccproxy_tray.desktop.instance import running


def connect(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Point Claude Code's settings here."""
    loaded = loaded_for(args, environ)
    hookup, url = _hookup(environ), url_of(loaded, args, environ)
    hookup.connect(url, loaded.config.server.token.reveal())
    say(f"Claude Code uses {url} from its next start on ({hookup.state(url).path}).")
    if running(files.data_dir(environ), path_of(args, environ)) is None:
        complain("The proxy does not run yet: start it with `ccproxy-tray`.")
    return OK


def disconnect(_args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Put back what stood there."""
    hookup = _hookup(environ)
    hookup.disconnect()
    say(f"Claude Code no longer uses the proxy from its next start on ({hookup.state().path}).")
    return OK


def _hookup(environ: Mapping[str, str]) -> Hookup:
    return Hookup(settings_path(environ, files.home()), files.data_dir(environ) / RECORD_FILE)


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
    editor = environ.get("VISUAL") or environ.get("EDITOR")
    if editor:
        command = [*shlex.split(editor, posix=os.name != "nt"), str(path)]
        return subprocess.run(command, check=False).returncode  # noqa: S603 - the user's own editor
    opening.open_path(path)
    return OK
