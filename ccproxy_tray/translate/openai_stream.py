"""A streamed chat-completions answer as Anthropic's events (OpenAI, "Streaming"; OpenRouter, "Streaming")."""

from __future__ import annotations

from collections.abc import Iterator

from ccproxy_tray.errors import AttemptFailed, Failure, Fault, ProtocolError
from ccproxy_tray.translate.event_writer import EventWriter
from ccproxy_tray.translate.foreign import mapping, string
from ccproxy_tray.translate.jsontext import Json, JsonError, parse
from ccproxy_tray.translate.openai_answer import Answering, ChatAnswer
from ccproxy_tray.translate.openai_call import broken
from ccproxy_tray.translate.openai_reply import error_of
from ccproxy_tray.translate.openai_template import Template
from ccproxy_tray.translate.openai_tools import ToolNames
from ccproxy_tray.translate.openai_usage import counts_of, miscalled, rendered, searches, stop_reason, thought, usage
from ccproxy_tray.translate.sse import Event, SseDecoder
from ccproxy_tray.translate.stream import Progress, Usage

_DONE = b"[DONE]"
_BURST = 2048
"""Bytes that are worth looking for many events of one form."""
_TASTE = 512


class ChatStream:
    """A :class:`~ccproxy_tray.translate.stream.StreamCodec` for chat completions.

    ``model`` is the requested name, which is echoed. ``input_estimate`` is what ``message_start`` says of the input:
    chat servers count at the end only, and a zero would show Claude Code an empty context until then.
    """

    def __init__(
        self,
        *,
        model: str,
        message_id: str,
        names: ToolNames,
        input_estimate: int = 0,
        searched: str = "",
        omit_thinking: bool = False,
    ) -> None:
        self.progress = Progress(model=model, usage=Usage(input_tokens=input_estimate, estimated=True))
        self.failure: Failure | None = None
        self._message_id = message_id
        self._estimate = input_estimate
        self._decoder = SseDecoder()
        self._template = Template()
        self._writer = EventWriter(self.progress)
        self._answer = ChatAnswer(self._writer, Answering(message_id, names, searched, omit_thinking))
        self.progress.tools = self._answer.tools
        self._finish_reason = ""
        self._native = ""
        self._usage: Json = None
        self._at_end = False

    def feed(self, data: bytes) -> bytes:
        """Take upstream bytes; what follows the end or a failure is ignored."""
        if self.failure is not None or self.progress.finished:
            return b""
        try:
            for _, payload in self._decoder.feed(data) if len(data) <= _BURST else self._unusual(data):
                self._event(payload)
                if self.failure is not None or self.progress.finished:
                    break
        except AttemptFailed as failed:
            self.failure = failed.failure
        except (ProtocolError, JsonError) as error:
            # Behind the finish reason only the counts can be torn, which is no reason to ask for all of it again.
            if not (self._at_end and self._finish_reason and isinstance(error, JsonError)):
                self.failure = Failure(Fault.BROKEN, f"the provider's stream is broken: {error}", 502)
        return self._writer.take()

    def finish(self) -> bytes:
        """The upstream's bytes have ended. An answer that had its finish reason is complete without ``[DONE]``."""
        self._at_end = True
        # Some servers leave out the blank line behind their last event.
        last = self.feed(b"\n\n")
        if self.failure is None and not self.progress.finished:
            last += self._closed()
        return last

    def _closed(self) -> bytes:
        try:
            self._end()
        except AttemptFailed as failed:
            self.failure = failed.failure
        return self._writer.take()

    def _unusual(self, data: bytes) -> Iterator[Event]:
        """The events but for the first burst of usual ones, which is taken as a whole."""
        done = 0
        while len(data) - done > _BURST:
            if self._template.key and self._decoder.between:
                texts, end = self._template.run(data, done)
                if texts and self._answer.all_go_on(self._template.key, texts):
                    done = end
                break
            # Until there is a form to go by, and a place where an event begins.
            end = data.find(b"\n\n", done + _TASTE) + 2
            if end < 2:
                break
            yield from self._decoder.feed(data[done:end])
            done = end
        yield from self._decoder.feed(data[done:])

    def _event(self, payload: bytes) -> None:
        if (text := self._template.text(payload)) and self._answer.goes_on(self._template.key, text):
            return
        if payload == _DONE:
            self._end()
            return
        chunk = mapping(parse(payload, duplicates=True))
        choices = chunk.get("choices")
        choice = mapping(choices[0]) if isinstance(choices, list) and choices else {}
        suspect = not choice or "error" in chunk or "error" in choice or choice.get("finish_reason") == "error"
        if suspect and (failure := error_of(chunk)):
            self.failure = failure
            return
        self._start()
        if counts := counts_of(chunk, choice):
            self._usage = counts
        if choice and not choice.get("index"):  # one answer was asked for
            self._choice(choice)
            self._template.learn(payload, chunk)

    def _choice(self, choice: dict[str, Json]) -> None:
        if delta := mapping(choice.get("delta")):
            self._answer.take(delta)
        if annotations := choice.get("annotations"):
            self._answer.cite(annotations)
        self._finish_reason = string(choice.get("finish_reason")) or self._finish_reason
        self._native = string(choice.get("native_finish_reason")) or self._native
        self.progress.concluded = bool(self._finish_reason)

    def _start(self) -> None:
        if self.progress.started:
            return
        self._writer.start(
            {
                "id": self._message_id,
                "type": "message",
                "role": "assistant",
                "model": self.progress.model,
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": rendered(self.progress.usage, 0),
            }
        )

    def _end(self) -> None:
        if not self._finish_reason:
            self.failure = Failure(Fault.BROKEN, "the provider's stream ended before its answer did", 502)
            return
        self._answer.end(searches(self._usage))
        if not self._answer.tools and miscalled(self._finish_reason, self._native):
            raise broken("a tool call that it could not read itself")
        counted = usage(self._usage, input_estimate=self._estimate, characters=self._answer.characters)
        self.progress.usage = counted
        reason = stop_reason(
            self._finish_reason, self._native, called=bool(self._answer.tools), refused=self._answer.refused
        )
        self._writer.end(reason, self._last_counts(counted))

    def _last_counts(self, counted: Usage) -> dict[str, Json]:
        counts = rendered(counted, self._answer.searches, thought(self._usage))
        # Claude Code takes a zero here for "as message_start said": all of a cached prompt would count twice.
        counts["input_tokens"] = max(counts["input_tokens"], min(1, self._estimate))
        return counts
