"""The command line: finds the configuration, runs one command, turns what went wrong into one clear message."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ccproxy_tray import __version__
from ccproxy_tray.config import edit, files
from ccproxy_tray.config.address import http_url
from ccproxy_tray.config.load import load
from ccproxy_tray.config.schema import Config, Loaded
from ccproxy_tray.config.show import shown
from ccproxy_tray.desktop.claude_code import RECORD_FILE, Hookup, settings_path
from ccproxy_tray.desktop.environment import Shell, guess_shell, lines
from ccproxy_tray.desktop.instance import AlreadyRunning, Instance, running
from ccproxy_tray.errors import CcproxyError, ConfigError

if TYPE_CHECKING:
    from ccproxy_tray.log import Log  # imported where it is used: most commands write no log

OK = 0
FAILED = 1
BAD_CONFIG = 2
INTERRUPTED = 130

Command = Callable[[argparse.Namespace, Mapping[str, str]], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0 fine, 1 it failed, 2 the configuration or the command line cannot be used."""
    args = _parser().parse_args(_completed(sys.argv[1:] if argv is None else argv))
    command: Command = args.command
    try:
        return command(args, os.environ)
    except ConfigError as error:
        _complain(*error.problems)
        return BAD_CONFIG
    except CcproxyError as error:
        _complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _completed(argv: Sequence[str]) -> Sequence[str]:
    """The command line with the command that is meant where none is named, as by whoever clicks the program."""
    named = any(not word.startswith("-") for word in argv[:1]) or {"-h", "--help", "--version"} & set(argv[:1])
    return argv if named else ["tray", *argv]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ccproxy-tray",
        description="Keeps Claude Code alive: a local Messages API in front of a chain of providers.",
    )
    parser.add_argument("--version", action="version", version=f"ccproxy-tray {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    _serving(_command(commands, "tray", _tray, "the proxy with its icon in the tray; also what no command means"))
    _serving(_command(commands, "serve", _serve, "serve requests until stopped, without a tray"))

    demo = commands.add_parser("demo", help="the whole program on simulated providers, with an outage to watch")
    demo.set_defaults(command=_demo)
    demo.add_argument("--port", type=int, default=8000, help="listen here (default: 8000)")
    demo.add_argument("--verbose", action="store_true", help="log every attempt, not only every request")

    check = _command(commands, "check", _check, "is the configuration right, and can every target serve?")
    check.add_argument("--model", default="claude-sonnet-4-5", help="the model to ask for (default: %(default)s)")
    check.add_argument("--json", action="store_true", help="print JSON")

    doctor = _command(commands, "doctor", _doctor, "is all well from Claude Code to the providers? fit for an issue")
    doctor.add_argument("--model", default="claude-sonnet-4-5", help="the model to ask for (default: %(default)s)")
    doctor.add_argument("--live", action="store_true", help="also one real request to each provider: a few tokens")
    doctor.add_argument("--json", action="store_true", help="print JSON")

    status = _command(commands, "status", _status, "what the running proxy is doing")
    status.add_argument("--json", action="store_true", help="print the whole /debug document")

    env = _command(commands, "env", _env, "the lines that point a shell's Claude Code here")
    env.add_argument("--shell", choices=[shell.value for shell in Shell], help="whose syntax (default: yours)")

    _command(commands, "connect", _connect, "let Claude Code use the proxy, by its own settings")
    _command(commands, "disconnect", _disconnect, "put back what stood in Claude Code's settings")

    routing = _command(commands, "routing", _routing, "switch the chain on or off")
    routing.add_argument("state", choices=["on", "off"], help="off: one target serves alone, without fallback")

    order = _command(commands, "order", _order, "which providers to try first")
    order.add_argument("names", nargs="*", metavar="NAME", help="in this order; none: as in the file's sequence")

    config = commands.add_parser("config", help="the configuration").add_subparsers(required=True, metavar="WHAT")
    _command(config, "path", _config_path, "where the file lies")
    _command(config, "show", _config_show, "every value in force and where it comes from; secrets as ***")
    _command(config, "edit", _config_edit, "open the file in your editor")
    setting = _command(config, "set", _config_set, "change one key of the file; every other character of it stays")
    setting.add_argument("key", metavar="KEY", help="dotted, as `config show` prints it: routing.max_wait_seconds")
    setting.add_argument("words", nargs="+", metavar="VALUE", help="several for a list")
    return parser


def _serving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="listen here instead of server.host")
    parser.add_argument("--port", help="listen here instead of server.port; 0 takes any free port")
    parser.add_argument("--verbose", action="store_true", help="log every attempt, not only every request")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, command: Command, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument("--config", type=Path, metavar="FILE", help="use this file (default: see `config path`)")
    parser.set_defaults(command=command)
    return parser


