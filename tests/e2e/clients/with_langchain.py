"""langchain-openai."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from tests.e2e.clients.conversation import KEY, MODEL, QUESTION, SYSTEM, Heard, Place, report


def _converse(place: Place, heard: Heard, ask: Callable[[Any, list[Any]], Any], **options: Any) -> None:
    weather = tool(heard.get_weather)
    model = ChatOpenAI(
        model=MODEL, base_url=place.base_url, api_key=KEY, default_headers=place.headers, **options
    ).bind_tools([weather])
    messages: list[Any] = [SystemMessage(SYSTEM), HumanMessage(QUESTION)]
    answer = ask(model, messages)
    messages += [answer, *(weather.invoke(call) for call in answer.tool_calls)]
    heard.text = ask(model, messages).text


def whole(place: Place, heard: Heard) -> None:
    _converse(place, heard, lambda model, messages: model.invoke(messages))


def streamed(place: Place, heard: Heard) -> None:
    def ask(model: Any, messages: list[Any]) -> Any:
        chunks = list(model.stream(messages))
        heard.pieces = len(chunks)
        return reduce(add, chunks)

    _converse(place, heard, ask)


def responses(place: Place, heard: Heard) -> None:
    _converse(place, heard, lambda model, messages: model.invoke(messages), use_responses_api=True)


if __name__ == "__main__":
    report({"chat": whole, "chat, streamed": streamed, "responses": responses})
