"""What the provider of chat servers adds to a whole answer that the answer itself does not say."""

from __future__ import annotations

import json
from typing import Any

from ccproxy_tray.config.schema import ProviderConfig, Secret
from ccproxy_tray.providers.base import Call
from ccproxy_tray.providers.table import providers
from ccproxy_tray.routing.target import ProviderType, Target
from ccproxy_tray.translate import tokens
from ccproxy_tray.translate.messages import MessagesRequest, parse_request

LOCAL = ProviderConfig("local", ProviderType.OPENAI, "http://127.0.0.1:9/v1", Secret("a-key-of-some-length"))
BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Perform a web search for: frogs"}]}


def asked(**fields: Any) -> MessagesRequest:
    return parse_request(json.dumps(BODY | fields).encode(), {})


def answered(request: MessagesRequest, **said: Any) -> dict[str, Any]:
    """The Message that the client gets for a chat answer without token counts."""
    chat = {"choices": [{"message": {"role": "assistant", "content": "Green.", **said}, "finish_reason": "stop"}]}
    provider = providers({"local": LOCAL}, {})["local"]
    call = Call(Target("local", "m"), request, "req_1")
    message: dict[str, Any] = json.loads(provider.reply(call, json.dumps(chat).encode()).body)
    return message


def test_a_whole_answer_without_counts_has_the_estimate_of_its_input() -> None:
    request = asked()
    assert answered(request)["usage"]["input_tokens"] == tokens.estimate(request.body, request.memo) > 0


def test_a_whole_answer_that_searched_the_web_names_what_was_searched_for() -> None:
    request = asked(tools=[{"type": "web_search_20250305", "name": "web_search"}])
    page = {"type": "url_citation", "url_citation": {"url": "https://frogs.example", "title": "Frogs"}}
    [search] = [each for each in answered(request, annotations=[page])["content"] if each["type"] == "server_tool_use"]
    assert "frogs" in search["input"]["query"]
