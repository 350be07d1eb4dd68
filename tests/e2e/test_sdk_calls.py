"""The official SDK: what it gets through the proxy is what it gets without, and every call is in the database."""

from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from simulator.agent import AsyncSupportDeskAgent, SupportDeskAgent
from simulator.tickets import tickets
from tests.e2e.house import House, Tap, logged
from tests.e2e.sdk_calls import CALLS, check_log

names = pytest.mark.parametrize("name", CALLS)


@names
def test_sync_calls_are_unchanged_and_logged(
    name: str, house: House, proxied: OpenAI, direct: OpenAI, tap: Tap
) -> None:
    call = CALLS[name]
    assert call.perform(proxied) == call.perform(direct)
    check_log(house, tap.last)


@names
async def test_async_calls_are_unchanged_and_logged(
    name: str, house: House, async_proxied: AsyncOpenAI, async_direct: AsyncOpenAI, tap: Tap
) -> None:
    call = CALLS[name]
    assert await call.perform_later(async_proxied) == await call.perform_later(async_direct)
    check_log(house, tap.last)


@pytest.mark.parametrize("ticket", list(tickets(3, seed=5)), ids=["first", "second", "third"])
def test_an_agent_with_tools_works_alike(
    ticket: Any, house: House, proxied: OpenAI, direct: OpenAI, tap: Tap
) -> None:
    worked = SupportDeskAgent(proxied).work(ticket.text)
    assert worked == SupportDeskAgent(direct).work(ticket.text)
    assert worked.label == ticket.label
    assert len(tap.exchanges) == worked.calls
    for exchange in tap.exchanges:
        check_log(house, exchange)


async def test_an_asynchronous_agent_works_alike(
    house: House, async_proxied: AsyncOpenAI, async_direct: AsyncOpenAI, tap: Tap
) -> None:
    [ticket] = tickets(1, seed=6)
    worked = await AsyncSupportDeskAgent(async_proxied).work(ticket.text)
    assert worked == await AsyncSupportDeskAgent(async_direct).work(ticket.text)
    for exchange in tap.exchanges:
        check_log(house, exchange)


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
