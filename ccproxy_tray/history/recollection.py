"""What has ended earlier today, out of the history: "today" is the day, and not the time since the last restart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from functools import partial

from ccproxy_tray.aside import apart
from ccproxy_tray.history.query import Unreadable
from ccproxy_tray.history.reader import Reader
from ccproxy_tray.journal.events import Ended
from ccproxy_tray.journal.row import OUTCOMES

_KINDS = {outcome: kind for kind, outcome in OUTCOMES.items()}


async def recollect(reader: Reader, started: float) -> Mapping[type[Ended], int]:
    """How many requests ended in each way on the local day of ``started`` (Unix seconds), before that moment.

    A history that cannot be read tells of none: whoever looks into it is told why.
    """
    midnight = datetime.combine(date.fromtimestamp(started), time.min).timestamp()
    try:
        found = await apart(partial(reader.ended, midnight, started), "lookup")
    except Unreadable:
        return {}
    return {_KINDS[outcome]: times for outcome, times in found.items() if outcome in _KINDS}
