"""A request for one Claude model, made fit for another that answers in its place.

Only a substituted model needs this: the same model takes the same request wherever it runs. What changes is what the
other model would refuse outright (Messages API, "Extended thinking", "Adaptive thinking", "Effort", "Models
overview"); what the user asked for in substance stays.
"""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray import catalog
from ccproxy_tray.lineup import Capabilities
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.memo import NO_MEMO, Memo
from ccproxy_tray.translate.sharing import put, without
from ccproxy_tray.translate.survey import sound
from ccproxy_tray.translate.system_message import fold_system_messages
from ccproxy_tray.translate.thinking import settled, strip_thinking, without_thinking_parameter

Body = Mapping[str, Json]

MIN_BUDGET = 1024
"""Tokens; a smaller budget for thinking is refused."""
_BUDGET_SHARE = {"low": 0.2, "medium": 0.5, "high": 0.8}
"""How much of the answer an effort may spend on thinking, where thinking has a budget."""
_SAMPLING = ("temperature", "top_p", "top_k")


def fit(body: Body, requested: str, model: str, memo: Memo = NO_MEMO) -> Body:
    """The request as one of Claude's models takes it, whoever answered before and whatever model was asked for.

    The same object when nothing has to be done.
    """
    return adapt(settled(sound(body, memo)), requested, model)


def adapt(body: Body, requested: str, model: str) -> Body:
    """The request as ``model`` takes it; the same object when that is the requested one, or not one of Claude's."""
    if not catalog.is_claude(model) or catalog.normalise(requested) == catalog.normalise(model):
        return body
    can = catalog.capabilities(model)
    body = clamp_max_tokens(body, can.max_tokens)
    body = _thinking(body, can)
    body = _choice(body, can)
    body = clamp_effort(body, can)
    if not can.sampling:
        body = without(body, *_SAMPLING)
    return body if can.system_messages else fold_system_messages(body)


def clamp_max_tokens(body: Body, most: int) -> Body:
    """An answer no longer than the model can give, and a budget for thinking that fits into it."""
    if (body.get("max_tokens") or 0) <= most:
        return body
    body = put(body, "max_tokens", most)
    thinking = body.get("thinking") or {}
    return _with_budget(body, thinking, thinking.get("budget_tokens")) if thinking.get("type") == "enabled" else body


def clamp_effort(body: Body, can: Capabilities) -> Body:
    """Effort as far as the model goes: its highest value instead of a higher one, none where it takes none."""
    config = body.get("output_config")
    if not config or config.get("effort") in (None, *can.efforts):
        return body
    if can.efforts:
        highest = "high" if config["effort"] == "xhigh" else can.efforts[-1]
        return put(body, "output_config", {**config, "effort": highest})
    rest = without(config, "effort")
    return put(body, "output_config", rest) if rest else without(body, "output_config")


def _thinking(body: Body, can: Capabilities) -> Body:
    thinking = body.get("thinking") or {}
    kind = thinking.get("type")
    if not can.thinking:
        return strip_thinking(without_thinking_parameter(body))
    if kind == "disabled" and can.always_thinking:
        return without_thinking_parameter(body)
    if kind == "enabled" and not can.manual:
        return put(body, "thinking", {**without(thinking, "budget_tokens"), "type": "adaptive"})
    if kind in ("adaptive", "between_tools") and not can.adaptive:
        effort = str((body.get("output_config") or {}).get("effort"))
        share = _BUDGET_SHARE.get(effort, _BUDGET_SHARE["high"])
        return _with_budget(body, thinking, int((body.get("max_tokens") or 0) * share))
    return body


def _with_budget(body: Body, thinking: Mapping[str, Json], wanted: Json) -> Body:
    """Thinking with a budget that leaves room for an answer; off where there is no such budget."""
    most = (body.get("max_tokens") or 0) - 1
    if most < MIN_BUDGET or not isinstance(wanted, int):
        return without_thinking_parameter(body)
    budget = min(max(wanted, MIN_BUDGET), most)
    if thinking["type"] == "enabled" and budget == wanted:
        return body
    return settled(put(body, "thinking", {**thinking, "type": "enabled", "budget_tokens": budget}))


def _choice(body: Body, can: Capabilities) -> Body:
    """A forced tool where the model, or thinking with a budget, leaves the choice to the model."""
    choice = body.get("tool_choice")
    if not choice or choice.get("type") not in ("any", "tool"):
        return body
    if not can.forced_tools:
        return put(body, "tool_choice", {**without(choice, "name"), "type": "auto"})
    if (body.get("thinking") or {}).get("type") == "enabled":
        return without_thinking_parameter(body)
    return body
