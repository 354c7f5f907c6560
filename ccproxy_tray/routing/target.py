"""Targets: what is tried, what cools, what is shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProviderType(StrEnum):
    """The wire that a provider speaks."""

    BEDROCK = "bedrock"
    OPENROUTER = "openrouter"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Provider, model and region, resolved for one request.

    ``provider`` is the user's name for the account, ``model`` the provider's own name for the model,
    ``region`` is empty where the provider has none.
    """

    provider: str
    model: str
    region: str = ""

    def __str__(self) -> str:
        """``bedrock us-east-1 anthropic.claude-...``: the form used in stories, logs and /debug."""
        return " ".join(filter(None, (self.provider, self.region, self.model)))

    @property
    def account(self) -> Target:
        """What shares this target's credentials and credit: its provider in its region, as a target without a model.

        The region belongs to it: AWS refuses good credentials in a region that is not enabled for the account, and
        short-term Bedrock API keys are valid in one region only.
        """
        return Target(self.provider, "", self.region)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of a plan: a target, or the reason why it is skipped without being tried.

    ``skip`` is empty for a target that may be tried. ``remedy`` says what the user can do about a skip
    for want of credentials; it is empty when the request (and not the account) is the reason. ``no_model``: it is
    skipped because the provider has no such model.
    """

    target: Target
    skip: str = ""
    remedy: str = ""
    no_model: bool = False


class Need(StrEnum):
    """What one maker's servers insist on and others do not know. They say so in a refusal of their own wording."""

    THINKING = "thinking"
    """Every turn of the assistant brings its thinking (DeepSeek, Moonshot, Xiaomi), whoever spoke it."""
    CALL_SEALS = "call seals"
    """Every tool call brings a seal of the thinking behind it (Gemini)."""
    SHORT_IDS = "short ids"
    """Ids of tool calls are nine letters and digits (Mistral)."""
    NO_EFFORT = "no effort"
    """Tools go with no reasoning effort but an outspoken ``none`` (OpenAI's newer models in chat completions)."""
    PLAIN_SCHEMAS = "plain schemas"
    """Tools are described in the small part of JSON Schema that everybody reads (Gemini, OpenAI, Moonshot)."""
    LOOSE_FORMAT = "loose format"
    """The schema of an answer is no promise: only some schemas can be one (OpenAI)."""
    SETTLED_EDITS = "settled edits"
    """Thinking is cleared from the context only where there is some (Claude)."""
    NO_SYSTEM = "no system"
    """No message has the role ``system``."""


@dataclass(frozen=True, slots=True)
class Repairs:
    """Changes to a request that one target asked for, applied before it is sent there (again)."""

    strip_thinking: bool = False
    drop_fields: frozenset[str] = frozenset()
    drop_betas: frozenset[str] = frozenset()
    needs: frozenset[Need] = frozenset()
    most_output: int = 0
    """Most tokens that may be asked of the answer; 0: no such limit is known."""
    window: int = 0
    """Most tokens of the request and the answer that may be asked for, together; 0: nothing is known."""

    def __bool__(self) -> bool:
        dropped = self.strip_thinking or bool(self.drop_fields) or bool(self.drop_betas)
        return dropped or bool(self.needs) or bool(self.most_output) or bool(self.window)

    def __or__(self, other: Repairs) -> Repairs:
        if not other:
            return self
        return Repairs(
            self.strip_thinking or other.strip_thinking,
            self.drop_fields | other.drop_fields,
            self.drop_betas | other.drop_betas,
            self.needs | other.needs,
            min(filter(None, (self.most_output, other.most_output)), default=0),
            min(filter(None, (self.window, other.window)), default=0),
        )


NO_REPAIRS = Repairs()
