"""The commands that look back: what was asked, what it came to, and once more the same.

They read the history's own file, whether or not the proxy runs, and write nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccproxy_tray.cli import curl, sheet
from ccproxy_tray.cli.invocation import FAILED, OK, Command, address_of, loaded_for
from ccproxy_tray.cli.output import complain, pour
from ccproxy_tray.config import files
from ccproxy_tray.errors import CcproxyError
from ccproxy_tray.redact import escape
from ccproxy_tray.routing.story import short_model

if TYPE_CHECKING:
    from ccproxy_tray.history.reader import Reader  # imported where it is used: few commands need a database

Row = Mapping[str, Any]
COLUMNS = (
    "id", "time", "session", "agent", "kind", "client", "requested", "provider", "model", "region", "stream", "outcome",
    "status", "stop_reason", "first_event_ms", "total_ms", "input", "output", "cache_read", "cache_write", "estimated",
    "cost", "tools", "tries", "story", "error",
)  # fmt: skip
_HEAD = ("TIME", "KIND", "ASKED FOR", "SERVED BY", "OUTCOME", "ID", "FIRST", "TOTAL", "IN", "OUT", "CACHED", "COST")
_SMOOTH = "served"
_SUMS = ("REQUESTS", "FAILED", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE", "HIT RATE", "COST")
_UNKNOWN = "unknown"
_NOBODY = "nobody"
"""Who answers a request that no provider was tried for."""


class Nothing(CcproxyError):
    """What was asked for is not in the history."""


def _readable(command: Command) -> Command:
    """The command with what may be wrong with the file told in a sentence."""

    def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
        from ccproxy_tray.history.query import Unreadable

        try:
            return command(args, environ)
        except Unreadable as error:
            complain(str(error))
            return FAILED

    return run


@_readable
def history(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Past requests, the latest first."""
    from ccproxy_tray.history.query import FAILED as WENT_WRONG
    from ccproxy_tray.history.query import Query

    query = Query(
        text=args.search,
        provider="" if args.provider == _NOBODY else args.provider,
        outcome=WENT_WRONG if args.failed else "",
        session=args.session,
        since=args.since,
        until=args.until,
    )
    found = islice(_reader(environ).rows(query), args.limit or None)
    if args.json:
        pour(_json_array(found))
    elif args.csv:
        pour(sheet.csv_lines(found, COLUMNS))
    else:
        pour(f"{line}\n" for line in _table(list(found)))
    return OK


