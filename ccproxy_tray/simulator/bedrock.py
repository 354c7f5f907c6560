"""A simulated Amazon Bedrock: InvokeModel, InvokeModelWithResponseStream, CountTokens, and the lists of models.

Runtime and control plane share one port; the region is the one that the request was signed for.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import time

from ccproxy_tray.simulator import aws, dialect, sigv4
from ccproxy_tray.simulator.anthropic import API_KEY, omits_thinking
from ccproxy_tray.simulator.bedrock_frame import TABLE, break_json, exception_frame, flip, stream
from ccproxy_tray.simulator.body import Rules, check_fields, check_options
from ccproxy_tray.simulator.brain import Brain
from ccproxy_tray.simulator.conversation import check_messages
from ccproxy_tray.simulator.event import Head, message
from ccproxy_tray.simulator.faults import Route
from ccproxy_tray.simulator.meter import prompt_tokens
from ccproxy_tray.simulator.model import Model
from ccproxy_tray.simulator.play import Spoiler
from ccproxy_tray.simulator.record import Recorded
from ccproxy_tray.simulator.refusal import Cause, Refused, invalid
from ccproxy_tray.simulator.reply import Streamed, Whole, json_reply
from ccproxy_tray.simulator.turn import Json, Tokens
from ccproxy_tray.simulator.upstream import Settings, Upstream

ACCESS_KEY = "AKIASIMULATEDKEY0000"
SECRET_KEY = "simulated/secret+key/of/no/use/anywhere0"  # noqa: S105  # opens nothing but this simulator
VERSION = "bedrock-2023-05-31"
_DATED = "2026-10-21"
_ERROR_TYPE_TAIL = ":http://internal.amazon.com/coral/com.amazon.bedrock/"


class Bedrock(Upstream):
    """Checks the signature over the raw path, the model id, and the body; answers JSON or event-stream frames.

    ``credentials`` and ``api_key`` may be replaced. ``late_cache_counts`` withholds cache counts until the metrics
    on ``message_stop``, as Bedrock does at times.
    """

    def __init__(self, name: str, settings: Settings, brain: Brain) -> None:
        super().__init__(name, settings, brain)
        self.credentials = sigv4.Credentials(ACCESS_KEY, SECRET_KEY)
        self.api_key = API_KEY
        self.late_cache_counts = False

    def answer(self, record: Recorded) -> Whole | Streamed:
        """Route one request (Bedrock API Reference)."""
        match (record.method, record.segments):
            case ("POST", ("model", model_id, "invoke" | "invoke-with-response-stream" as operation)):
                record.route, record.model = Route.ANSWER, model_id
                record.stream = operation != "invoke"
                record.region = self._authenticate(record)
                return self._invoke(record, aws.resolve(model_id, record.region))
            case ("POST", ("model", model_id, "count-tokens")):
                record.route, record.model = Route.COUNT, model_id
                record.region = self._authenticate(record)
                return self._count_tokens(record, aws.foundation(model_id))
            case ("GET", ("inference-profiles" | "foundation-models" as kind, *rest)):
                record.route = Route.CATALOGUE
                record.region = self._authenticate(record)
                return _catalogue(kind, rest, record)
            case _:
                raise Refused(Cause.NOT_FOUND)

    def refusal(self, refused: Refused, record: Recorded) -> Whole:
        """``{"message"}``, or ``{"Message"}`` from the layer that checks API keys, and ``x-amzn-ErrorType``."""
        row = refused.row(TABLE)
        bearer = record.headers.get("authorization", "").startswith("Bearer ")
        key = "Message" if refused.cause is Cause.CREDENTIALS and bearer else "message"
        headers = {"x-amzn-errortype": row.name + _ERROR_TYPE_TAIL, "x-amzn-requestid": self._request_id(record)}
        return json_reply(row.status, {key: row.message}, {**headers, **refused.headers})

    def _request_id(self, record: Recorded) -> str:
        return f"00000000-0000-4000-8000-{record.number:012d}"

    def _authenticate(self, record: Recorded) -> str:
        """The region of the request, once its credentials have been found good."""
        scheme, _, key = record.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            if not hmac.compare_digest(key.encode(), self.api_key.encode()):
                raise Refused(
                    Cause.CREDENTIALS,
                    "Authentication failed: Please make sure your API Key is valid.",
                    name="AccessDeniedException",
                )
            return self.settings.region
        wire = sigv4.Wire(record.method, record.raw_path, record.headers, record.raw)
        return sigv4.verify(wire, self.credentials, time.time())

    def _invoke(self, record: Recorded, model: Model) -> Whole | Streamed:
        _check_body(record.body, model, thinking_first=self.thinking_first)
        self.account.verify(record.body["messages"], model)
        turn, _ = self.think(record, record.body, self.name, record.model)
        head = Head(self.account.mint_id("msg_bdrk_", str(record.number)), model.name, omits_thinking(record.body))
        tokens = turn.tokens or Tokens()
        headers = {"x-amzn-requestid": self._request_id(record)}
        if not record.stream:
            headers["x-amzn-bedrock-input-token-count"] = str(tokens.input)
            headers["x-amzn-bedrock-output-token-count"] = str(tokens.output)
            return json_reply(200, message(turn, head), headers, turn.tokens)
        headers["content-type"] = "application/vnd.amazon.eventstream"
        headers["x-amzn-bedrock-content-type"] = "application/json"
        frames = tuple(stream(turn, head, late=self.late_cache_counts))
        return Streamed(headers, frames, turn.tokens, Spoiler(exception_frame, flip, break_json))

    def _count_tokens(self, record: Recorded, model: Model) -> Whole:
        try:
            inner = json.loads(base64.b64decode(record.body["input"]["invokeModel"]["body"], validate=True))
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise invalid("The provided input is not valid: expected input.invokeModel.body") from None
        _check_body(inner, model, thinking_first=self.thinking_first)
        return json_reply(200, {"inputTokens": prompt_tokens(inner)})


def _check_body(body: Json, model: Model, *, thinking_first: bool) -> None:
    """Refuse what InvokeModel refuses in a Claude body (Bedrock, "Anthropic Claude Messages API")."""
    if not isinstance(body, dict):
        raise invalid("Malformed input request, please reformat your input and try again.")
    for key in ("model", "stream"):
        if key in body:
            raise invalid(
                f"Malformed input request: #: extraneous key [{key}] is not permitted, "
                "please reformat your input and try again."
            )
    betas = body.get("anthropic_beta") or []
    allowed = dialect.BEDROCK_BETAS | ({"claude-code-20250219"} if model.version < (4, 0) else set())
    if not isinstance(betas, list) or not allowed.issuperset(betas):
        raise invalid("invalid beta flag")
    version = body.get("anthropic_version")
    rules = Rules(dialect.BEDROCK, model, frozenset(betas), version == _DATED, thinking_first)
    check_fields(body, rules)
    # Models whose ids carry a version know only the first date; newer ones also take the API's own.
    if version != VERSION and not (version == _DATED and model.version >= (4, 7)):
        raise invalid(f"anthropic_version: Input should be '{VERSION}'")
    check_options(body, rules)
    check_messages(body, rules)


def _catalogue(kind: str, rest: list[str], record: Recorded) -> Whole:
    if kind == "foundation-models":
        return json_reply(200, {"modelSummaries": list(aws.foundation_models(record.region))})
    rows = list(aws.profiles(record.region))
    if rest:
        found = next((row for row in rows if rest[0] in (row["inferenceProfileId"], row["inferenceProfileArn"])), None)
        if found is None:
            raise Refused(Cause.MODEL_GONE, "The specified inference profile could not be found.")
        return json_reply(200, found)
    if record.query.get("type", "SYSTEM_DEFINED") != "SYSTEM_DEFINED":
        rows = []
    size, start = int(record.query.get("maxResults", "1000")), int(record.query.get("nextToken", "0"))
    page: dict[str, Json] = {"inferenceProfileSummaries": rows[start : start + size]}
    if start + size < len(rows):
        page["nextToken"] = str(start + size)
    return json_reply(200, page)
