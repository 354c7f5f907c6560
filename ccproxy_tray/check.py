"""What ``ccproxy-tray check`` finds out of each target: credentials, reachable, model known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ccproxy_tray.config.schema import Config, Loaded
from ccproxy_tray.dispatch.runtime import Runtime
from ccproxy_tray.errors import AttemptFailed
from ccproxy_tray.providers.base import Outgoing, Provider
from ccproxy_tray.providers.http import Transport
from ccproxy_tray.providers.table import providers
from ccproxy_tray.redact import redact, shown
from ccproxy_tray.routing.target import Candidate, Target
from ccproxy_tray.translate.messages import MessagesRequest

PATIENCE = 15.0
"""Seconds for everything that is asked of one target."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one target; each answer is ``yes``, ``no: why`` or ``unknown: why``."""

    target: str
    credentials: str
    reachable: str
    model: str

    @property
    def usable(self) -> bool:
        """Nothing speaks against it."""
        return not any(answer.startswith("no") for answer in (self.credentials, self.reachable, self.model))


async def check(config: Config, environ: Mapping[str, str], model: str) -> list[Finding]:
    """Look at every target of the route for ``model``. Asks for lists and key limits only: nothing is generated."""
    runtime = Runtime(config, providers(config.providers, environ))
    request = MessagesRequest(raw=b"", body={"model": model, "messages": []}, model=model, stream=False)
    await runtime.prepare(request)
    async with Transport(config.upstream.connect_timeout) as transport:
        looks = (_look(runtime, transport, candidate) for candidate in runtime.candidates(request))
        return list(await asyncio.gather(*looks))


async def _look(runtime: Runtime, transport: Transport, candidate: Candidate) -> Finding:
    target = candidate.target
    if candidate.skip:
        return Finding(str(target), f"no: {candidate.remedy or candidate.skip}", UNKNOWN, UNKNOWN)
    provider = runtime.providers[target.provider]
    try:
        async with asyncio.timeout(PATIENCE):
            probe = await provider.probe()
            if probe is None:
                return Finding(str(target), "unknown: the client brings its own", UNKNOWN, UNKNOWN)
            status, body = await _ask(transport, probe)
            credentials = _credentials(provider, status, body)
            return Finding(str(target), credentials, "yes", await _model(provider, transport, target))
    except TimeoutError:
        return Finding(str(target), UNKNOWN, f"no: no answer within {PATIENCE:g} s", UNKNOWN)
    except AttemptFailed as error:
        reason = shown(redact(error.failure.message))
        return Finding(str(target), UNKNOWN, f"no: {reason}", UNKNOWN)


async def _ask(transport: Transport, outgoing: Outgoing) -> tuple[int, bytes]:
    response = await transport.open(outgoing)
    try:
        return response.status, await response.read_whole()
    finally:
        response.close()


def _credentials(provider: Provider, status: int, body: bytes) -> str:
    if status == 200:
        return "yes"
    reason = shown(redact(provider.failure(status, {}, body).message))
    if status in (401, 403):
        return f"no: {reason}"
    return f"unknown: asked for a list, it answered {status} ({reason})"


async def _model(provider: Provider, transport: Transport, target: Target) -> str:
    """Whether the account lists the model; many may be used without being listed, so absence is only a doubt."""
    try:
        listing = await provider.listing(target)
        if listing is None:
            return UNKNOWN
        status, body = await _ask(transport, listing)
        known = provider.listed(body) if status == 200 else frozenset()
    except AttemptFailed:
        return UNKNOWN
    if target.model in known:
        return "yes"
    return f"no: not among the {len(known)} models that the account lists" if known else UNKNOWN


def report(loaded: Loaded, findings: Sequence[Finding], *, as_json: bool) -> str:
    """The findings for a terminal, or as JSON."""
    if as_json:
        rows = [asdict(finding) | {"usable": finding.usable} for finding in findings]
        return json.dumps({"config": loaded.path, "warnings": loaded.warnings, "targets": rows}, indent=2)
    lines = [f"{loaded.path or 'defaults and environment'}: valid"]
    lines += [f"warning: {warning}" for warning in loaded.warnings]
    for finding in findings:
        lines.append(f"{'ok ' if finding.usable else '-- '} {finding.target}")
        lines += [f"     {what}: {getattr(finding, what)}" for what in ("credentials", "reachable", "model")]
    return "\n".join(lines)
