"""The commands that find something out and change nothing."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
from collections.abc import Mapping

from ccproxy_tray.cli.invocation import BAD_CONFIG, FAILED, OK, address_of, loaded_for, path_of, url_of
from ccproxy_tray.cli.output import complain, say
from ccproxy_tray.config import files
from ccproxy_tray.config.schema import Config, Loaded
from ccproxy_tray.desktop.environment import Shell, guess_shell, lines
from ccproxy_tray.errors import ConfigError
from ccproxy_tray.redact import Redactor


def check(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Whether any target can serve."""
    from ccproxy_tray.check import check as look  # the providers' libraries are needed by few commands only
    from ccproxy_tray.check import report

    loaded = loaded_for(args, environ)
    findings = asyncio.run(look(loaded.config, environ, args.model))
    say(report(loaded, findings, as_json=args.json))
    return OK if any(finding.usable for finding in findings) else FAILED


def doctor(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Whether all is well; a configuration that cannot be used is a part of the report."""
    from ccproxy_tray import doctor as examination  # as above

    logging.getLogger("ccproxy_tray").addHandler(logging.NullHandler())  # what it says is the report
    loaded: Loaded | None = None
    problems: tuple[str, ...] = ()
    try:
        loaded = loaded_for(args, environ)
    except ConfigError as error:
        problems = error.problems
    url = url_of(loaded or Loaded(Config(), "", {}), args, environ)
    subject = examination.Subject(
        loaded, problems, path_of(args, environ), url, environ, files.home(), files.folder(), files.data_dir(environ),
        args.model, args.live,
    )  # fmt: skip
    if args.live and loaded is not None:
        complain(examination.SPENDING)
    report = asyncio.run(examination.examine(subject))
    say(report.json() if args.json else report.text())
    return BAD_CONFIG if problems else OK if report.well else FAILED


def status(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """What the running proxy says of itself."""
    from ccproxy_tray.status import fetch, summary

    loaded = loaded_for(args, environ)
    document = fetch(url_of(loaded, args, environ), loaded.config.server.token.reveal())
    say(json.dumps(document, indent=2) if args.json else summary(document))
    return OK


def env(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """The lines for a shell."""
    loaded = loaded_for(args, environ)
    shell = Shell(args.shell) if args.shell else guess_shell(environ, windows=os.name == "nt")
    say(lines(shell, address_of(loaded, args, environ), loaded.config.server.token.reveal(), environ))
    return OK


def config_path(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Where the file lies."""
    say(str(path_of(args, environ)))
    return OK


def config_show(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Every value in force."""
    from ccproxy_tray.config.show import shown

    loaded = loaded_for(args, environ)
    say(shown(loaded).rstrip())
    redactor = Redactor(loaded.config.secrets())  # a key may have been pasted into the wrong line
    complain(*(f"warning: {redactor.redact(warning)}" for warning in loaded.warnings))
    return OK
