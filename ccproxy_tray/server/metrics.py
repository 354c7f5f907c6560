"""``GET /metrics``: the tally as Prometheus text ("Exposition formats").

Names and units follow Prometheus' "Metric and label naming". No label is a client's free text: see
:class:`~ccproxy_tray.journal.tally.Tally`.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from ccproxy_tray.journal.snapshot import Snapshot, cooling_now
from ccproxy_tray.journal.tally import BOUNDS, Distribution, Tally
from ccproxy_tray.redact import public

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MAX_COOLING = 100
Values = Iterable[tuple[Sequence[str], float]]
"""Values by their labels' values."""


def render(tally: Tally, snapshot: Snapshot, now: float) -> bytes:
    """The whole document, as :data:`CONTENT_TYPE`. To be called off the loop with a copy of the tally.

    The first call imports the library, which takes a while.
    """
    from prometheus_client import generate_latest

    return generate_latest(_Collector(tally, snapshot, now))


@dataclass(frozen=True, slots=True)
class _Collector:
    """What the library writes, out of counts that are not the library's: a request never waits for it."""

    tally: Tally
    snapshot: Snapshot
    now: float

    def collect(self) -> Iterator[Metric]:
        """All families, in the order of the document."""
        yield from self._program()
        yield from self._requests()
        yield from self._consumption()
        yield from self._cooling()
        yield _histogram("ccproxy_request_duration_seconds", "From arrival to end of a request.", self.tally.durations)
        yield _histogram(
            "ccproxy_first_event_seconds", "From arrival to the first content of an answer.", self.tally.first_events
        )

    def _program(self) -> Iterator[Metric]:
        build = (self.snapshot.version, platform.python_version())
        yield _gauge("ccproxy_build_info", "The program that runs.", ("version", "python_version"), [(build, 1)])
        yield _gauge(
            "ccproxy_start_time_seconds", "When the program was started, Unix time.", (), [((), self.snapshot.started)]
        )
        kept = 0 if self.snapshot.history else 1
        yield _gauge("ccproxy_history_ok", "0 while past requests cannot be kept, else 1.", (), [((), kept)])

    def _requests(self) -> Iterator[Metric]:
        yield _counter(
            "ccproxy_requests",
            "Ended requests, by who served or was tried last.",
            ("provider", "model", "outcome", "kind"),
            self.tally.requests.items(),
        )
        yield _counter(
            "ccproxy_attempts",
            "Tries of one target each, by what came of them.",
            ("provider", "region", "model", "result"),
            self.tally.attempts.items(),
        )
        yield _counter(
            "ccproxy_fallbacks",
            "Answered requests with a failed attempt before, by who failed first and who served.",
            ("from", "to"),
            self.tally.fallbacks.items(),
        )

    def _consumption(self) -> Iterator[Metric]:
        yield _counter(
            "ccproxy_tokens",
            "Tokens as Anthropic counts: input is what the cache neither served nor stored.",
            ("provider", "model", "type"),
            self.tally.tokens.items(),
        )
        yield _counter(
            "ccproxy_cost_usd",
            "Cost of the requests whose cost is known.",
            ("provider", "model"),
            self.tally.cost.items(),
        )
        yield _counter(
            "ccproxy_unpriced_requests",
            "Requests with tokens whose cost is not known.",
            (),
            [((), self.tally.unpriced)],
        )

    def _cooling(self) -> Iterator[Metric]:
        rows = cooling_now(self.snapshot, self.now)
        yield _gauge("ccproxy_cooling_targets", "Targets that are not tried now.", (), [((), len(rows))])
        left: dict[tuple[str, ...], float] = {}
        for row in rows[:_MAX_COOLING]:  # Two that differ only in what is masked are one series.
            key = (public(str(row.target)),)
            left[key] = max(left.get(key, 0.0), round(row.until - self.now, 3))
        yield _gauge("ccproxy_target_cooling_seconds", "Until a target is tried again.", ("target",), left.items())


def _counter(name: str, text: str, labels: Iterable[str], values: Values) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(name, text, labels=tuple(labels))
    for key, value in values:
        family.add_metric(key, value)
    return family


def _gauge(name: str, text: str, labels: Iterable[str], values: Values) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, text, labels=tuple(labels))
    for key, value in values:
        family.add_metric(key, value)
    return family


def _histogram(name: str, text: str, values: Mapping[str, Distribution]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, text, labels=("provider",))
    bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
    for provider, distribution in values.items():
        buckets = list(zip(bounds, accumulate(distribution.counts), strict=True))
        family.add_metric((provider,), buckets, distribution.seconds)
    return family
