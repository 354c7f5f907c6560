"""The client's request: parsed once, checked, and kept beside its original bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ccproxy_tray.errors import RequestError
from ccproxy_tray.routing.origin import Origin
from ccproxy_tray.translate import jsontext
from ccproxy_tray.translate.conversation import Conversations
from ccproxy_tray.translate.jsontext import Json
from ccproxy_tray.translate.memo import Memo
from ccproxy_tray.translate.origin import origin
from ccproxy_tray.translate.reading import Reading
from ccproxy_tray.translate.splice import replace_model
from ccproxy_tray.translate.survey import survey
from ccproxy_tray.translate.validation import check

VERSION = "2023-06-01"
"""The API version of a client that names none."""
_LONG_CONTEXT = "[1m]"
_BOM = b"\xef\xbb\xbf"
_NO_THREAD = "thread: no conversation is held here. Send the whole conversation, with or without a new thread."


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """One ``POST /v1/messages`` (or count_tokens) as the client sent it.

    ``reading`` is the body after inflation and what it says, which is never changed in place.
    ``model`` is the requested name without Claude Code's ``[1m]`` suffix (``long_context`` remembers it).
    ``credential`` is the client's own header pair, kept only for providers in pass-through mode.
    """

    reading: Reading = field(repr=False)
    model: str
    stream: bool
    betas: tuple[str, ...] = ()
    version: str = VERSION
    origin: Origin = Origin()
    long_context: bool = False
    credential: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def raw(self) -> bytes:
        """The bytes of the body."""
        return self.reading.raw

    @property
    def body(self) -> Mapping[str, Json]:
        """The body, parsed."""
        value: Mapping[str, Json] = self.reading.value
        return value

    @property
    def memo(self) -> Memo:
        """What is known about the parts of the body."""
        return self.reading.memo

    @property
    def session(self) -> str:
        """The conversation that it belongs to, empty when the client does not say."""
        return self.origin.session


def parse_request(
    raw: bytes, headers: Mapping[str, str], *, counting: bool = False, conversations: Conversations | None = None
) -> MessagesRequest:
    """Read and check a request; header names in lower case, repeated headers joined by ``", "``.

    ``counting`` is for count_tokens, which has no ``max_tokens``. What ``conversations`` know is not read again.
    Raises :class:`RequestError` (400) with one message that names the field; 404 for a conversation whose beginning
    the server should hold. What the Messages API alone can judge is left to it.
    """
    raw = raw.removeprefix(_BOM)
    conversations = conversations or Conversations()
    try:
        read = conversations.read(raw)
    except jsontext.JsonError as error:
        raise RequestError(400, f"The request body is not valid JSON: {error}") from None
    body = read.body
    if problem := check(body, counting=counting, known=read.messages):
        raise RequestError(400, problem)
    if "thread" in body and _goes_on(body["thread"]):
        raise RequestError(404, _NO_THREAD, details={"error_code": "thread_not_found"})
    conversations.keep(read)
    reading = Reading(raw, body, read.memo)
    survey(body, reading.memo)  # whoever serves asks for it: of a large request, it is taken in the thread that reads
    model: str = body["model"]
    long_context = model.lower().endswith(_LONG_CONTEXT)
    return MessagesRequest(
        reading,
        model=model[: -len(_LONG_CONTEXT)] if long_context else model,
        stream=body.get("stream") is True,
        betas=_betas(headers.get("anthropic-beta", "")),
        version=headers.get("anthropic-version", "") or VERSION,
        origin=origin(body, headers),
        long_context=long_context,
        credential=_credential(headers),
    )


def with_model(request: MessagesRequest, model: str) -> bytes:
    """The client's own bytes with another model name, every other byte untouched."""
    return request.raw if request.body["model"] == model else replace_model(request.raw, model)


def sent_body(request: MessagesRequest, body: Mapping[str, Json], model: str) -> bytes:
    """What goes on the wire for an edited body: the client's bytes as long as the edits changed nothing."""
    return (
        with_model(request, model) if body is request.body else jsontext.render({**body, "model": model}, finite=True)
    )


def _goes_on(thread: Json) -> bool:
    """Whether only new messages came, the others being held by who answered last (Messages API, ``thread``).

    That one may be away, and no other has them. Clients that hear so send the whole conversation again.
    """
    return isinstance(thread, dict) and thread.get("type") == "continue"


def _betas(header: str) -> tuple[str, ...]:
    names = (name.strip() for name in header.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _credential(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The official API prefers ``x-api-key`` when a client sends both."""
    return next(((name, headers[name]) for name in ("x-api-key", "authorization") if headers.get(name)), None)
