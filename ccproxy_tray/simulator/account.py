"""One account at one provider: it counts, caches, signs, and gives out ids. Nothing is shared between accounts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ccproxy_tray.simulator import seal
from ccproxy_tray.simulator.brain import Ask
from ccproxy_tray.simulator.meter import PromptCache, output_tokens
from ccproxy_tray.simulator.model import Model
from ccproxy_tray.simulator.refusal import invalid
from ccproxy_tray.simulator.seal import Binding, Seal
from ccproxy_tray.simulator.turn import Block, Json, Redacted, Search, Text, Thinking, ToolUse, Turn

_INVALID = "{path}: Invalid `signature` in `thinking` block"
_MOVED = _INVALID + ". The block is bound to a different conversation."
_ALTERED = (
    "{path}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. "
    "These blocks must remain as they were in the original response."
)
_REDACTED = "{path}: Invalid `data` in `redacted_thinking` block"
_HIDDEN = "simulated hidden thought"


class Account:
    """What an upstream remembers between requests.

    ``binding`` says how strictly returned thinking is checked.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.binding = Binding.MODEL
        self._cache = PromptCache()

    def settle(self, turn: Turn, ask: Ask) -> Turn:
        """Complete a turn: within ``max_tokens``, with ids, signatures, a stop reason and token counts."""
        turn = _fit(_think_first(turn, ask), ask.body.get("max_tokens"))
        before = seal.fingerprint(ask.body["messages"])
        blocks = tuple(
            self._complete(block, before, f"{ask.number}.{index}") for index, block in enumerate(turn.blocks)
        )
        reason = turn.stop_reason or ("tool_use" if any(isinstance(b, ToolUse) for b in blocks) else "end_turn")
        settled = replace(turn, blocks=blocks, stop_reason=reason)
        if settled.tokens is None:
            output, thinking = output_tokens(settled)
            charged = self._cache.charge(ask.source.model, ask.body)
            settled = replace(settled, tokens=replace(charged, output=output, thinking=thinking))
        return settled

    def verify(self, messages: Sequence[Mapping[str, Json]], model: Model) -> None:
        """Refuse thinking that this account did not say, or not so, or not there ("Extended thinking")."""
        if self.binding is Binding.OFF:
            return
        by_model = self.binding is Binding.MODEL and model.binds_thinking
        bound = by_model or self.binding is Binding.CONVERSATION
        latest = max((n for n, m in enumerate(messages) if m.get("role") == "assistant"), default=-1)
        for index, message in enumerate(messages):
            if message.get("role") != "assistant" or isinstance(message.get("content"), str):
                continue
            before = seal.fingerprint(messages[:index])
            for place, block in enumerate(message.get("content") or ()):
                path = f"messages.{index}.content.{place}"
                found = self._judge(block, before)
                if found is Seal.MOVED and bound:
                    raise invalid(_MOVED.format(path=path))
                if found is Seal.ALTERED and index == latest:
                    raise invalid(_ALTERED.format(path=path))
                if found in (Seal.FOREIGN, Seal.ALTERED):
                    raise invalid((_REDACTED if "data" in block else _INVALID).format(path=path))

    def _judge(self, block: Mapping[str, Json], before: bytes) -> Seal:
        match block.get("type"):
            case "thinking":
                return seal.judge(self.name, str(block.get("signature")), str(block.get("thinking")), before)
            case "redacted_thinking":
                return seal.judge(self.name, str(block.get("data")), _HIDDEN, before)
            case _:
                return Seal.GOOD

    def _complete(self, block: Block, before: bytes, place: str) -> Block:
        match block:
            case Thinking(text, ""):
                return replace(block, signature=seal.mint(self.name, text, before))
            case Redacted(""):
                return replace(block, data=seal.mint(self.name, _HIDDEN, before))
            case ToolUse(id=""):
                return replace(block, id=self.mint_id("toolu_", place))
            case Search(id=""):
                return replace(block, id=self.mint_id("srvtoolu_", place))
            case _:
                return block

    def mint_id(self, prefix: str, place: str) -> str:
        """An id that no other request of any account gets, and that a rerun of the same test gets again."""
        digest = hashlib.sha256(f"{self.name} {place}".encode("utf-8", "replace")).hexdigest()
        return f"{prefix}01{digest[:22]}"


def _think_first(turn: Turn, ask: Ask) -> Turn:
    """Under manual thinking a model's first answer to a prompt always starts with thinking ("Extended thinking")."""
    manual = (ask.body.get("thinking") or {}).get("type") == "enabled"
    if not manual or ask.results or isinstance(turn.blocks[0], Thinking | Redacted):
        return turn
    return replace(turn, blocks=(Thinking("Let me think about that."), *turn.blocks))


def _fit(turn: Turn, max_tokens: Json) -> Turn:
    """Cut an answer at ``max_tokens``; a tool call that no longer fits is left out."""
    if not isinstance(max_tokens, int):
        return turn
    room = max_tokens
    kept: list[Block] = []
    for block in turn.blocks:
        need, _ = output_tokens(Turn((block,)))
        if need > room:
            kept.extend(_clip(block, room))
            return Turn(tuple(kept), "max_tokens", None, turn.tokens)
        room -= need
        kept.append(block)
    return turn


def _clip(block: Block, room: int) -> tuple[Block, ...]:
    return (Text(block.text[: room * 4]),) if isinstance(block, Text) and room > 0 else ()
