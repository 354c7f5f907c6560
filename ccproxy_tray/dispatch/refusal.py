"""The answer to a client whom nobody served."""

from __future__ import annotations

import json
import re

from ccproxy_tray.dispatch.answer import Answer
from ccproxy_tray.errors import envelope
from ccproxy_tray.routing.command import Exhausted

_NO_ID = re.compile(rb'("request_id"\s*:\s*)null')


def refusal(end: Exhausted, request_id: str, attempts: int) -> Answer:
    """Anthropic's envelope with the headers that steer the client's retries."""
    headers = {"x-ccproxy-attempts": str(attempts)}
    if end.retry_after is not None:
        headers["retry-after"] = str(end.retry_after)
    if end.should_retry is not None:
        headers["x-should-retry"] = "true" if end.should_retry else "false"
    upstream = end.failure.body if end.failure is not None else b""
    body = _passed_on(upstream, request_id) if upstream else envelope(end.error_type, end.message, request_id)
    return Answer(end.status, headers, body)


def _passed_on(body: bytes, request_id: str) -> bytes:
    """An upstream's own envelope, byte for byte; one without a ``request_id`` gets ours, spliced in at its end.

    OpenRouter may say ``"request_id": null``: ours takes its place. Claude Code repairs its request by reading the
    message, so nothing of it is written anew.
    """
    if isinstance(json.loads(body).get("request_id"), str):
        return body
    end, own = body.rstrip(), json.dumps(request_id).encode()
    if b'"request_id"' in end:
        return _NO_ID.sub(lambda found: found[1] + own, end) if len(_NO_ID.findall(end)) == 1 else body
    return end[:-1] + b',"request_id":' + own + b"}" if end.endswith(b"}") else body