@_readable
def usage(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Sums of tokens and cost."""
    from ccproxy_tray.history.query import By

    reader, until = _reader(environ), time.time()
    rows = [_priced(row) for row in reader.totals(args.since, until, By(args.by))]
    if args.by == "session":  # whose names tell nothing
        rows.sort(key=lambda row: (row["cost"] or 0, row["input"] + row["output"]), reverse=True)
    total = next((_priced(row) for row in reader.totals(args.since, until)), {})
    if args.json:
        document = {"since": args.since, "until": until, "by": args.by, "rows": rows, "total": total}
        pour([f"{json.dumps({**document, 'prices': _prices()}, indent=2)}\n"])
    else:
        pour(f"{line}\n" for line in _sums(rows, total, args.by))
    return OK


@_readable
def replay(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """The command that repeats a request."""
    reader = _reader(environ)
    if reader.request(args.id) is None:
        raise Nothing(f"There is no request {args.id} in the history")
    body = reader.body(args.id)
    if body is None:
        raise Nothing(
            f"What request {args.id} said was not kept: with history.bodies true, later requests can be repeated"
        )
    if not _whole(body.request):
        raise Nothing(
            f"What request {args.id} said was kept only in part ({body.request_size} bytes were too many): "
            "it cannot be repeated"
        )
    loaded = loaded_for(args, environ)
    url = f"{address_of(loaded, args, environ)}/v1/messages"
    headers = {"content-type": "application/json", **{name.lower(): value for name, value in body.headers.items()}}
    said = curl.harmless(body.request) if sys.stdout is not None and sys.stdout.isatty() else body.request
    written = curl.powershell if args.shell == "powershell" else curl.bash
    pour([written(url, headers, said, token=bool(loaded.config.server.token))])
    return OK


def _reader(environ: Mapping[str, str]) -> Reader:
    from ccproxy_tray.history.reader import Reader
    from ccproxy_tray.history.recorder import FILE

    path = files.data_dir(environ) / FILE
    if not _stands(path):
        raise Nothing(
            f"There is no history yet ({path}): the proxy keeps one while it runs, unless history.enabled is false"
        )
    return Reader(path)


def _stands(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # reading it will say what is wrong


def _json_array(rows: Iterable[Row]) -> Iterator[str]:
    start = "["
    for row in rows:
        yield f"{start}\n{json.dumps(row)}"
        start = ","
    yield "\n]\n" if start == "," else "[]\n"


def _table(rows: list[Row]) -> Iterator[str]:
    """One line for each request, and more below each that did not go smoothly."""
    if not rows:
        yield "No such requests."
        return
    form = _form(rows)
    lines = iter(sheet.aligned(_HEAD, (_cells(row, form) for row in rows), left=6))
    yield next(lines)
    for row, line in zip(rows, lines, strict=True):
        yield line
        if row["outcome"] != _SMOOTH:
            yield "    " + escape(row["error"] or row["story"])
            if row["error"] and row["tries"]:
                yield "    " + escape(row["story"])


def _form(rows: Iterable[Row]) -> str:
    """How moments are written: with the year where one of them is of another one."""
    this = datetime.fromtimestamp(time.time()).year
    same = all(datetime.fromtimestamp(row["time"]).year == this for row in rows)
    return "%m-%d %H:%M:%S" if same else "%Y-%m-%d %H:%M:%S"


def _cells(row: Row, form: str) -> tuple[str, ...]:
    about = "~" if row["estimated"] else ""
    tokens = row["input"] + row["output"] + row["cache_read"] + row["cache_write"]
    return (
        datetime.fromtimestamp(row["time"]).strftime(form),
        row["kind"],
        short_model(row["requested"]),
        " ".join(filter(None, (row["provider"] or _NOBODY, row["region"]))),
        row["outcome"],
        row["id"],
        _seconds(row["first_event_ms"]),
        _seconds(row["total_ms"]),
        about + sheet.count(row["input"]),
        about + sheet.count(row["output"]),
        about + sheet.count(row["cache_read"] + row["cache_write"]),
        _cost(row["cost"], used=tokens > 0),
    )


def _seconds(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def _cost(cost: float | None, *, used: bool) -> str:
    """``used``: whether any token was counted; without one there is nothing to be paid."""
    if not (cost or used):
        return "-"
    return _UNKNOWN if cost is None else sheet.usd(cost)


def _priced(row: Row) -> dict[str, Any]:
    """Sums with the cache's share of the prompts; a cost of which nothing is known is null, not 0."""
    prompt = row["input"] + row["cache_read"] + row["cache_write"]
    cost = None if row["unpriced"] and not row["cost"] else row["cost"]
    return {**row, "cost": cost, "hit_rate": round(row["cache_read"] / prompt, 4) if prompt else None}


def _sums(rows: list[dict[str, Any]], total: Mapping[str, Any], by: str) -> Iterator[str]:
    if not rows:
        yield "No requests in that time."
        return
    lines = [(_key(row["key"], by), *_numbers(row)) for row in rows]
    if len(rows) > 1:
        lines.append(("total", *_numbers(total)))
    yield from sheet.aligned((by.upper(), *_SUMS), lines, left=1)
    yield ""
    prices = _prices()
    yield f"Cost as the provider says it, else by list prices of {prices['date']} ({prices['made_from']})."
    if total["unpriced"]:
        requests = "1 request" if total["unpriced"] == 1 else f"{total['unpriced']} requests"
        yield f"Not in it: {requests} whose price is not known."


def _key(key: str, by: str) -> str:
    return key or {"provider": _NOBODY, "session": "no session"}.get(by, "unknown")


def _numbers(row: Mapping[str, Any]) -> tuple[str, ...]:
    counts = [row[key] for key in ("input", "output", "cache_read", "cache_write")]
    cost = _cost(row["cost"], used=any(counts))
    if row["unpriced"] and row["cost"] is not None:
        cost += f" + {row['unpriced']} unknown"
    hits = "-" if row["hit_rate"] is None else f"{row['hit_rate']:.0%}"
    return (str(row["requests"]), str(row["failed"]), *map(sheet.count, counts), hits, cost)


def _prices() -> dict[str, str]:
    from ccproxy_tray.prices.table import table

    return {"made_from": table().made_from, "date": table().date}


def _whole(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
