from __future__ import annotations

import json
from typing import Any

import pytest

from ccproxy_tray.translate.bedrock import bedrock_body
from ccproxy_tray.translate.messages import parse_request

Json = Any
SONNET_55, SONNET_45, OPUS_45, HAIKU_45, CLAUDE_3 = (
    "claude-sonnet-5-5",
    "claude-sonnet-4-5",
    "claude-opus-4-5",
    "claude-haiku-4-5",
    "claude-3-haiku-20240307",
)


def betas(model: str, asked: str = "", **fields: Json) -> list[str]:
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **fields}
    request = parse_request(json.dumps(body).encode(), {"anthropic-beta": asked})
    return list(bedrock_body(request, f"us.anthropic.{model}").get("anthropic_beta", []))


@pytest.mark.parametrize(
    ("model", "asked", "fields", "sent"),
    [
        (SONNET_55, "interleaved-thinking-2025-05-14", {}, ["interleaved-thinking-2025-05-14"]),
        (SONNET_45, "interleaved-thinking-2025-05-14", {}, ["interleaved-thinking-2025-05-14"]),
        (HAIKU_45, "interleaved-thinking-2025-05-14", {}, []),
        (CLAUDE_3, "interleaved-thinking-2025-05-14", {}, []),
        (SONNET_55, "thinking-token-count-2026-05-13", {}, ["thinking-token-count-2026-05-13"]),
        (SONNET_45, "thinking-token-count-2026-05-13", {}, []),
        (SONNET_45, "context-1m-2025-08-07", {}, ["context-1m-2025-08-07"]),
        (SONNET_45 + "[1m]", "", {}, ["context-1m-2025-08-07"]),
        (SONNET_55, "context-1m-2025-08-07", {}, []),
        (CLAUDE_3, "context-1m-2025-08-07", {}, []),
        (SONNET_55, "", {"tools": [{"name": "a", "defer_loading": True}]}, ["tool-search-tool-2025-10-19"]),
        (SONNET_55, "advanced-tool-use-2025-11-20", {"tools": [{"name": "a"}]}, []),
        (HAIKU_45, "advanced-tool-use-2025-11-20", {"tools": [{"name": "a", "defer_loading": True}]}, []),
        (SONNET_55, "", {"tools": [{"name": "a", "input_examples": [{}]}]}, ["tool-examples-2025-10-29"]),
        (
            SONNET_55,
            "",
            {"tools": [{"name": "a", "eager_input_streaming": True}]},
            ["fine-grained-tool-streaming-2025-05-14"],
        ),
        (SONNET_55, "fine-grained-tool-streaming-2025-05-14", {}, ["fine-grained-tool-streaming-2025-05-14"]),
        (OPUS_45, "", {"output_config": {"effort": "low"}}, ["effort-2025-11-24"]),
        (SONNET_55, "effort-2025-11-24", {"output_config": {"effort": "low"}}, []),
        (SONNET_55, "dangerous-tool-use-2026-09-03", {}, []),
        (SONNET_55, "", {"safeguards": [{}]}, ["dangerous-tool-use-2026-09-03"]),
        (SONNET_55, "computer-use-2025-11-24", {}, ["computer-use-2025-11-24"]),
        (SONNET_55, "", {"anthropic_beta": ["computer-use-2025-01-24", 7]}, ["computer-use-2025-01-24"]),
        (SONNET_55, "", {"anthropic_beta": "computer-use-2025-01-24"}, []),
        (
            SONNET_55,
            "mid-conversation-tool-changes-2026-07-01",
            {"messages": [{"role": "system", "content": [{"type": "tool_addition", "tool": {}}]}]},
            ["mid-conversation-tool-changes-2026-07-01"],
        ),
        (SONNET_55, "mid-conversation-tool-changes-2026-07-01", {}, []),
        (SONNET_55, "claude-code-20250219,oauth-2025-04-20,files-api-2025-04-14,unheard-of-2027-01-01", {}, []),
    ],
)
def test_bedrock_gets_the_betas_that_it_knows_and_the_request_needs(
    model: str, asked: str, fields: Json, sent: list[str]
) -> None:
    assert betas(model, asked, **fields) == sent


def test_the_order_of_the_list_is_not_the_client_s() -> None:
    names = ["interleaved-thinking-2025-05-14", "thinking-token-count-2026-05-13", "computer-use-2025-11-24"]
    assert betas(SONNET_55, ",".join(names)) == betas(SONNET_55, ",".join(reversed(names))) == names
