"""Ready scripts that drive Claude Code through real work. A prompt picks its scenario by a tag, such as ``#tool-loop``.

Paths are taken from the prompt. The tools are Claude Code's own: Write, Read, Bash, Agent, WebSearch.
"""

from __future__ import annotations

import json
import re

from ccproxy_tray.simulator.brain import Ask, search
from ccproxy_tray.simulator.meter import listed
from ccproxy_tray.simulator.script import Rule, Script, When
from ccproxy_tray.simulator.turn import Json, Redacted, Text, Thinking, ToolUse, Turn, say

CONTENT = "written by the simulator"
"""What the tool loop writes into its file."""
SUBAGENT_ANSWER = "The subagent has looked and found a simulator."
DELTAS = 2000


def _paths(ask: Ask) -> tuple[str, ...]:
    """Absolute paths in the prompt."""
    return tuple(re.findall(r"(?:[A-Za-z]:[\\/]|/)[^\s\"'`,;]+", ask.prompt))


def results_text(ask: Ask) -> str:
    """Everything that the tool results say, as one text."""
    blocks = [inner for result in ask.results for inner in listed(result.get("content"))]
    return "\n".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")


def media(body: Json) -> tuple[int, int]:
    """How many images and documents a conversation holds, inside tool results or beside them."""
    found = json.dumps(body.get("messages"))
    return found.count('"type": "image"'), found.count('"type": "document"')


def _write(ask: Ask) -> Turn:
    return Turn((Text("I will write it."), ToolUse("Write", {"file_path": _paths(ask)[0], "content": CONTENT})))


def _read(ask: Ask) -> Turn:
    return Turn((ToolUse("Read", {"file_path": _paths(ask)[0]}),))


def _report(ask: Ask) -> Turn:
    seen = CONTENT if CONTENT in results_text(ask) else "something else"
    return say(f"Done. The file holds: {seen}")


def _parallel(ask: Ask) -> Turn:
    calls = tuple(ToolUse("Write", {"file_path": path, "content": CONTENT}) for path in _paths(ask))
    return Turn((Text("All at once."), *calls))


def _count_results(ask: Ask) -> Turn:
    return say(f"Done. {len(ask.results)} tools answered.")


def _media_calls(ask: Ask) -> Turn:
    return Turn(tuple(ToolUse("Read", {"file_path": path}) for path in _paths(ask)))


def _media_report(ask: Ask) -> Turn:
    images, documents = media(ask.body)
    return say(f"Done. I see {images} image(s) and {documents} document(s).")


def _search_call(ask: Ask) -> Turn:
    return Turn((ToolUse("WebSearch", {"query": ask.prompt.replace("#search", "").strip() or "simulators"}),))


def _search_report(ask: Ask) -> Turn:
    return say(_FOUND if "example.com/first" in results_text(ask) else "Done. The search did not find the first page.")


def _subagent_report(ask: Ask) -> Turn:
    return say(f"Done. The subagent says: {results_text(ask)}")


def _crew_report(ask: Ask) -> Turn:
    said = results_text(ask)
    heard = [name for name, words in (("looked", SUBAGENT_ANSWER), ("searched", _FOUND)) if words in said]
    return say(f"Done. {len(ask.results)} answered; subagents have {' and '.join(heard)}.")


_THOUGHT = "I should run a command and look at what it says."
_FOUND = "Done. The search found the first page."


def _agent(prompt: str) -> ToolUse:
    return ToolUse(
        "Agent",
        {
            "description": "look around",
            "prompt": prompt,
            "subagent_type": "general-purpose",
            "run_in_background": False,
        },
    )


_LAUNCH = Turn((Text("A subagent shall look."), _agent("#sub-task look around")))
_LAUNCH_CREW = Turn(
    (
        Text("Three at once."),
        _agent("#sub-task look around"),
        _agent("#search what a subagent wants to know"),
        ToolUse("WebSearch", {"query": "what the conversation wants to know"}),
    )
)

TOOL_LOOP = (
    Rule(When("#tool-loop", round=0), _write),
    Rule(When("#tool-loop", round=1), _read),
    Rule(When("#tool-loop"), _report),
)
PARALLEL = (Rule(When("#parallel", round=0), _parallel), Rule(When("#parallel"), _count_results))
SUBAGENT = (
    Rule(When("#sub-task"), say(SUBAGENT_ANSWER)),
    Rule(When("#subagent", round=0), _LAUNCH),
    Rule(When("#subagent"), _subagent_report),
)
CREW = (Rule(When("#crew", round=0), _LAUNCH_CREW), Rule(When("#crew"), _crew_report))
"""Two subagents, one of which searches the web, and a search of the conversation itself."""
THINKING = (
    Rule(
        When("#thinking", round=0),
        Turn(
            (
                Thinking(_THOUGHT),
                Text("Let me see."),
                ToolUse("Bash", {"command": "echo thought", "description": "echo"}),
            )
        ),
    ),
    Rule(
        When("#thinking", round=1),
        Turn(
            (
                Thinking("It said so. Once more."),
                Redacted(),
                ToolUse("Bash", {"command": "echo again", "description": "echo"}),
            )
        ),
    ),
    Rule(When("#thinking"), Turn((Thinking("Both commands ran."), Text("Done. I have thought twice.")))),
)
MANY_DELTAS = (
    Rule(
        When("#deltas"),
        Turn((Text("".join(f"w{n} " for n in range(DELTAS)), pieces=tuple(f"w{n} " for n in range(DELTAS))),)),
    ),
)
MEDIA = (Rule(When("#media", round=0), _media_calls), Rule(When("#media"), _media_report))
WEB_SEARCH = (
    Rule(When("", tool="web_search"), lambda ask: search(ask.prompt)),
    Rule(When("#search", round=0), _search_call),
    Rule(When("#search"), _search_report),
)

EVERYTHING = Script((*TOOL_LOOP, *PARALLEL, *SUBAGENT, *CREW, *THINKING, *MANY_DELTAS, *MEDIA, *WEB_SEARCH))
"""All scenarios in one script; a prompt without a tag gets the default answer."""
