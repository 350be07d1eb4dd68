"""The official SDK: what it gets through the proxy is what it gets without, and every call is in the database."""

from __future__ import annotations

from typing import Any

import orjson
import pydantic
import pytest
from openai import AsyncOpenAI, OpenAI

from simulator.agent import AsyncSupportDeskAgent, SupportDeskAgent
from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM, TOOLS
from simulator.tickets import tickets
from tests.e2e.house import House, Tap, logged
from tests.e2e.sdk_call import SdkCall

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
names = pytest.mark.parametrize("name", CALLS)


@names
def test_sync_calls_are_unchanged_and_logged(
    name: str, house: House, proxied: OpenAI, direct: OpenAI, tap: Tap
) -> None:
    call = CALLS[name]
    received = call.perform(proxied)
    assert received == call.perform(direct)
    check_log(house, tap, call, call.unstreamed.perform(direct))


@names
async def test_async_calls_are_unchanged_and_logged(
    name: str, house: House, async_proxied: AsyncOpenAI, async_direct: AsyncOpenAI, tap: Tap
) -> None:
    call = CALLS[name]
    received = await call.perform_later(async_proxied)
    assert received == await call.perform_later(async_direct)
    check_log(house, tap, call, await call.unstreamed.perform_later(async_direct))


def check_log(house: House, tap: Tap, call: SdkCall, whole: dict[str, Any]) -> None:
    """The call is logged with the tokens that its unstreamed twin counts, and cost money where it is priced."""
    found = logged(house, tap.last)
    summary = found.summary
    assert summary.stream == (call.how != "whole")
    assert (summary.route, summary.target, summary.error) == ("upstream", "simulated", "")
    if summary.endpoint == "other":
        return
    usage = whole["usage"]
    prompt, answer = ("prompt", "completion") if "prompt_tokens" in usage else ("input", "output")
    counted = summary.usage
    assert counted.input + counted.cached_input + counted.cache_write == usage[f"{prompt}_tokens"]
    assert counted.output == usage[f"{answer}_tokens"]
    assert summary.usage_source in ("reported", "spliced")
    assert (summary.cost is not None) == summary.model.startswith("gpt-4o")
    assert "text" in str(orjson.loads(found.response.data)) or whole.get("choices")


@pytest.mark.parametrize("ticket", list(tickets(3, seed=5)), ids=["first", "second", "third"])
def test_an_agent_with_tools_works_alike(
    ticket: Any, house: House, proxied: OpenAI, direct: OpenAI, tap: Tap
) -> None:
    worked = SupportDeskAgent(proxied).work(ticket.text)
    assert worked == SupportDeskAgent(direct).work(ticket.text)
    assert worked.label == ticket.label
    assert len(tap.exchanges) == worked.calls
    for exchange in tap.exchanges:
        logged(house, exchange)


async def test_an_asynchronous_agent_works_alike(
    house: House, async_proxied: AsyncOpenAI, async_direct: AsyncOpenAI, tap: Tap
) -> None:
    [ticket] = tickets(1, seed=6)
    worked = await AsyncSupportDeskAgent(async_proxied).work(ticket.text)
    assert worked == await AsyncSupportDeskAgent(async_direct).work(ticket.text)
    for exchange in tap.exchanges:
        logged(house, exchange)


def test_the_upstream_gets_the_bytes_of_the_sdk(house: House, proxied: OpenAI, tap: Tap) -> None:
    content = "the very same bytes"
    proxied.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": content}], user="u1"
    )
    [seen] = house.seen(content)
    assert seen.body == tap.last.body
    assert (b"authorization", b"Bearer sk-e2e") in seen.headers


def test_files_go_up_and_come_down(house: House, proxied: OpenAI, direct: OpenAI, tap: Tap) -> None:
    content = bytes(range(256)) * 4096
    made = proxied.files.create(file=("numbers.bin", content), purpose="user_data")
    assert made.bytes == len(content)
    assert proxied.files.retrieve(made.id) == direct.files.retrieve(made.id) == made
    assert proxied.files.content(made.id).read() == content
    with proxied.files.with_streaming_response.content(made.id) as response:
        assert b"".join(response.iter_bytes()) == content
    assert made.id in [file.id for file in proxied.files.list()]
    assert proxied.files.delete(made.id).deleted
    for exchange in tap.exchanges:
        found = logged(house, exchange)
        assert (found.summary.endpoint, found.summary.route) == ("other", "upstream")


def test_speech_arrives_as_it_was_made(house: House, proxied: OpenAI, direct: OpenAI, tap: Tap) -> None:
    spoken = [
        client.audio.speech.create(model="tts-1", voice="alloy", input="Good day").read()
        for client in (proxied, direct)
    ]
    assert spoken[0] == spoken[1]
    assert spoken[0].startswith(b"ID3")
    with proxied.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="Good day"
    ) as response:
        assert b"".join(response.iter_bytes()) == spoken[0]
    found = logged(house, tap.last)
    assert found.summary.response_size == len(spoken[0])
    assert found.response.kind == "none"
