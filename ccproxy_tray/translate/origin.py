"""Who sent a request and what for, read off what Claude Code really sends."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ccproxy_tray.routing.origin import Kind, Origin
from ccproxy_tray.translate import jsontext
from ccproxy_tray.translate.jsontext import Json

_OLD_USER_ID = re.compile(r"_session_([0-9a-fA-F-]{36})$")


def origin(body: Mapping[str, Json], headers: Mapping[str, str]) -> Origin:
    """The origin of a checked request; header names in lower case."""
    agent = headers.get("x-claude-code-agent-id", "")
    return Origin(
        session=headers.get("x-claude-code-session-id", "") or _session(body),
        agent=agent,
        client=headers.get("user-agent", "").partition(" ")[0],
        kind=Kind.SUBAGENT if agent else Kind.MAIN,
    )


def _session(body: Mapping[str, Json]) -> str:
    """The session in ``metadata.user_id``: a JSON text since Claude Code 2.1, before that the end of the id."""
    user = (body.get("metadata") or {}).get("user_id")
    if not isinstance(user, str):
        return ""
    try:
        parsed = jsontext.parse(user.encode("utf-8", "replace"))
    except jsontext.JsonError:
        match = _OLD_USER_ID.search(user)
        return match[1] if match else ""
    session = parsed.get("session_id") if isinstance(parsed, dict) else None
    return session if isinstance(session, str) else ""
