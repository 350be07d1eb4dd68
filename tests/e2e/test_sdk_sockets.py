"""The SDK's WebSockets: realtime and responses, relayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.e2e.house import KEY, House

# The SDK opens its sockets in a way that the newest websockets deprecates.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:connect\(\) must be used as a context manager:DeprecationWarning"
)

RESPONSE: dict[str, Any] = {"model": "gpt-4o", "input": "Where is order 4711?"}


@pytest.fixture
def clients(house: House) -> Iterator[tuple[OpenAI, OpenAI]]:
    """The SDK through the proxy, and direct."""
    with (
        OpenAI(base_url=house.proxy_url, websocket_base_url=_socket(house.proxy_url), api_key=KEY) as proxied,
        OpenAI(base_url=house.llm_url, websocket_base_url=_socket(house.llm_url), api_key=KEY) as direct,
    ):
        yield proxied, direct


def _socket(url: str) -> str:
    return url.replace("http://", "ws://")


def realtime(client: OpenAI) -> list[str]:
    with client.realtime.connect(model="gpt-realtime") as connection:
        connection.response.create()
        return _until(connection, "response.done")


def responses(client: OpenAI) -> list[str]:
    with client.responses.connect() as connection:
        connection.response.create(**RESPONSE)
        return _until(connection, "response.completed")


def _until(connection: Any, last: str) -> list[str]:
    """The raw events of a connection, up to the last one."""
    received = []
    for event in connection:
        received.append(event.to_json())
        if event.type == last:
            break
    return received


@pytest.mark.parametrize("converse", [realtime, responses])
def test_socket_conversations_pass_unchanged(
    converse: Callable[[OpenAI], list[str]], clients: tuple[OpenAI, OpenAI]
) -> None:
    proxied, direct = clients
    received = converse(proxied)
    assert received == converse(direct)
    assert len(received) > 3
