"""One running house for all tests of this folder, and the SDK's clients for both of its doors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.e2e.house import House, Tap, async_client, housed, sync_client


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture
def tap() -> Tap:
    """What the proxied client of this test sends and gets."""
    return Tap()


@pytest.fixture
def direct(house: House) -> Iterator[OpenAI]:
    """The SDK at the simulator."""
    with sync_client(house.llm_url) as client:
        yield client


@pytest.fixture
def proxied(house: House, tap: Tap) -> Iterator[OpenAI]:
    """The SDK at the proxy."""
    with sync_client(house.proxy_url, tap) as client:
        yield client


@pytest.fixture
async def async_direct(house: House) -> AsyncIterator[AsyncOpenAI]:
    async with async_client(house.llm_url) as client:
        yield client


@pytest.fixture
async def async_proxied(house: House, tap: Tap) -> AsyncIterator[AsyncOpenAI]:
    async with async_client(house.proxy_url, tap) as client:
        yield client
