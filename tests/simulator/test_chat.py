"""Chat completions on the wire and through the SDK."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import orjson
import pydantic
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from simulator.app import create_app
from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM, TOOLS, Kind
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.support_desk import SupportDesk
from simulator.tickets import ticket

TICKET = "Please cancel my purchase of two blue ceramic mugs, order #48213.\nThanks,\nMaria Lopez"


def asked(kind: Kind, text: str = TICKET, **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": SYSTEM[kind]}, {"role": "user", "content": text}]
    if kind == "act":
        more["tools"] = list(TOOLS)
    if kind == "extract":
        schema = {"name": "order", "strict": True, "schema": ORDER_SCHEMA}
        more["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {"model": "gpt-4o-mini", "messages": messages} | more


def events(raw: bytes) -> list[dict[str, Any]]:
    lines = raw.split(b"\n\n")
    assert lines[-2:] == [b"data: [DONE]", b""]
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines[:-2]]


def test_a_whole_completion_has_every_field_of_the_real_one(http: httpx2.Client) -> None:
    answer = http.post("/v1/chat/completions", json=asked("classify"))
    body = answer.json()
    ChatCompletion.model_validate(body, strict=True)
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "cancel_order", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert body["id"].startswith("chatcmpl-")
    assert (body["object"], body["model"]) == ("chat.completion", "gpt-4o-mini-2024-07-18")
    assert (body["service_tier"], body["system_fingerprint"][:3]) == ("default", "fp_")
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0
    assert answer.content == orjson.dumps(body)


def test_response_headers_are_those_of_the_real_api(http: httpx2.Client) -> None:
    headers = http.post("/v1/chat/completions", json=asked("classify")).headers
    assert headers["server"] == "understudy-simulator"
    for name in ("x-request-id", "openai-processing-ms", "openai-version", "x-ratelimit-remaining-tokens"):
        assert headers[name]


@pytest.mark.parametrize("kind", ["classify", "urgency", "queue", "extract", "act", "reply", "plan"])
def test_include_usage_changes_nothing_but_usage(http: httpx2.Client, kind: Kind) -> None:
    body = asked(kind, stream=True)
    plain = http.post("/v1/chat/completions", json=body).content
    with_usage = http.post(
        "/v1/chat/completions", json=body | {"stream_options": {"include_usage": True}}
    ).content
    chunks = events(with_usage)
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["prompt_tokens"] > 0
    last = b"data: " + orjson.dumps(chunks[-1]) + b"\n\n"
    assert with_usage.count(last) == 1
    assert with_usage.replace(last, b"").replace(b',"usage":null', b"") == plain


@pytest.mark.parametrize("kind", ["classify", "extract", "act", "plan"])
def test_streamed_and_whole_answers_say_the_same(http: httpx2.Client, kind: Kind) -> None:
    whole = http.post("/v1/chat/completions", json=asked(kind)).json()
    chunks = events(http.post("/v1/chat/completions", json=asked(kind, stream=True)).content)
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    message = whole["choices"][0]["message"]
    assert "".join(delta.get("content") or "" for delta in deltas) == (message["content"] or "")
    fragments = [call for delta in deltas for call in delta.get("tool_calls", [])]
    if message.get("tool_calls"):
        assert fragments[0]["id"] == message["tool_calls"][0]["id"]
        joined = "".join(fragment["function"]["arguments"] for fragment in fragments)
        assert joined == message["tool_calls"][0]["function"]["arguments"]
        assert len(fragments) > 3
    assert chunks[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert chunks[0]["id"] == whole["id"]


def test_equal_requests_get_equal_bytes(http: httpx2.Client) -> None:
    body = asked("plan", temperature=1.0)
    first, second = (http.post("/v1/chat/completions", json=body) for _ in range(2))
    assert first.content == second.content
    assert {k: v for k, v in first.headers.items() if k != "date"} == {
        k: v for k, v in second.headers.items() if k != "date"
    }


class Order(pydantic.BaseModel):
    order_id: str | None
    product: str | None
    quantity: int | None


def test_structured_outputs_parse(client: OpenAI) -> None:
    body = asked("extract")
    parsed = client.chat.completions.parse(model="gpt-4o", messages=body["messages"], response_format=Order)
    assert parsed.choices[0].message.parsed == Order(
        order_id="ORD-48213", product="blue ceramic mug", quantity=2
    )


def test_tool_loop_through_the_sdk(client: OpenAI) -> None:
    body = asked("act")
    first = client.chat.completions.create(**body).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.tool_calls is not None
    call = first.message.tool_calls[0]
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "cancel_order",
        {"order_id": "ORD-48213"},
    )
    body["messages"] += [
        first.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": '{"ok": true}'},
    ]
    closing = client.chat.completions.create(**body).choices[0]
    assert closing.finish_reason == "stop"
    assert "cancelled" in (closing.message.content or "")


def test_a_tool_call_lacking_its_order_number_becomes_a_question(client: OpenAI) -> None:
    answer = client.chat.completions.create(**asked("act", "I want to cancel the toaster before it ships."))
    assert answer.choices[0].message.tool_calls is None
    assert "order number" in (answer.choices[0].message.content or "")


def test_limits_n_stop_and_logprobs(client: OpenAI) -> None:
    cut = client.chat.completions.create(**asked("plan", max_tokens=7)).choices[0]
    assert cut.finish_reason == "length"
    stopped = client.chat.completions.create(**asked("reply", stop=["\n"])).choices[0]
    assert stopped.message.content == "Dear Maria,"
    three = client.chat.completions.create(**asked("classify", n=3, logprobs=True))
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert three.choices[0].logprobs is not None
    tokens = three.choices[0].logprobs.content or []
    assert "".join(token.token for token in tokens) == "cancel_order"


def test_long_shared_prefixes_count_as_cached(client: OpenAI) -> None:
    body = asked("classify")
    body["messages"].insert(1, {"role": "user", "content": "some words of a long conversation " * 300})
    usage = client.chat.completions.create(**body).usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    cached = usage.prompt_tokens_details.cached_tokens or 0
    assert 1024 <= cached < usage.prompt_tokens
    assert cached % 128 == 0


def test_obfuscation_pads_chunks_unless_declined() -> None:
    app = create_app(SupportDesk(), settings=Settings(obfuscate=True))
    with RunningServer(app) as server:
        url = f"{server.base_url}/chat/completions"
        padded = events(httpx2.post(url, json=asked("classify", stream=True)).content)
        options = {"include_obfuscation": False}
        plain = events(httpx2.post(url, json=asked("classify", stream=True, stream_options=options)).content)
    assert all(chunk["obfuscation"] for chunk in padded)
    assert not any("obfuscation" in chunk for chunk in plain)


async def test_async_client_streams(server: RunningServer) -> None:
    async with (
        AsyncOpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0) as client,
        client.chat.completions.stream(**asked("act")) as stream,
    ):
        kinds = [event.type async for event in stream]
        final = await stream.get_final_completion()
    assert "tool_calls.function.arguments.delta" in kinds
    assert final.choices[0].finish_reason == "tool_calls"


def test_noise_is_rare_seeded_and_absent_at_temperature_zero() -> None:
    app = create_app(SupportDesk(noise=0.2, repeatable=False))
    with RunningServer(app) as server, OpenAI(base_url=server.base_url, api_key="sk-test") as client:

        def label(text: str, temperature: float) -> str | None:
            body = asked("classify", text, temperature=temperature)
            completion: ChatCompletion = client.chat.completions.create(**body)
            return completion.choices[0].message.content

        made = [ticket(number) for number in range(60)]
        assert [label(one.text, 0) for one in made] == [one.label for one in made]
        repeated = {label(TICKET, 1) for _ in range(60)}
    assert "cancel_order" in repeated
    assert len(repeated) > 1
