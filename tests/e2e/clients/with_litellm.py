"""litellm as a library."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import litellm

from tests.e2e.clients.conversation import KEY, MODEL, QUESTION, SCHEMA, SYSTEM, Heard, Place, report

TOOL = {"name": "get_weather", "description": "Get the weather in a city.", "parameters": SCHEMA}


def _converse(place: Place, heard: Heard, ask: Callable[..., Any]) -> None:
    litellm.telemetry = False
    messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    options = {
        "model": f"openai/{MODEL}",
        "api_base": place.base_url,
        "api_key": KEY,
        "extra_headers": place.headers,
        "tools": [{"type": "function", "function": TOOL}],
    }
    message = ask(messages=messages, **options).choices[0].message
    messages.append(message)
    for call in message.tool_calls:
        result = heard.get_weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    heard.text = ask(messages=messages, **options).choices[0].message.content


def whole(place: Place, heard: Heard) -> None:
    _converse(place, heard, litellm.completion)


def streamed(place: Place, heard: Heard) -> None:
    def ask(**arguments: Any) -> Any:
        chunks = list(litellm.completion(**arguments, stream=True))
        heard.pieces = len(chunks)
        return litellm.stream_chunk_builder(chunks)

    _converse(place, heard, ask)


if __name__ == "__main__":
    report({"chat": whole, "chat, streamed": streamed})
