"""How Bedrock names models, and which of them run where (Bedrock, "Inference profiles")."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ccproxy_tray.simulator.model import BEDROCK, GEOGRAPHY, Model, messages_name, model
from ccproxy_tray.simulator.refusal import Cause, Refused
from ccproxy_tray.simulator.turn import Json

_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:(?P<region>[a-z0-9-]+):(?:\d{12})?:(?P<kind>[a-z-]+)/(?P<resource>.+)")
_PROFILE = re.compile(r"(?P<geography>us-gov|us|eu|apac|jp|au|global)\.(?P<foundation>anthropic\..+)")
_ACCOUNT = "123456789012"
OWN_PROFILE = "claude-sonnet-4-5-20250929"
"""The model behind every application inference profile, whose ids say nothing."""


def resolve(model_id: str, region: str) -> Model:
    """The model that an id, a profile or an ARN means in a region; raises what Bedrock answers otherwise."""
    arn = _ARN.fullmatch(model_id)
    if arn is None:
        return _plain(model_id, region)
    if arn["region"] != region:
        raise Refused(Cause.NO_MODEL)
    match arn["kind"]:
        case "application-inference-profile":
            return _known(OWN_PROFILE)
        case "inference-profile" | "foundation-model":
            return _plain(arn["resource"], region)
        case _:
            raise Refused(Cause.NO_MODEL)


def foundation(model_id: str) -> Model:
    """The model of a foundation id, the only kind of id that CountTokens takes."""
    if model_id not in BEDROCK:
        raise Refused(Cause.NO_MODEL)
    return _known(messages_name(model_id))


def _plain(model_id: str, region: str) -> Model:
    profile = _PROFILE.fullmatch(model_id)
    if profile is None:
        found = foundation(model_id)
        if found.profile_only:
            raise Refused(
                Cause.NO_ON_DEMAND,
                f"Invocation of model ID {model_id} with on-demand throughput isn\N{RIGHT SINGLE QUOTATION MARK}t "
                "supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
            )
        return found
    if not _offered(profile["geography"], region):
        raise Refused(Cause.NO_MODEL)
    return foundation(profile["foundation"])


def _offered(geography: str, region: str) -> bool:
    if geography in ("us", "global") and region.startswith("us-gov-"):
        return False
    return region.startswith(GEOGRAPHY[geography])


def _known(name: str) -> Model:
    found = model(name)
    assert found is not None
    return found


def profiles(region: str) -> Iterator[dict[str, Json]]:
    """``ListInferenceProfiles``: the system's profiles in a region."""
    for geography in GEOGRAPHY:
        if _offered(geography, region):
            for known in BEDROCK:
                if foundation(known).profile_only:
                    yield _profile(geography, known, region)


def _profile(geography: str, known: str, region: str) -> dict[str, Json]:
    profile_id = f"{geography}.{known}"
    return {
        "inferenceProfileId": profile_id,
        "inferenceProfileArn": f"arn:aws:bedrock:{region}:{_ACCOUNT}:inference-profile/{profile_id}",
        "inferenceProfileName": f"{geography.upper()} {known}",
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{known}"}],
    }


def foundation_models(region: str) -> Iterator[dict[str, Json]]:
    """``ListFoundationModels``, Anthropic's part."""
    for known in BEDROCK:
        yield {
            "modelArn": f"arn:aws:bedrock:{region}::foundation-model/{known}",
            "modelId": known,
            "modelName": known.removeprefix("anthropic."),
            "providerName": "Anthropic",
            "inferenceTypesSupported": ["INFERENCE_PROFILE" if foundation(known).profile_only else "ON_DEMAND"],
            "modelLifecycle": {"status": "ACTIVE"},
            "responseStreamingSupported": True,
        }
