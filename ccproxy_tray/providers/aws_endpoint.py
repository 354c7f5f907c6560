"""Where Bedrock's runtime is: by the rule of AWS's partitions, or where AWS's own variables say."""

from __future__ import annotations

from collections.abc import Mapping

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


class Endpoints:
    """The runtime's base URLs for one account. ``given`` is the user's own for all regions, which wins.

    ``problem`` says what is wrong with a variable that would be used; empty when all is well.
    """

    def __init__(self, environ: Mapping[str, str], given: str = "") -> None:
        self._url, self.problem = (given, "") if given else _named(environ)
        self._fips = _is_on(environ, "AWS_USE_FIPS_ENDPOINT")
        self._dual_stack = _is_on(environ, "AWS_USE_DUALSTACK_ENDPOINT")

    def of(self, region: str) -> str:
        """The base URL in a region.

        Derived by rule: botocore would build a whole client for it (0.3 s, 30 MB). A test checks one against the other.
        """
        return self._url or f"https://{_host(region, fips=self._fips, dual_stack=self._dual_stack)}"


def _named(environ: Mapping[str, str]) -> tuple[str, str]:
    """The base URL that a variable names, and what is wrong with it; one of them is empty."""
    name = next((each for each in VARIABLES if environ.get(each, "").strip()), "")
    if not name or _is_on(environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return "", ""
    try:
        return base_url(environ[name], allow_http=True), ""
    except ValueError as fault:
        return "", f"{name}: {str(fault) or 'expected an address such as https://host/path'}"


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() == "true"


def _host(region: str, *, fips: bool, dual_stack: bool) -> str:
    suffix, dual = next((found for start, found in _PARTITIONS if region.startswith(start)), _COMMERCIAL)
    return f"bedrock-runtime{'-fips' if fips else ''}.{region}.{(dual_stack and dual) or suffix}"
