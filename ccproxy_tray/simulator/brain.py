"""What the simulated model answers: a function from a request to a turn. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ccproxy_tray.simulator.meter import listed
from ccproxy_tray.simulator.turn import Citation, Json, Search, Text, Thinking, ToolUse, Turn, say

AGENT_HEADER = "x-claude-code-agent-id"
_ECHO = 60
_REMINDER = re.compile(r"\s*<system-reminder>.*?(?:</system-reminder>\s*|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """Who answers, in the upstream's own names; ``region`` is empty where the provider has none."""

    provider: str
    model: str
    region: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.provider, self.region, self.model) if part)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as the model sees it: always in Messages form, whatever wire it came over.

    ``number`` counts the requests of one upstream from 1.
    """

    body: Mapping[str, Json]
    source: Source
    headers: Mapping[str, str] = field(default_factory=dict)
    number: int = 1

    @property
    def prompt(self) -> str:
        """The latest words of a human: the last user text that comes with no tool result and is no reminder."""
        index = self._prompt_index()
        return "" if index < 0 else "\n".join(_human(self.body["messages"][index]))

    @property
    def round(self) -> int:
        """How many times the model has spoken since those words."""
        later = self.body["messages"][self._prompt_index() + 1 :]
        return sum(1 for message in later if message.get("role") == "assistant")

    @property
    def results(self) -> tuple[Json, ...]:
        """The tool results that the request brings, in order; empty when it answers no tool call."""
        last: Mapping[str, Json] = next((m for m in reversed(self.body["messages"]) if m.get("role") != "system"), {})
        return tuple(block for block in listed(last.get("content")) if block.get("type") == "tool_result")

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools on offer."""
        return tuple(str(tool.get("name")) for tool in self.body.get("tools") or ())

    @property
    def agent(self) -> bool:
        """Whether a subagent of Claude Code asks, as far as its header or its billing block reached this wire."""
        blocks = listed(self.body.get("system"))
        return AGENT_HEADER in self.headers or bool(blocks and "cc_is_subagent=true" in str(blocks[0].get("text")))

    def _prompt_index(self) -> int:
        messages = self.body["messages"]
        return next((index for index in range(len(messages) - 1, -1, -1) if _human(messages[index])), -1)


Brain = Callable[[Ask], Turn]


def answer(ask: Ask) -> Turn:
    """The default brain: short, friendly, and says who it is; does what small side requests expect."""
    thinking = _thinks(ask)
    turn = _side_answer(ask) or say(_greeting(ask))
    return Turn((*thinking, *turn.blocks), turn.stop_reason, turn.stop_sequence)


def _greeting(ask: Ask) -> str:
    prompt = " ".join(ask.prompt.split())
    echo = prompt if len(prompt) <= _ECHO else prompt[:_ECHO] + "..."
    said = f' You said: "{echo}".' if echo else ""
    results = f" I have read {len(ask.results)} tool result(s)." if ask.results else ""
    return f"Hello from {ask.source}, simulated.{said}{results} Have a good day!"


def _thinks(ask: Ask) -> tuple[Thinking, ...]:
    kind = (ask.body.get("thinking") or {}).get("type")
    return (Thinking("The user is talking to a simulator. A short greeting will do."),) if _enabled(kind) else ()


def _enabled(kind: Json) -> bool:
    return kind in ("enabled", "adaptive", "between_tools")


def _side_answer(ask: Ask) -> Turn | None:
    body = ask.body
    if "</block>" in (body.get("stop_sequences") or ()):
        # Claude Code's safety classifier of auto mode expects this, cut at its stop sequence.
        return Turn((Text("<block>no"),), "stop_sequence", "</block>")
    wanted = (body.get("output_config") or {}).get("format")
    if wanted:
        return say(json.dumps(sample(wanted.get("schema") or {})))
    if str((body.get("tools") or [{}])[0].get("type", "")).startswith("web_search"):
        return search(ask.prompt)
    choice = body.get("tool_choice") or {}
    if choice.get("type") in ("any", "tool"):
        return _forced(ask, str(choice.get("name", "")))
    if ask.prompt.startswith("CRITICAL: Respond with TEXT ONLY"):
        return say("<analysis>All is well.</analysis>\n<summary>The user talked to a simulator.</summary>")
    return None


def search(query: str) -> Turn:
    """A turn in which the provider searched the web and leaned on what it found."""
    query = query.strip() or "nothing in particular"
    found = (
        Citation("https://example.com/first", "First result", "The first page says so."),
        Citation("https://example.com/second", "Second result", "The second page agrees."),
    )
    return Turn((Search(query, found), Text("The first page says so, and the second page agrees.", found)))


def _forced(ask: Ask, name: str) -> Turn:
    tools = [tool for tool in ask.body.get("tools") or () if not name or tool.get("name") == name]
    tool: Mapping[str, Json] = tools[0] if tools else {"name": name}
    return Turn((ToolUse(str(tool["name"]), sample(tool.get("input_schema") or {"type": "object"})),))


def sample(schema: Mapping[str, Json]) -> Json:
    """A small value that satisfies the plain parts of a JSON schema: types, required keys, enums, constants."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("anyOf"):
        return sample(schema["anyOf"][0])
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", ())
            return {key: sample(inner) for key, inner in (schema.get("properties") or {}).items() if key in wanted}
        case "array":
            return [sample(schema.get("items") or {})] if schema.get("minItems") else []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return "Simulated"


def _human(message: Mapping[str, Json]) -> list[str]:
    if message.get("role") != "user":
        return []
    blocks = listed(message.get("content"))
    if any(block.get("type") == "tool_result" for block in blocks):
        return []
    # Chat wires may have joined several blocks into one text, so reminders are taken out wherever they stand.
    texts = [_REMINDER.sub("", str(block["text"])) for block in blocks if block.get("type") == "text"]
    return [text for text in texts if text.strip()]
