"""Role ``system`` among the messages, for models that know only user and assistant.

Claude Code puts reminders there for the newest models, and into ``<system-reminder>`` blocks of user turns for
older ones; a reminder keeps its place in the conversation.
"""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.translate.jsontext import Json

Message = Mapping[str, Json]


def fold_system_messages(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """The conversation with its system messages as text of the neighbouring user turn; the same object without any."""
    messages = body["messages"]
    if not any(message["role"] == "system" for message in messages):
        return body
    folded: list[Message] = []
    only_reminders = False
    """Whether the last turn consists of reminders that no user's turn has taken up yet."""
    for message in messages:
        is_reminder = message["role"] == "system"
        turn = {"role": "user", "content": _reminders(message)} if is_reminder else message
        continues = bool(folded) and folded[-1]["role"] == turn["role"] == "user"
        if continues and (is_reminder or only_reminders):
            folded[-1] = _joined(folded[-1], turn)
            only_reminders = only_reminders and is_reminder
        else:
            folded.append(turn)
            only_reminders = is_reminder
    return {**body, "messages": folded}


def _joined(first: Message, second: Message) -> Message:
    """One turn of two. Results of tools have to come first in it (Messages API, "Tool use")."""
    blocks = [*_blocks(first), *_blocks(second)]
    return {**first, "content": sorted(blocks, key=lambda block: block["type"] != "tool_result")}


def _reminders(message: Message) -> list[Json]:
    return [_reminder(block) for block in _blocks(message) if block["type"] == "text" and block["text"].strip()]


def _reminder(block: Mapping[str, Json]) -> Mapping[str, Json]:
    return {**block, "text": f"<system-reminder>\n{block['text']}\n</system-reminder>"}


def _blocks(message: Message) -> list[Json]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
