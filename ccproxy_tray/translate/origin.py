"""Who sent a request and what for, read off what Claude Code really sends.

Claude Code marks its subagents' requests by a header and in its billing block, the first block of ``system``. Its
errands beside the conversation carry no mark; each has a shape that no request of a conversation has. What looks like
neither is ``main``: a conversation that goes astray is worse than an errand that costs a little more.

Every request passes here, so only a few keys are looked at, and never the length of a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ccproxy_tray.routing.origin import Kind, Origin
from ccproxy_tray.translate import jsontext
from ccproxy_tray.translate.jsontext import Json

MAX_NAME = 100
"""Characters of a name or an id; a client's own are much shorter."""
_CLAUDE_CODE = "claude-cli/"
_BILLING = "x-anthropic-billing-header:"
_SUBAGENT = "cc_is_subagent=true"
_BILLING_LINE = 500
"""The billing block is one line of about 100 characters."""
_USER_ID = 2000
"""A longer ``metadata.user_id`` is not Claude Code's, which has about 200 characters."""
_OLD_USER_ID = re.compile(r"_session_([0-9a-fA-F-]{36})$")
_SEARCH = "web_search_"
_VERDICT_END = "</block>"
"""Where the answer of auto mode's safety classifier is cut off."""


def origin(body: Mapping[str, Json], headers: Mapping[str, str]) -> Origin:
    """The origin of a checked request; header names in lower case."""
    client = _name(headers.get("user-agent", ""))
    agent = _name(headers.get("x-claude-code-agent-id", ""))
    billing = _billing(body.get("system"))
    search = _only_searches(body)
    return Origin(
        session=_name(headers.get("x-claude-code-session-id", "")) or _name(_session(body)),
        agent=agent,
        client=client,
        kind=_kind(
            body,
            claude_code=client.startswith(_CLAUDE_CODE) or bool(billing),
            subagent=bool(agent) or _SUBAGENT in billing,
            search=search,
        ),
        web_search=search,
    )


def _kind(body: Mapping[str, Json], *, claude_code: bool, subagent: bool, search: bool) -> Kind:
    """An errand is one whoever sends it: a subagent's web search is a web search."""
    if claude_code and (search or _is_probe(body) or _is_classifier(body)):
        return Kind.BACKGROUND
    if subagent:
        return Kind.SUBAGENT
    return Kind.BACKGROUND if claude_code and (_is_title(body) or _is_old_errand(body)) else Kind.MAIN


def _only_searches(body: Mapping[str, Json]) -> bool:
    """Claude Code's WebSearch asks a model that has nothing but the server's own tool (``web_search_20250305``)."""
    tools = body.get("tools") or ()
    return len(tools) > 0 and all((tool.get("type") or "").startswith(_SEARCH) for tool in tools)


def _is_probe(body: Mapping[str, Json]) -> bool:
    """One token is answer enough: to "quota" at the start of a session, in older versions to "test" for a new key."""
    return body.get("max_tokens") == 1 and len(body["messages"]) == 1 and not body.get("tools")


def _is_classifier(body: Mapping[str, Json]) -> bool:
    """Auto mode's question whether a tool call is safe: answered with ``<block>yes`` or ``<block>no``."""
    return body.get("stream") is not True and _VERDICT_END in (body.get("stop_sequences") or ())


def _is_title(body: Mapping[str, Json]) -> bool:
    """A title for the session. A user's ``--json-schema`` is a tool instead, so that the conversation has tools."""
    wanted = (body.get("output_config") or {}).get("format")
    return not body.get("tools") and isinstance(wanted, dict) and wanted.get("type") == "json_schema"


def _is_old_errand(body: Mapping[str, Json]) -> bool:
    """Titles and topics up to version 2.0: a Haiku without tools, at temperature 0, which no conversation has."""
    return not body.get("tools") and body.get("temperature") == 0 and "haiku" in body["model"].lower()


def _billing(system: Json) -> str:
    """Claude Code's billing line; empty without one."""
    first = system[0].get("text") if isinstance(system, list) and system else system
    if not isinstance(first, str) or not first.startswith(_BILLING):
        return ""
    return first[:_BILLING_LINE].partition("\n")[0]


def _name(text: str) -> str:
    """The first word of a header or an id, bounded and fit to be stored and shown."""
    word = "".join(text[: 2 * MAX_NAME].split(maxsplit=1)[:1])
    if not word.isprintable():
        word = "".join(character for character in word if character.isprintable())
    return word[:MAX_NAME]


def _session(body: Mapping[str, Json]) -> str:
    """The session in ``metadata.user_id``: a JSON text since Claude Code 2.1, before that the end of the id."""
    user = (body.get("metadata") or {}).get("user_id")
    if not isinstance(user, str) or len(user) > _USER_ID:
        return ""
    if match := _OLD_USER_ID.search(user):
        return match[1]
    try:
        parsed = jsontext.parse(user)
    except jsontext.JsonError:
        return ""
    session = parsed.get("session_id") if isinstance(parsed, dict) else None
    return session if isinstance(session, str) else ""
