"""Calls of the official SDK as values: performed alike by the synchronous and the asynchronous client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

import httpx2
import orjson
import pydantic
from openai import AsyncOpenAI, OpenAI

from benchmarks.stored import canonical, said
from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM, TOOLS
from tests.e2e.house import Exchange, House, logged

How = Literal["whole", "streamed", "helper"]


@dataclass(frozen=True)
class SdkCall:
    """A method of the SDK, its arguments, and how the answer is taken."""

    method: str
    """Dotted, below the client."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    how: How = "whole"
    """`streamed`: with `stream=True`; `helper`: the method is a context manager of events."""

    def perform(self, client: OpenAI) -> Any:
        """What came back, as plain values."""
        method = attrgetter(self.method)(client)
        if self.how == "helper":
            with method(**self.arguments) as stream:
                return [_plain(event) for event in stream]
        if self.how == "streamed":
            return [_plain(chunk) for chunk in method(**self.arguments, stream=True)]
        return _plain(method(**self.arguments))

    async def perform_later(self, client: AsyncOpenAI) -> Any:
        """The same by the asynchronous client."""
        method = attrgetter(self.method)(client)
        if self.how == "helper":
            async with method(**self.arguments) as stream:
                return [_plain(event) async for event in stream]
        if self.how == "streamed":
            return [_plain(chunk) async for chunk in await method(**self.arguments, stream=True)]
        return _plain(await method(**self.arguments))


def _plain(value: Any) -> Any:
    return value.model_dump(warnings=False)


TICKET = "I cannot log in to my account any more. My email is maria@example.com."
FLAT_TOOLS = [{"type": "function", "strict": True} | tool["function"] for tool in TOOLS]


class Rating(pydantic.BaseModel):
    """A structured answer."""

    title: str
    score: int


def chat(kind: Any = "reply", **options: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": SYSTEM[kind]}, {"role": "user", "content": TICKET}]
    return {"model": "gpt-4o-mini", "messages": messages} | options


ORDER: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "order", "schema": ORDER_SCHEMA}}
USAGE: dict[str, Any] = {"include_usage": True}
PROMPT: dict[str, Any] = {"model": "gpt-3.5-turbo", "prompt": "Say something"}
RESPONSE: dict[str, Any] = {"model": "gpt-4o", "instructions": SYSTEM["reply"], "input": TICKET}
ACT: dict[str, Any] = {"model": "gpt-4o", "instructions": SYSTEM["act"], "input": TICKET, "tools": FLAT_TOOLS}
SEVERAL = [{"role": "user", "content": f"Grüße {number} 🙂 \u2028 \\u0041"} for number in range(3)]

CALLS = {
    "chat": SdkCall("chat.completions.create", chat()),
    "chat, streamed": SdkCall("chat.completions.create", chat(), "streamed"),
    "chat, streamed with usage": SdkCall("chat.completions.create", chat(stream_options=USAGE), "streamed"),
    "chat, streamed without": SdkCall(
        "chat.completions.create", chat(stream_options={"include_usage": False}), "streamed"
    ),
    "chat, stream helper": SdkCall("chat.completions.stream", chat(), "helper"),
    "chat, tool call": SdkCall("chat.completions.create", chat("act", tools=TOOLS)),
    "chat, tool call streamed": SdkCall("chat.completions.create", chat("act", tools=TOOLS), "streamed"),
    "chat, tool call by helper": SdkCall("chat.completions.stream", chat("act", tools=TOOLS), "helper"),
    "chat, json_schema": SdkCall("chat.completions.create", chat("extract", response_format=ORDER)),
    "chat, json_schema streamed": SdkCall(
        "chat.completions.create", chat("extract", response_format=ORDER), "streamed"
    ),
    "chat, parsed": SdkCall("chat.completions.parse", chat("extract", response_format=Rating)),
    "chat, three answers": SdkCall("chat.completions.create", chat(n=3)),
    "chat, three answers streamed": SdkCall("chat.completions.create", chat(n=3), "streamed"),
    "chat, logprobs": SdkCall("chat.completions.create", chat(logprobs=True), "streamed"),
    "chat, other letters": SdkCall(
        "chat.completions.create", {"model": "gpt-4o", "messages": SEVERAL}, "streamed"
    ),
    "completions": SdkCall("completions.create", PROMPT),
    "completions, streamed": SdkCall("completions.create", PROMPT, "streamed"),
    "responses": SdkCall("responses.create", RESPONSE),
    "responses, streamed": SdkCall("responses.create", RESPONSE, "streamed"),
    "responses, stream helper": SdkCall("responses.stream", RESPONSE, "helper"),
    "responses, tool call": SdkCall("responses.create", ACT),
    "responses, tool call streamed": SdkCall("responses.create", ACT, "streamed"),
    "responses, parsed": SdkCall(
        "responses.parse", {"model": "gpt-4o", "input": TICKET, "text_format": Rating}
    ),
    "embeddings": SdkCall("embeddings.create", {"model": "text-embedding-3-small", "input": ["a", "b"]}),
    "embeddings, floats": SdkCall(
        "embeddings.create",
        {"model": "text-embedding-3-large", "input": "a", "dimensions": 8, "encoding_format": "float"},
    ),
    "models": SdkCall("models.list"),
    "model": SdkCall("models.retrieve", {"model": "gpt-4o-mini"}),
}


def check_log(house: House, exchange: Exchange) -> None:
    """The call is logged with its answer, with the tokens that its unstreamed twin counts, and with its cost."""
    found = logged(house, exchange)
    summary = found.summary
    assert (summary.route, summary.target, summary.error) == ("upstream", "simulated", "")
    if not exchange.body:
        return
    sent = orjson.loads(exchange.body)
    assert summary.stream == bool(sent.get("stream"))
    whole = ask(
        house, exchange.path, {k: v for k, v in sent.items() if k not in ("stream", "stream_options")}
    )
    kept = orjson.loads(found.response.data)
    assert canonical(said(kept) if summary.stream else kept) == canonical(
        said(whole) if summary.stream else whole
    )
    if summary.endpoint == "other":
        return
    usage, counted = whole["usage"], summary.usage
    prompt, answer = ("prompt", "completion") if "prompt_tokens" in usage else ("input", "output")
    assert counted.input + counted.cached_input + counted.cache_write == usage[f"{prompt}_tokens"]
    assert counted.output == usage[f"{answer}_tokens"]
    assert summary.usage_source in ("reported", "spliced")
    assert (summary.cost is not None) == summary.model.startswith("gpt-4o")


def ask(house: House, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the simulated LLM itself answers."""
    response = httpx2.post(house.llm_url.removesuffix("/v1") + path, json=body, timeout=30)
    answer: dict[str, Any] = response.raise_for_status().json()
    return answer
