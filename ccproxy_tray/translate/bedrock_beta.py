"""Betas in the body, as Bedrock takes them: those that it knows and that something in the request needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ccproxy_tray.lineup import Capabilities
from ccproxy_tray.translate import beta, tool_search
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.survey import CHANGE, TOOL_CHANGES, survey

Body = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class _Case:
    """What decides about a beta: what the client asked for (by family), the shaped body, the model."""

    asked: frozenset[str]
    request: MessagesRequest
    body: Body
    can: Capabilities

    def has_edit(self, start: str) -> bool:
        edits = (self.body.get("context_management") or {}).get("edits", ())
        return any(str(edit.get("type")).startswith(start) for edit in edits)

    def has_in_tools(self, key: str, tools: Body) -> bool:
        return any(tool.get(key) for tool in tools.get("tools") or ())

    def thinking(self, key: str) -> Json:
        return (self.body.get("thinking") or {}).get(key)

    def changes_tools(self) -> bool:
        """Whether changes of the tools are still there, now that the body is shaped."""
        return CHANGE in survey(self.request.body, self.request.memo) and any(
            block["type"] in TOOL_CHANGES
            for message in self.body["messages"]
            if isinstance(message["content"], list)
            for block in message["content"]
        )


_TABLE: tuple[tuple[str, Callable[[_Case], bool]], ...] = (
    ("interleaved-thinking-2025-05-14", lambda case: "interleaved-thinking" in case.asked and case.can.interleaved),
    (
        beta.LONG_CONTEXT,
        lambda case: case.can.long_context_beta and ("context-1m" in case.asked or case.request.long_context),
    ),
    ("tool-search-tool-2025-10-19", lambda case: tool_search.is_used(case.body)),
    ("thinking-token-count-2026-05-13", lambda case: "thinking-token-count" in case.asked and case.can.display),
    ("thinking-display-updates-2026-08-18", lambda case: case.thinking("display") == "updates"),
    ("thinking-binding-controls-2026-08-01", lambda case: case.thinking("block_binding") is not None),
    ("context-management-2025-06-27", lambda case: case.has_edit("clear_tool_uses")),
    ("compact-2026-01-12", lambda case: case.has_edit("compact")),
    ("dangerous-tool-use-2026-09-03", lambda case: "safeguards" in case.body),
    (
        "effort-2025-11-24",
        lambda case: case.can.effort_beta and "effort" in (case.body.get("output_config") or {}),
    ),
    ("tool-examples-2025-10-29", lambda case: case.has_in_tools("input_examples", case.body)),
    (
        "fine-grained-tool-streaming-2025-05-14",
        # The field itself is not Bedrock's; the beta alone does it there.
        lambda case: (
            "fine-grained-tool-streaming" in case.asked or case.has_in_tools("eager_input_streaming", case.request.body)
        ),
    ),
    ("mid-conversation-tool-changes-2026-07-01", lambda case: case.changes_tools()),
)
"""Every other beta is left out: Bedrock refuses the whole request for one that it does not know."""
_COMPUTER_USE = ("computer-use-2025-01-24", "computer-use-2025-11-24")


def bedrock_betas(request: MessagesRequest, body: Body, can: Capabilities) -> Iterator[str]:
    """The list for ``anthropic_beta``, in an order that does not depend on the client's. ``body`` is shaped already."""
    named = request.body.get("anthropic_beta")
    asked = (
        (*request.betas, *(name for name in named if isinstance(name, str)))
        if isinstance(named, list)
        else request.betas
    )
    case = _Case(frozenset(map(beta.family, asked)), request, body, can)
    yield from (name for name, is_wanted in _TABLE if is_wanted(case))
    yield from (name for name in _COMPUTER_USE if name in asked)
