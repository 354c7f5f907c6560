"""What ``ccproxy-tray check`` finds out of each target: credentials, reachable, model known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from ccproxy_tray.config.schema import Config, Loaded
from ccproxy_tray.dispatch.runtime import Runtime
from ccproxy_tray.errors import AttemptFailed, Failure, Fault
from ccproxy_tray.providers.base import Outgoing, Provider
from ccproxy_tray.providers.faults import without
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.providers.table import providers
from ccproxy_tray.redact import shown
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.reading import Reading

PATIENCE = 15.0
"""Seconds for everything that is asked of one target."""


class Known(StrEnum):
    """How far a question could be answered."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one question, with the reason where there is one; shown as ``no: connection refused``."""

    known: Known
    why: str = ""

    def __str__(self) -> str:
        return f"{self.known}: {self.why}" if self.why else str(self.known)


YES = Found(Known.YES)
UNKNOWN = Found(Known.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one target."""

    target: Target
    credentials: Found = UNKNOWN
    reachable: Found = UNKNOWN
    model: Found = UNKNOWN

    @property
    def usable(self) -> bool:
        """Nothing speaks against it."""
        return all(found.known is not Known.NO for found in self.answers.values())

    @property
    def answers(self) -> Mapping[str, Found]:
        """Each question with its answer, in the order in which one would look."""
        return {"credentials": self.credentials, "reachable": self.reachable, "model": self.model}


async def check(config: Config, environ: Mapping[str, str], model: str) -> list[Finding]:
    """Look at every target that may serve ``model``: of its route, and of those by what a request is for.

    Asks for lists and key limits only: nothing is generated.
    """
    runtime = Runtime(config, providers(config.providers, environ))
    body = {"model": model, "messages": []}
    brought = ("x-api-key", "")  # the client's own credential, which is not known here and never sent
    request = MessagesRequest(Reading(b"", body), model=model, stream=False, credential=brought)
    plans = [await runtime.plan(request)]
    plans += [await runtime.along(route, request) for route in config.routing.models if route.trait is not None]
    found: dict[Target, Candidate] = {}
    for candidate in chain.from_iterable(plan.candidates for plan in plans):
        found.setdefault(candidate.target, candidate)
    async with Transport(config.upstream.connect_timeout) as transport:
        looks = (_look(runtime, transport, candidate) for candidate in found.values())
        return list(await asyncio.gather(*looks))


async def _look(runtime: Runtime, transport: Transport, candidate: Candidate) -> Finding:
    target = candidate.target
    if candidate.skip:
        return Finding(target, Found(Known.NO, candidate.remedy or candidate.skip))
    provider = runtime.providers[target.provider]
    try:
        async with asyncio.timeout(PATIENCE):
            probe = await provider.probe()
            if probe is None:
                return Finding(target, Found(Known.UNKNOWN, "the client brings its own"))
            status, body = await _ask(transport, probe)
            credentials = _credentials(status, without(probe.secrets, provider.failure(status, {}, body)))
            return Finding(target, credentials, YES, await _model(provider, transport, target))
    except TimeoutError:
        return Finding(target, reachable=Found(Known.NO, f"no answer within {PATIENCE:g} s"))
    except AttemptFailed as error:
        return Finding(target, **_went_wrong(error.failure))


def _went_wrong(failure: Failure) -> dict[str, Found]:
    """Which question a failed probe answers: without usable credentials nobody was asked."""
    question = "credentials" if failure.fault is Fault.CREDENTIALS else "reachable"
    return {question: Found(Known.NO, shown(failure.message))}


async def _ask(transport: Transport, outgoing: Outgoing) -> tuple[int, bytes]:
    response = await transport.open(outgoing)
    try:
        return response.status, await response.read_whole()
    finally:
        response.close()


def _credentials(status: int, failure: Failure) -> Found:
    if status == 200:
        return YES
    reason = shown(failure.message)
    if status in (401, 403):
        return Found(Known.NO, reason)
    return Found(Known.UNKNOWN, f"asked for a list, it answered {status} ({reason})")


async def _model(provider: Provider, transport: Transport, target: Target) -> Found:
    """Whether the account lists the model. A list that cannot be had proves nothing."""
    try:
        listing = await provider.listing(target)
        if listing is None:
            return UNKNOWN
        status, body = await _ask(transport, listing)
        known = provider.listed(body) if status == 200 else frozenset()
    except AttemptFailed:
        return UNKNOWN
    if target.model in known:
        return YES
    return Found(Known.NO, f"not among the {len(known)} models that the account lists") if known else UNKNOWN


def report(loaded: Loaded, findings: Sequence[Finding], *, as_json: bool) -> str:
    """The findings for a terminal, or as JSON."""
    if as_json:
        rows = [
            {"target": str(finding.target), **{what: str(found) for what, found in finding.answers.items()}}
            | {"usable": finding.usable}
            for finding in findings
        ]
        return json.dumps({"config": loaded.path, "warnings": loaded.warnings, "targets": rows}, indent=2)
    lines = [f"{loaded.path or 'defaults and environment'}: valid"]
    lines += [f"warning: {warning}" for warning in loaded.warnings]
    for finding in findings:
        lines.append(f"{'ok ' if finding.usable else '-- '} {finding.target}")
        lines += [f"     {what}: {found}" for what, found in finding.answers.items()]
    return "\n".join(lines)
