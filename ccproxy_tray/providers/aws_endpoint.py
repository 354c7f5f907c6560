"""Where Bedrock's runtime is: by the rule of AWS's partitions, or where AWS's own settings say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ccproxy_tray.config.address import base_url

VARIABLES = ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL")
"""For this service and for all of them (AWS SDKs and Tools Reference, "Service-specific endpoints")."""
_COMMERCIAL = ("amazonaws.com", "api.aws")
_PARTITIONS = (
    ("cn-", ("amazonaws.com.cn", "api.amazonwebservices.com.cn")),
    ("eusc-", ("amazonaws.eu", "api.amazonwebservices.eu")),
    ("us-isob-", ("sc2s.sgov.gov", "")),
    ("us-isof-", ("csp.hci.ic.gov", "")),
    ("us-iso-", ("c2s.ic.gov", "")),
    ("eu-isoe-", ("cloud.adc-e.uk", "")),
)
"""Regions by their beginning: the partition's domain, and the one of its dual-stack hosts, if it has any."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The runtime's base URLs for one account; ``url`` is one for all regions.

    ``problem`` says what is wrong with a setting that would be used; empty when all is well.
    """

    url: str = ""
    fips: bool = False
    dual_stack: bool = False
    problem: str = ""

    def of(self, region: str) -> str:
        """The base URL in a region.

        Derived by rule: botocore would build a whole client for it (0.3 s, 30 MB). A test checks one against the other.
        """
        return self.url or f"https://{_host(region, fips=self.fips, dual_stack=self.dual_stack)}"

    def configured(self, url: str, *, fips: bool, dual_stack: bool) -> Endpoints:
        """With what AWS's configuration file says, where nobody else has named a URL."""
        said, problem = _checked(url, "endpoint_url in the AWS configuration") if url and not self.url else ("", "")
        return Endpoints(self.url or said, self.fips or fips, self.dual_stack or dual_stack, self.problem or problem)


def endpoints(environ: Mapping[str, str], given: str = "") -> Endpoints:
    """Those that AWS's own variables ask for; ``given`` is the user's own for all regions, which wins."""
    url, problem = (given, "") if given else _named(environ)
    fips, dual_stack = (_is_on(environ, f"AWS_USE_{name}_ENDPOINT") for name in ("FIPS", "DUALSTACK"))
    return Endpoints(url, fips, dual_stack, problem)


def has_configuration() -> bool:
    """Whether AWS's configuration file may say where to go. Reads it; one that is not there, or no text, does not.

    It is where the program's own environment says, as for botocore.
    """
    path = os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
    try:
        return "endpoint" in Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError, RuntimeError):
        return False


def _named(environ: Mapping[str, str]) -> tuple[str, str]:
    """The base URL that a variable names, and what is wrong with it; one of them is empty."""
    name = next((each for each in VARIABLES if environ.get(each, "").strip()), "")
    if not name or _is_on(environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return "", ""
    return _checked(environ[name], name)


def _checked(text: str, name: str) -> tuple[str, str]:
    try:
        return base_url(text, allow_http=True), ""
    except ValueError as fault:
        return "", f"{name}: {str(fault) or 'expected an address such as https://host/path'}"


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() == "true"


def _host(region: str, *, fips: bool, dual_stack: bool) -> str:
    suffix, dual = next((found for start, found in _PARTITIONS if region.startswith(start)), _COMMERCIAL)
    return f"bedrock-runtime{'-fips' if fips else ''}.{region}.{(dual_stack and dual) or suffix}"
