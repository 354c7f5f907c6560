"""AWS credentials that stand in the environment itself, as botocore reads them there, but for blanks around them."""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray.config.value import sendable, unquoted
from ccproxy_tray.providers.sigv4 import Keys

BEARER = "AWS_BEARER_TOKEN_BEDROCK"
_PROFILES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
"""In botocore's order, like the tokens below."""
_TOKENS = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")


def bearer(environ: Mapping[str, str]) -> tuple[str, str]:
    """The Bedrock API key, and what is wrong with it; both may be empty."""
    try:
        return sendable(unquoted(environ.get(BEARER, ""))), ""
    except ValueError as fault:
        return "", f"{BEARER} {fault}"


def keys(environ: Mapping[str, str]) -> Keys | None:
    """An access key with its secret, without the line break of a file: it would be a part of the signature."""
    access_key, secret_key = (environ.get(f"AWS_{name}", "").strip() for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    token = next(filter(None, (environ.get(name, "").strip() for name in _TOKENS)), None)
    return Keys(access_key, secret_key, token) if access_key and secret_key else None


def profile_variable(environ: Mapping[str, str]) -> str:
    """The name of the variable that names the profile; empty when none does."""
    return next(filter(environ.get, _PROFILES), "")
