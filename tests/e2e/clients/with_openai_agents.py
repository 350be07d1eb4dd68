"""openai-agents, on chat completions and on responses."""

from __future__ import annotations

import asyncio
from typing import Any

import agents
from openai import AsyncOpenAI

from tests.e2e.clients.conversation import KEY, MODEL, QUESTION, SYSTEM, Heard, Place, report


def _agent(place: Place, heard: Heard, kind: Any) -> Any:
    agents.set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=place.base_url, api_key=KEY, default_headers=place.headers)
    tool = agents.function_tool(heard.get_weather)
    return agents.Agent("weather", instructions=SYSTEM, tools=[tool], model=kind(MODEL, client))


def whole(place: Place, heard: Heard, kind: Any) -> None:
    heard.text = agents.Runner.run_sync(_agent(place, heard, kind), QUESTION).final_output


async def streamed(place: Place, heard: Heard, kind: Any) -> None:
    result = agents.Runner.run_streamed(_agent(place, heard, kind), QUESTION)
    pieces = [
        event.data.delta
        async for event in result.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    heard.text, heard.pieces = "".join(pieces), len(pieces)
    assert heard.text == result.final_output


CHAT, RESPONSES = agents.OpenAIChatCompletionsModel, agents.OpenAIResponsesModel

if __name__ == "__main__":
    report(
        {
            "chat": lambda place, heard: whole(place, heard, CHAT),
            "chat, streamed": lambda place, heard: asyncio.run(streamed(place, heard, CHAT)),
            "responses": lambda place, heard: whole(place, heard, RESPONSES),
            "responses, streamed": lambda place, heard: asyncio.run(streamed(place, heard, RESPONSES)),
        }
    )
