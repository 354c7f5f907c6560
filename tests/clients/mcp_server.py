"""A small MCP server on standard input and output: tools with a long name, without arguments, and with a picture."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

from tests.clients.media import png

Json = Any
NAME = "a_server_with_a_name_of_its_own"
LONG = "a_tool_whose_name_is_longer_than_chat_servers_take"
BARE = "a_tool_without_arguments"
PICTURE = "a_tool_that_draws"


def tool(name: str) -> str:
    """What Claude Code calls a tool of this server."""
    return f"mcp__{NAME}__{name}"


def _answer(method: str, params: Json) -> Json:
    match method:
        case "initialize":
            about = {"name": NAME, "version": "1"}
            return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": about}
        case "tools/list":
            schema = {"type": "object", "properties": {"word": {"type": "string"}}}
            listed = ((LONG, schema), (BARE, {"type": "object"}), (PICTURE, {"type": "object"}))
            return {"tools": [{"name": name, "description": name, "inputSchema": wanted} for name, wanted in listed]}
        case "tools/call":
            return {"content": _content(params)}
        case _:
            return {}


def _content(params: Json) -> list[Json]:
    if params["name"] == PICTURE:
        image = {"type": "image", "mimeType": "image/png", "data": base64.b64encode(png()).decode()}
        return [image, {"type": "text", "text": ""}]
    said = json.dumps(params.get("arguments") or {})
    return [{"type": "text", "text": f"{params['name']} got {said}"}]


def main() -> None:
    """Answer until the client closes."""
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked:
            reply = {"jsonrpc": "2.0", "id": asked["id"], "result": _answer(asked["method"], asked.get("params"))}
            print(json.dumps(reply), flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    main()
