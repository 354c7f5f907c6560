"""Checks images and documents in a Messages request (Messages API, "Vision" and "PDF support")."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from ccproxy_tray.simulator.body import Rules
from ccproxy_tray.simulator.refusal import invalid
from ccproxy_tray.simulator.turn import Json

_IMAGE_LIMIT = 5 * 1024 * 1024
MAGIC = {
    "image/png": (b"\x89PNG",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF8",),
    "image/webp": (b"RIFF",),
}
"""How a file of each kind starts."""


def check_image(source: Mapping[str, Json], path: str, rules: Rules) -> None:
    """Refuse an image that is too big, not what it says it is, or of a kind that the endpoint does not take."""
    kind = source.get("type")
    if kind in ("url", "file") and not rules.dialect.bedrock:
        return
    if kind != "base64":
        raise invalid(
            f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: 'base64'"
        )
    media_type = str(source.get("media_type"))
    if media_type not in MAGIC:
        raise invalid(
            f"{path}.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
        )
    data = str(source.get("data", ""))
    if len(data) > _IMAGE_LIMIT:
        raise invalid(f"{path}.base64: image exceeds 5 MB maximum: {len(data)} bytes > {_IMAGE_LIMIT} bytes")
    if not data:
        raise invalid(f"{path}.base64: image cannot be empty")
    if not _start_of(data, f"{path}.base64.data").startswith(MAGIC[media_type]):
        raise invalid(f"{path}.base64.data: image does not match the provided media type {media_type}")


def check_document(source: Mapping[str, Json], path: str, rules: Rules) -> None:
    """Refuse a document that is no PDF and no text."""
    kind = source.get("type")
    if kind == "base64":
        if source.get("media_type") != "application/pdf":
            raise invalid(f"{path}.base64.media_type: Input should be 'application/pdf'")
        if not _start_of(str(source.get("data", "")), f"{path}.base64.data").startswith(b"%PDF"):
            raise invalid(f"{path}.base64.data: The PDF specified was not valid.")
    elif kind not in ("text", "content") and (rules.dialect.bedrock or kind not in ("url", "file")):
        raise invalid(
            f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: 'base64'"
        )


def _start_of(data: str, path: str) -> bytes:
    """The first bytes of base64 text; the rest is not decoded, since only the kind of file matters."""
    try:
        return base64.b64decode(data[:16], validate=True)
    except ValueError:
        raise invalid(f"{path}: Invalid base64 data") from None
