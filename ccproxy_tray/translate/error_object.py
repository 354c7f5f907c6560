"""The ``error`` object of a Messages or chat body, in all the shapes in which servers send it.

Messages API: ``{"type", "message", "details"?}``. OpenRouter adds ``error_type`` and ``availability``, or, on
chat completions, ``{"code", "message", "metadata": {"error_type", "raw", ...}}``. Others put a bare string, a list
of one, or FastAPI's ``detail`` there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ccproxy_tray.translate.error_body import parsed

_DELAY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")
_MODERATION = ("moderation", "guardrail", "content policy", "flagged")


def error_object(answer: Any) -> Mapping[str, Any] | None:
    """The error object inside a parsed body; None when there is none."""
    if isinstance(answer, list) and answer:
        answer = answer[0]
    if not isinstance(answer, dict):
        return None
    error = answer.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str):
        return {**answer, "message": error}
    if "detail" in answer:
        return {"message": _detail(answer["detail"])}
    return answer if isinstance(answer.get("message"), str) else None


def _detail(detail: Any) -> str:
    """FastAPI's complaint: a text, or places and messages; the first is enough."""
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        places = detail[0].get("loc")
        where = [str(place) for place in places if place != "body"] if isinstance(places, list) else []
        return ": ".join(part for part in (".".join(where), str(detail[0].get("msg", ""))) if part)
    return str(detail)


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """Reads what is there and is not surprised by what is not."""

    error: Mapping[str, Any]
    otherwise: str = ""
    """The message for an error that has none."""

    def kinds(self) -> tuple[str, ...]:
        """Everything by which the error is classified, most specific first."""
        details, metadata = self._mapping("details"), self._mapping("metadata")
        found = (
            details.get("error_code"),
            self.error.get("error_type"),
            metadata.get("error_type"),
            self.error.get("code"),
            self.error.get("type"),
        )
        return tuple(kind for kind in found if isinstance(kind, str))

    def status(self) -> int:
        """The HTTP status that chat errors repeat as ``code``, as a number or as text; 0 when it is something else."""
        code = self.error.get("code")
        if isinstance(code, str) and code.isascii() and code.isdigit():
            code = int(code[:4])
        return code if isinstance(code, int) and 400 <= code < 600 else 0

    def message(self) -> str:
        """The innermost wording: what a provider behind OpenRouter said is what Claude Code acts on."""
        own = self.error.get("message")
        own = own if isinstance(own, str) and own else self.otherwise or "the provider gave no reason"
        where = self.error.get("param")
        if isinstance(where, str) and " " in where.strip():
            own = f"{own}: {where}"  # MiMo: no field's name, but the reason itself
        raw = self._mapping("metadata").get("raw")
        if not isinstance(raw, str) or not raw.strip():
            return own
        inner = error_object(parsed(raw.encode("utf-8", "replace")))
        said = inner.get("message") if inner else None
        return said if isinstance(said, str) and said else own

    def availability(self) -> Mapping[str, Any] | None:
        """OpenRouter's account of why a model is not to be had, if that is what the error is about."""
        for place in (self.error, self._mapping("metadata")):
            found = place.get("availability")
            if isinstance(found, dict):
                return found
        return None

    def retry_after(self) -> float | None:
        """Seconds to wait, where the object itself says so."""
        for place in (self.availability() or {}, self._mapping("metadata"), self.error):
            seconds = place.get("retry_after")
            if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < float("inf"):
                return float(seconds)
        return self._retry_delay()

    def moderated(self) -> bool:
        """The content was refused, not the key: another try elsewhere would only evade the rule."""
        metadata = self._mapping("metadata")
        message = self.message().lower()
        return "flagged_input" in metadata or "reasons" in metadata or any(cue in message for cue in _MODERATION)

    def is_context_overflow(self) -> bool:
        """OpenRouter's own name for it; other servers' wordings are known to Claude Code and stay."""
        names = (self.error.get("error_type"), self._mapping("metadata").get("error_type"))
        return "context_length_exceeded" in names

    def _retry_delay(self) -> float | None:
        """Gemini's, among the details (google.rpc.RetryInfo): ``34.07s``. It sends no header."""
        details = self.error.get("details")
        for detail in details if isinstance(details, list) else ():
            delay = detail.get("retryDelay") if isinstance(detail, dict) else None
            if isinstance(delay, str) and (match := _DELAY.fullmatch(delay)):
                return float(match[1])
        return None

    def _mapping(self, key: str) -> Mapping[str, Any]:
        value = self.error.get(key)
        return value if isinstance(value, dict) else {}