def _say(*text: str) -> None:
    print(*text, flush=True)  # noqa: T201 - the answer to a command


def _complain(*text: str) -> None:
    print(*text, sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - what went wrong with it


def _path(args: argparse.Namespace, environ: Mapping[str, str]) -> Path:
    given: Path | None = args.config
    return given if given is not None else files.config_path(environ)


def _loaded(args: argparse.Namespace, environ: Mapping[str, str], *, create: bool = False) -> Loaded:
    """The configuration for a command. The first start writes a commented file, unless one was named."""
    path = _path(args, environ)
    overrides = {
        f"server.{key}": str(value) for key in ("host", "port") if (value := getattr(args, key, None)) is not None
    }
    if create and args.config is None:
        _create(path)
    return load(path if args.config is not None or _stands(path) else None, environ, overrides)


def _create(path: Path) -> None:
    try:
        files.create_default(path)
    except OSError as error:
        _complain(f"warning: {path} cannot be written ({error.strerror}); going on with the defaults")


def _stands(path: Path) -> bool:
    """Whether there is a file. One that may not be looked at counts: reading it will say what is wrong."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _tray(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray import log, resident  # the tray's libraries are needed by two commands only
    from ccproxy_tray.desktop import opening
    from ccproxy_tray.program import Program

    try:
        instance = Instance.claim(files.data_dir(environ), _path(args, environ))
    except AlreadyRunning as error:
        _say(str(error))
        with suppress(opening.CannotOpen):  # what runs is running, whether or not it can be shown here
            opening.open_url(f"{error.note.url}/debug")
        return OK
    with instance, log.setup(_level(args), files.log_dir(environ), environ) as running_log:

        def read() -> Loaded:
            fresh = _loaded(args, environ, create=True)
            running_log.redact_values(fresh.config.secrets())
            return fresh

        program = Program(
            read, _path(args, environ), environ, files.data_dir(environ), files.log_dir(environ) / log.FILE,
            running_log.redact, time.time, instance.tell,
        )  # fmt: skip
        return resident.run(program, _say)


def _serve(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray.run import serve  # the server's libraries are needed by few commands only

    loaded = _loaded(args, environ, create=True)
    try:
        instance = Instance.claim(files.data_dir(environ), _path(args, environ))
    except AlreadyRunning as error:
        _say(str(error))
        return OK
    with instance, _log(args, environ, loaded) as running_log:

        def read_again() -> Loaded:
            fresh = _loaded(args, environ)
            running_log.redact_values(fresh.config.secrets())
            return fresh

        def ready(urls: Sequence[str]) -> None:
            _say(f"ccproxy-tray {__version__} serves {urls[0]}")
            threading.Thread(target=instance.tell, args=(urls[0],), daemon=True).start()  # it waits for the disk

        return asyncio.run(serve(loaded, environ, ready, read_again, files.data_dir(environ)))


def _demo(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray.demo import demo

    with _log(args, environ) as running_log:
        return demo(args.port, environ, running_log.redact, _say)


def _log(args: argparse.Namespace, environ: Mapping[str, str], loaded: Loaded | None = None) -> Log:
    """The running log; with a file only where there is a configuration of the user's."""
    from ccproxy_tray import log

    if loaded is None:
        return log.setup(_level(args), None, environ)
    running = log.setup(_level(args), files.log_dir(environ), environ, secrets=loaded.config.secrets())
    warnings = [*loaded.warnings, *([files.permission_warning(Path(loaded.path))] if loaded.path else ())]
    for warning in filter(None, warnings):
        logging.getLogger(__name__).warning("%s", warning)
    return running


def _level(args: argparse.Namespace) -> int:
    return logging.DEBUG if args.verbose else logging.INFO


def _check(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray.check import check, report

    loaded = _loaded(args, environ)
    findings = asyncio.run(check(loaded.config, environ, args.model))
    _say(report(loaded, findings, as_json=args.json))
    return OK if any(finding.usable for finding in findings) else FAILED


def _doctor(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray import doctor

    logging.getLogger("ccproxy_tray").addHandler(logging.NullHandler())  # what it says is the report
    loaded: Loaded | None = None
    problems: tuple[str, ...] = ()
    try:
        loaded = _loaded(args, environ)
    except ConfigError as error:
        problems = error.problems
    url = _url(loaded or Loaded(Config(), "", {}), args, environ)
    subject = doctor.Subject(
        loaded, problems, _path(args, environ), url, environ, Path.home(), Path.cwd(), files.data_dir(environ),
        args.model, args.live,
    )  # fmt: skip
    if args.live and loaded is not None:
        _complain(doctor.SPENDING)
    report = asyncio.run(doctor.examine(subject))
    _say(report.json() if args.json else report.text())
    return BAD_CONFIG if problems else OK if report.well else FAILED


def _status(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray.status import fetch, summary

    loaded = _loaded(args, environ)
    document = fetch(_url(loaded, args, environ), loaded.config.server.token.reveal())
    _say(json.dumps(document, indent=2) if args.json else summary(document))
    return OK


def _env(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    loaded = _loaded(args, environ)
    shell = Shell(args.shell) if args.shell else guess_shell(environ, windows=os.name == "nt")
    _say(lines(shell, _url(loaded, args, environ), loaded.config.server.token.reveal(), environ))
    return OK


def _url(loaded: Loaded, args: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Where this machine reaches the proxy: where the running one says, else where it is configured."""
    note = running(files.data_dir(environ), _path(args, environ))
    if note is not None and note.url:
        return note.url
    server = loaded.config.server
    # A socket at ``::`` takes IPv6 connections only.
    reachable = {"localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared only
    return http_url(reachable.get(server.host, server.host), server.port)


def _hookup(environ: Mapping[str, str]) -> Hookup:
    return Hookup(settings_path(environ, Path.home()), files.data_dir(environ) / RECORD_FILE)


def _connect(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    loaded = _loaded(args, environ)
    hookup, url = _hookup(environ), _url(loaded, args, environ)
    hookup.connect(url, loaded.config.server.token.reveal())
    _say(f"Claude Code uses {url} from its next start on ({hookup.state(url).path}).")
    if running(files.data_dir(environ), _path(args, environ)) is None:
        _complain("The proxy does not run yet: start it with `ccproxy-tray`.")
    return OK


def _disconnect(_args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    hookup = _hookup(environ)
    hookup.disconnect()
    _say(f"Claude Code no longer uses the proxy from its next start on ({hookup.state().path}).")
    return OK


def _routing(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray.setting import change
    from ccproxy_tray.tray.action import SetRouting

    loaded = _loaded(args, environ, create=True)
    return _changed(args, environ, *change(SetRouting(enable=args.state == "on"), loaded))


def _order(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray.setting import order

    return _changed(args, environ, *order(args.names, _loaded(args, environ, create=True)))


def _changed(args: argparse.Namespace, environ: Mapping[str, str], key: str, value: edit.Value) -> int:
    path = _path(args, environ)
    _say(f"{path}: {key} {'changed' if edit.change(path, {key: value}) else 'is so already'}")
    return OK


def _config_set(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray.setting import set_key

    path = _path(args, environ)
    changed = set_key(path, args.key, args.words, environ)
    _say(f"{path}: {args.key} {'changed' if changed else 'is so already'}")
    return OK


def _config_edit(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from ccproxy_tray.desktop import opening

    path = _path(args, environ)
    if args.config is None:
        _create(path)
    editor = environ.get("VISUAL") or environ.get("EDITOR")
    if editor:
        command = [*shlex.split(editor, posix=os.name != "nt"), str(path)]
        return subprocess.run(command, check=False).returncode  # noqa: S603 - the user's own editor
    opening.open_path(path)
    return OK


def _config_path(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    _say(str(_path(args, environ)))
    return OK


def _config_show(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    _say(shown(_loaded(args, environ)).rstrip())
    return OK
