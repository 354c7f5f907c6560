"""AWS Bedrock: InvokeModel and InvokeModelWithResponseStream, signed, in the user's regions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import quote

from ccproxy_tray import catalog
from ccproxy_tray.config.schema import ProviderConfig, Variant
from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.providers.aws import AwsAccount
from ccproxy_tray.providers.base import Call, Outgoing, Reply
from ccproxy_tray.providers.dialect import counted, listed, own_model, shaped
from ccproxy_tray.routing.target import Candidate, ProviderType, Target
from ccproxy_tray.translate import bedrock, faults, jsontext, whole
from ccproxy_tray.translate.bedrock_stream import BedrockStream
from ccproxy_tray.translate.error_body import header
from ccproxy_tray.translate.messages import MessagesRequest
from ccproxy_tray.translate.stream import StreamCodec

JSON = "application/json"
EVENTS = "application/vnd.amazon.eventstream"
_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){1,6}")


class BedrockProvider:
    """One AWS account (or bearer key) in any number of regions."""

    type = ProviderType.BEDROCK

    def __init__(self, config: ProviderConfig, environ: Mapping[str, str]) -> None:
        self.name = config.name
        self._config = config
        self._profiles: dict[str, frozenset[str]] = {}
        self._account = AwsAccount(
            config.name, config.profile, config.api_key.reveal(), environ, endpoint=config.base_url
        )

    def missing(self) -> str:
        """What botocore said when it found nothing; empty before anybody looked."""
        return self._account.problem

    def candidate(self, variant: Variant, request: MessagesRequest) -> Candidate:
        """The requested model as an inference profile of the region, unless the user names another."""
        named = own_model(self._config, variant, request, _as_it_is)
        region = variant.region or _region_of_arn(named) or self._config.region
        model = own_model(self._config, variant, request, lambda name: self._profile(name, region))
        if not model:
            return Candidate(Target(self.name, request.model, region), "Bedrock has no such model", no_model=True)
        target = Target(self.name, model, region)
        if missing := self.missing():
            return Candidate(target, "no AWS credentials", missing)
        return Candidate(target, bedrock.unservable(request.body, request.memo))

    def address(self, region: str) -> str:
        """The runtime of the region."""
        return self._endpoint(region or self._config.region)

    async def prepare(self) -> None:
        """Look through AWS's credential chain, once."""
        await self._account.look()

    def subscribe(self, told: Callable[[], None]) -> None:
        """Call this on the loop whenever ``missing`` says something else: a login is over, or there is a new one."""
        self._account.told = told

    async def outgoing(self, call: Call) -> Outgoing:
        """The request as InvokeModel wants it, signed."""
        body = await shaped(partial(self._body, call), call.request)
        action = "invoke-with-response-stream" if call.request.stream else "invoke"
        accept = EVENTS if call.request.stream else JSON
        return await self._signed(call.target, action, body, accept)

    async def counting(self, call: Call) -> Outgoing | None:
        """CountTokens, which knows foundation models only; a private profile does not tell which one is behind it."""
        foundation = catalog.foundation_id(call.target.model)
        if not foundation:
            return None
        body = await shaped(lambda: jsontext.render(bedrock.count_body(call.request, call.target.model)), call.request)
        target = Target(call.target.provider, foundation, call.target.region)
        return await self._signed(target, "count-tokens", body, JSON)

    def counted(self, body: bytes) -> int:
        """``{"inputTokens": N}``."""
        return counted(body, "inputTokens")

    def codec(self, call: Call) -> StreamCodec:
        """Event-stream frames become Messages events."""
        return BedrockStream(call.request.model, call.message_id)

    def reply(self, call: Call, body: bytes) -> Reply:
        """Bedrock answers with a Message; its model name may hold account ids and is replaced."""
        return Reply(*whole.reply(body, call.request.model, call.message_id))

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """Bedrock's exceptions. With refused credentials, the clock may be wrong that the request was signed by."""
        failure = faults.from_bedrock_http(status, headers, body)
        if failure.fault is Fault.CREDENTIALS:
            self._account.refused(header(headers, "date"))
        return failure

    async def refresh(self) -> bool:
        """Look through the credential chain again."""
        return await self._account.refresh()

    async def probe(self) -> Outgoing | None:
        """The list of inference profiles; it needs credentials, and a permission that may be missing."""
        return await self.listing(Target(self.name, "", self._config.region))

    async def listing(self, target: Target) -> Outgoing | None:
        """ListInferenceProfiles, on the control plane of the region (or on a custom endpoint).

        None for a foundation model, which that list does not hold.
        """
        if target.model and catalog.foundation_id(target.model) == target.model:
            return None
        if not self._account.looked:
            await self._account.look()
        runtime = self._endpoint(target.region)
        url = runtime.replace("://bedrock-runtime", "://bedrock") + "/inference-profiles?maxResults=1000"
        headers = await self._account.headers("GET", url, {"Accept": JSON}, b"", target.region)
        return Outgoing(url, headers, method="GET")

    def listed(self, body: bytes) -> frozenset[str]:
        """Profile ids."""
        return listed(body, "inferenceProfileSummaries", "inferenceProfileId")

    @property
    def regions(self) -> frozenset[str]:
        """Regions whose profiles can be listed: none at a custom endpoint, which stands for the runtime only."""
        return frozenset() if self._account.endpoints.url else frozenset({self._config.region})

    def learn_profiles(self, region: str, names: frozenset[str]) -> None:
        """What the account offers in a region, for choosing among a model's profiles from now on."""
        self._profiles[region] = names

    def _profile(self, requested: str, region: str) -> str:
        """The profile by rule, unless the account lists only another one of the same model."""
        by_rule = catalog.bedrock_id(requested, region)
        offered = self._profiles.get(region, frozenset())
        if not offered or by_rule in offered:
            return by_rule
        foundation = catalog.foundation_id(by_rule)
        same_model = sorted(name for name in offered if foundation and catalog.foundation_id(name) == foundation)
        return same_model[0] if same_model else by_rule

    def _body(self, call: Call) -> bytes:
        body = bedrock.bedrock_body(
            call.request,
            call.target.model,
            repairs=call.repairs,
            extra_betas=self._config.extra_betas,
            drop_betas=self._config.drop_betas,
        )
        return jsontext.render(body, finite=True)

    async def _signed(self, target: Target, action: str, body: bytes, accept: str) -> Outgoing:
        if not self._account.looked:
            await self._account.look()  # it finds out where the runtime is, too
        # Everything but unreserved characters is escaped, as botocore does: the path on the wire is the path signed.
        url = f"{self._endpoint(target.region)}/model/{quote(target.model, safe='')}/{action}"
        headers = {"Content-Type": JSON, "Accept": accept}
        return Outgoing(url, await self._account.headers("POST", url, headers, body, target.region), body)

    def _endpoint(self, region: str) -> str:
        return self._account.endpoints.of(region)


def _as_it_is(name: str) -> str:
    return name


def _region_of_arn(model: str) -> str:
    """The region that an ARN names. It becomes a part of a host name, and clients choose the ARN."""
    parts = model.split(":")
    named = parts[3] if len(parts) > 5 and parts[0] == "arn" else ""
    return named if _REGION.fullmatch(named) else ""
