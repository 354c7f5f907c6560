"""The command line: runs one command, and turns what went wrong into one clear message."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ccproxy_tray import __version__
from ccproxy_tray.cli import output
from ccproxy_tray.cli.invocation import BAD_CONFIG, FAILED, INTERRUPTED, OK, Command, surroundings
from ccproxy_tray.cli.moment import FORMS, moment
from ccproxy_tray.desktop.environment import Shell
from ccproxy_tray.errors import CcproxyError, ConfigError

__all__ = ["BAD_CONFIG", "FAILED", "INTERRUPTED", "OK", "main", "parser"]

_VERBOSE = "log every attempt, not only every request"
_PROVIDER = "served by this provider, or tried there last; nobody: where none was tried"
_BY = "a line for each, of sessions the dearest first (default: %(default)s)"
_DATA_DIR = "history, log and state are here, whatever CCPROXY_DATA_DIR says"
if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no other name for it


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0 fine, 1 it failed, 2 the configuration or the command line cannot be used."""
    output.prepare()
    try:
        args = _parsed(sys.argv[1:] if argv is None else argv)
        module, _, function = args.command.partition(":")
        command: Command = getattr(import_module(f"{__name__}.{module}"), function)
        return command(args, surroundings(args, os.environ))
    except ConfigError as error:
        output.complain(*error.problems)
        return BAD_CONFIG
    except CcproxyError as error:
        output.complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    try:
        return parser().parse_args(_completed(argv))
    except SystemExit:
        output.finish()
        raise


def _completed(argv: Sequence[str]) -> Sequence[str]:
    """The command line with the command that is meant where none is named, as by whoever clicks the program."""
    named = any(not word.startswith("-") for word in argv[:1]) or {"-h", "--help", "--version"} & set(argv[:1])
    return argv if named else ["tray", *argv]


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments; ``command`` of what it parses names the one that was chosen.

    It is named as an entry point is, ``module:function`` below this package, so that a start loads one command only.
    """
    top = argparse.ArgumentParser(
        prog="ccproxy-tray",
        description="Keeps Claude Code alive: a local Messages API in front of a chain of providers.",
    )
    top.add_argument("--version", action="version", version=f"ccproxy-tray {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serving(commands)
    _add_inquiries(commands)
    _add_past(commands)
    _add_changes(commands)
    _add_config(commands.add_parser("config", help="the configuration").add_subparsers(required=True, metavar="WHAT"))
    return top


def _add_serving(commands: _Commands) -> None:
    for name, command, summary in (
        ("tray", "serving:tray", "the proxy with its icon in the tray; also what no command means"),
        ("serve", "serving:serve", "serve requests until stopped, without a tray"),
    ):
        server = _command(commands, name, command, summary)
        server.add_argument("--host", help="listen here instead of server.host")
        server.add_argument("--port", help="listen here instead of server.port; 0 takes any free port")
        server.add_argument("--verbose", action="store_true", help=_VERBOSE)

    summary = "the whole program on simulated providers, with an outage to watch"
    demo = commands.add_parser("demo", help=summary, description=summary)
    demo.set_defaults(command="serving:demo")
    demo.add_argument("--port", type=_port, default=8000, help="listen here (default: 8000)")
    demo.add_argument("--verbose", action="store_true", help=_VERBOSE)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f'expected a port from 0 to 65535, got "{text}"')
    return int(text)


def _add_inquiries(commands: _Commands) -> None:
    check = _command(commands, "check", "inquiry:check", "is the configuration right, and can every target serve?")
    doctor = _command(
        commands, "doctor", "inquiry:doctor", "is all well from Claude Code to the providers? a report fit for an issue"
    )
    for looking in (check, doctor):
        looking.add_argument("--model", default="claude-sonnet-4-5", help="the model to ask for (default: %(default)s)")
        looking.add_argument("--json", action="store_true", help="print JSON")
    doctor.add_argument("--live", action="store_true", help="also one real request to each provider: a few tokens")

    status = _command(commands, "status", "inquiry:status", "what the running proxy is doing")
    status.add_argument("--json", action="store_true", help="print the whole /debug document")

    env = _command(commands, "env", "inquiry:env", "the lines that point a shell's Claude Code here")
    env.add_argument("--shell", choices=[shell.value for shell in Shell], help="whose syntax (default: yours)")


def _add_past(commands: _Commands) -> None:
    history = _command(commands, "history", "past:history", "past requests, the latest first")
    history.add_argument("--since", type=_moment, metavar="WHEN", help=f"not before: {FORMS}")
    history.add_argument("--until", type=_moment, metavar="WHEN", help="before, in the same forms")
    history.add_argument("--provider", metavar="NAME", help=_PROVIDER)
    history.add_argument("--session", default="", metavar="ID", help="of this conversation")
    history.add_argument("--search", default="", metavar="TEXT", help="with these words in story, error, names or ids")
    history.add_argument("--failed", action="store_true", help="only those without a complete answer")
    history.add_argument("--limit", type=_limit, default=50, metavar="N", help="at most so many; 0: all (default: 50)")
    form = history.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, a request on each line")
    form.add_argument("--csv", action="store_true", help="print CSV (RFC 4180)")

    usage = _command(commands, "usage", "past:usage", "what was used, and what it cost")
    usage.add_argument("--since", type=_moment, default="30d", metavar="WHEN", help=f"{FORMS} (default: 30d)")
    groups = ["provider", "model", "day", "session", "kind"]
    usage.add_argument("--by", choices=groups, default="provider", help=_BY)
    usage.add_argument("--json", action="store_true", help="print JSON")

    replay = _command(commands, "replay", "past:replay", "a curl command that repeats a request whose body was kept")
    replay.add_argument("id", metavar="ID", help="as `history` shows it")
    replay.add_argument("--shell", choices=["bash", "powershell"], default=_shell(), help="default: %(default)s")


def _shell() -> str:
    return "powershell" if os.name == "nt" else "bash"


def _moment(text: str) -> float:
    return moment(text, time.time())


def _limit(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f'expected a number of requests, got "{text}"')
    return int(text)


def _add_changes(commands: _Commands) -> None:
    _command(commands, "connect", "change:connect", "let Claude Code use the proxy, by its own settings")
    _command(commands, "disconnect", "change:disconnect", "put back what stood in Claude Code's settings")

    routing = _command(commands, "routing", "change:routing", "switch the chain on or off")
    routing.add_argument("state", choices=["on", "off"], help="off: one target serves alone, without fallback")

    order = _command(commands, "order", "change:order", "which providers to try first")
    order.add_argument("names", nargs="*", metavar="NAME", help="in this order; none: as in the file's sequence")


def _add_config(commands: _Commands) -> None:
    _command(commands, "path", "inquiry:config_path", "where the file lies")
    _command(commands, "show", "inquiry:config_show", "every value in force and where it comes from; secrets as ***")
    _command(commands, "edit", "change:config_edit", "open the file in your editor")
    key = _command(
        commands, "set", "change:config_set", "change one key of the file; every other character of it stays"
    )
    key.add_argument("key", metavar="KEY", help="dotted, as `config show` prints it: routing.max_wait_seconds")
    key.add_argument("words", nargs="+", metavar="VALUE", help="several for a list")


def _command(commands: _Commands, name: str, command: str, summary: str) -> argparse.ArgumentParser:
    one = commands.add_parser(name, help=summary, description=summary)
    one.add_argument("--config", type=Path, metavar="FILE", help="use this file (default: see `config path`)")
    one.add_argument("--data-dir", type=Path, metavar="DIR", help=_DATA_DIR)
    one.set_defaults(command=command)
    return one
