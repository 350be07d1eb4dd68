"""The anthropic SDK, on `/v1/messages`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anthropic import Anthropic

from tests.e2e.clients.conversation import KEY, MODEL, QUESTION, SCHEMA, SYSTEM, Heard, Place, report

TOOL = {"name": "get_weather", "description": "Get the weather in a city.", "input_schema": SCHEMA}


def _converse(place: Place, heard: Heard, ask: Callable[..., Any]) -> None:
    client = Anthropic(base_url=place.root, api_key=KEY, default_headers=place.headers)
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    options = {"model": MODEL, "max_tokens": 200, "system": SYSTEM, "tools": [TOOL]}
    message = ask(client, messages=messages, **options)
    messages.append({"role": "assistant", "content": message.content})
    results = [
        {"type": "tool_result", "tool_use_id": part.id, "content": heard.get_weather(**part.input)}
        for part in message.content
        if part.type == "tool_use"
    ]
    messages.append({"role": "user", "content": results})
    heard.text = ask(client, messages=messages, **options).content[0].text


def whole(place: Place, heard: Heard) -> None:
    _converse(place, heard, lambda client, **arguments: client.messages.create(**arguments))


def streamed(place: Place, heard: Heard) -> None:
    def ask(client: Any, **arguments: Any) -> Any:
        with client.messages.stream(**arguments) as stream:
            heard.pieces = sum(event.type == "content_block_delta" for event in stream)
            return stream.get_final_message()

    _converse(place, heard, ask)


if __name__ == "__main__":
    report({"messages": whole, "messages, streamed": streamed})
