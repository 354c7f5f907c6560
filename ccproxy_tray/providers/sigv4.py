"""AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request"), for bodies that are sent whole.

botocore's own signer costs a thousand calls and 17 MB for each program; tests hold this one to it, byte for byte.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote, urlsplit

_UNSIGNED = frozenset({"expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"})
"""What may change on its way."""
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials for one signature. ``token`` comes with temporary ones."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class Signer:
    """Signs for one account. The key of a day, a region and a secret is derived once."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._derived: tuple[tuple[str, str, str], bytes] | None = None

    def signed(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        region: str,
        keys: Keys,
        now: datetime,
    ) -> dict[str, str]:
        """``headers`` with those of the signature. ``url`` must reach the wire as it stands; ``now`` is UTC."""
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        out = {**headers, "X-Amz-Date": stamp}
        if keys.token:
            out["X-Amz-Security-Token"] = keys.token
        canonical, names = _canonical(method, url, out, body)
        scope = f"{stamp[:8]}/{region}/{self._service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key(keys.secret_key, stamp[:8], region), text.encode(), "sha256").hex()
        out["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return out

    def _key(self, secret: str, day: str, region: str) -> bytes:
        wanted = (secret, day, region)
        derived = self._derived  # Read once: large bodies are signed in a thread.
        if derived is not None and derived[0] == wanted:
            return derived[1]
        key = f"AWS4{secret}".encode()
        for part in (day, region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._derived = (wanted, key)
        return key


def _canonical(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    """The canonical request, and the names of the headers that it covers."""
    host, path, query = _place(url)
    covered = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    covered = {"host": host, **{name: value for name, value in covered.items() if name not in _UNSIGNED}}
    names = sorted(covered)
    lines = "".join(f"{name}:{covered[name]}\n" for name in names)
    listed = ";".join(names)
    return "\n".join((method, path, query, lines, listed, hashlib.sha256(body).hexdigest())), listed


@lru_cache(256)
def _place(url: str) -> tuple[str, str, str]:
    """Host, path and query in their canonical forms; a provider has few of them."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.port is not None and parts.port != _PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    # Every service but S3 encodes the path as it stands on the wire once more: %3A becomes %253A.
    path = quote(parts.path or "/", safe="/~")
    return host, path, "&".join(sorted(parts.query.split("&"))) if parts.query else ""
