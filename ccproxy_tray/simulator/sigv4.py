"""Checks AWS Signature Version 4 by computing it again from the bytes that came over the wire.

Written from "Signature Version 4 signing process" (IAM User Guide), independently of botocore, so that the two agree
only when both are right. S3's exceptions are left out.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from ccproxy_tray.simulator.refusal import Cause, Refused

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<headers>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_SKEW = 300.0
"""Seconds by which a client's clock may be wrong."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys that the simulated AWS knows. An empty ``session_token`` means long-term keys."""

    access_key: str
    secret_key: str
    session_token: str = ""


@dataclass(frozen=True, slots=True)
class Wire:
    """A request as it arrived: ``target`` is the raw request target, header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def verify(wire: Wire, credentials: Credentials, now: float) -> str:
    """Raise the refusal of AWS, or return the region of the credential scope. ``now`` is Unix time."""
    found = _AUTHORIZATION.fullmatch(wire.headers.get("authorization", ""))
    if found is None:
        raise Refused(
            Cause.CREDENTIALS, "Request is missing Authentication Token", name="MissingAuthenticationTokenException"
        )
    if found["key"] != credentials.access_key:
        raise Refused(Cause.CREDENTIALS)
    if wire.headers.get("x-amz-security-token", "") != credentials.session_token:
        raise Refused(Cause.CREDENTIALS)
    if found["service"] != "bedrock":
        raise _bad("Credential should be scoped to correct service: 'bedrock'.")
    _check_time(wire.headers.get("x-amz-date", ""), found["date"], now)
    signed = found["headers"].split(";")
    if "host" not in signed or any(name.startswith("x-amz-") and name not in signed for name in wire.headers):
        raise _bad(
            "'Host' and every 'X-Amz-*' header of the request must be a 'SignedHeader' in the AWS Authorization."
        )
    if not hmac.compare_digest(_signature(wire, found, signed, credentials.secret_key), found["signature"]):
        raise _bad(_MISMATCH)
    return found["region"]


def _check_time(stamp: str, date: str, now: float) -> None:
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _bad("Date must be in ISO-8601 'basic format'.") from None
    if not stamp.startswith(date):
        raise _bad("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
    if abs(now - signed_at) > _SKEW:
        word = "expired" if signed_at < now else "not yet current"
        raise _bad(f"Signature {word}: {stamp} is not within 5 min. of the server's time.")


def _signature(wire: Wire, found: re.Match[str], signed: list[str], secret: str) -> str:
    scope = f"{found['date']}/{found['region']}/{found['service']}/aws4_request"
    request_digest = hashlib.sha256(_canonical_request(wire, signed).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{wire.headers['x-amz-date']}\n{scope}\n{request_digest}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _canonical_request(wire: Wire, signed: list[str]) -> str:
    path, _, query = wire.target.partition("?")
    # Every service but S3 encodes the path as it stands on the wire once more: %3A becomes %253A.
    canonical_path = quote(path or "/", safe="/-_.~")
    pairs = [part.partition("=") for part in query.split("&") if part]
    canonical_query = "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs))
    headers = "".join(f"{name}:{' '.join(wire.headers.get(name, '').split())}\n" for name in signed)
    payload = hashlib.sha256(wire.body).hexdigest()
    return "\n".join((wire.method, canonical_path, canonical_query, headers, ";".join(signed), payload))


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")


def _bad(message: str) -> Refused:
    return Refused(Cause.CREDENTIALS, message, name="InvalidSignatureException")
