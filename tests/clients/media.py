"""Small files that are what they say they are, and a way to find them again on any wire."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

Json = Any


def png() -> bytes:
    """Eight by eight pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return len(data).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")

    size = 8
    head = size.to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    rows = b"".join(b"\x00" + bytes((row * 30, 80, 160)) * size for row in range(size))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pdf() -> bytes:
    """One empty page."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>",
    )
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%sendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(out)
    return out + b"xref\n0 4\n0000000000 65535 f \n" + table + trailer


def carried(body: Json) -> dict[str, bytes]:
    """Everything binary in a request by its media type: Messages' sources, or the data URLs of chat wires."""
    found: dict[str, bytes] = {}
    for text in re.findall(r'"data:[a-z/]+;base64,[^"]+"', json.dumps(body)):
        kind, _, data = json.loads(text).removeprefix("data:").partition(";base64,")
        found[kind] = base64.b64decode(data)
    for source in _sources(body):
        found[source["media_type"]] = base64.b64decode(source["data"])
    return found


def _sources(value: Json) -> list[Json]:
    if isinstance(value, dict):
        own = [value] if value.get("type") == "base64" else []
        return own + [found for item in value.values() for found in _sources(item)]
    return [found for item in value for found in _sources(item)] if isinstance(value, list) else []
