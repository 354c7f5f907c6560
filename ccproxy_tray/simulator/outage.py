"""Outages as data: what the demo plays, and what tests can play too."""

from __future__ import annotations

from ccproxy_tray.simulator.faults import THROTTLED, Fault, Phase


def outage(seconds: float, *, healthy: int = 1, fault: Fault = THROTTLED) -> tuple[Phase, ...]:
    """So many good answers, then the fault for so many seconds, then good again for ever.

    The seconds count from the first request that meets the fault, so that whoever watches does meet it. Bedrock
    names no time to wait, so the fault has none either.
    """
    return (Phase(requests=healthy), Phase(fault, seconds=seconds), Phase())


DEMO = outage(20.0)
"""The demo: the first answer comes from Bedrock, then Bedrock throttles for a while, then it is back."""
