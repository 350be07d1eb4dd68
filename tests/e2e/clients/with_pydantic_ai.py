"""pydantic-ai, on chat completions and on responses."""

from __future__ import annotations

import asyncio
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.e2e.clients.conversation import KEY, MODEL, QUESTION, SYSTEM, Heard, Place, report


def _agent(place: Place, heard: Heard, kind: Any) -> Any:
    client = AsyncOpenAI(base_url=place.base_url, api_key=KEY, default_headers=place.headers)
    model = kind(MODEL, provider=OpenAIProvider(openai_client=client))
    return Agent(model, system_prompt=SYSTEM, tools=[heard.get_weather])


async def whole(place: Place, heard: Heard, kind: Any) -> None:
    heard.text = (await _agent(place, heard, kind).run(QUESTION)).output


async def streamed(place: Place, heard: Heard, kind: Any) -> None:
    async with _agent(place, heard, kind).run_stream(QUESTION) as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    heard.text, heard.pieces = "".join(pieces), len(pieces)


if __name__ == "__main__":
    report(
        {
            "chat": lambda place, heard: asyncio.run(whole(place, heard, OpenAIChatModel)),
            "chat, streamed": lambda place, heard: asyncio.run(streamed(place, heard, OpenAIChatModel)),
            "responses": lambda place, heard: asyncio.run(whole(place, heard, OpenAIResponsesModel)),
            "responses, streamed": lambda place, heard: asyncio.run(
                streamed(place, heard, OpenAIResponsesModel)
            ),
        }
    )
