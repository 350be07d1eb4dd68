"""The same house otherwise furnished: calls logged to PostgreSQL, two workers, the transport on aiohttp."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from simulator.agent import SupportDeskAgent
from simulator.tickets import tickets
from store.calls import Filters
from tests.e2e.house import House, Tap, eventually, housed, logged, sync_client
from tests.e2e.sdk_calls import CALLS, check_log
from tests.postgres import postgres_server

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with postgres_server() as server:
        yield server.get_uri()


@pytest.fixture(scope="module")
def postgres_house(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("postgres"), postgres, workers=2, transport="aiohttp") as running:
        yield running


@pytest.mark.parametrize(
    "name",
    [
        "chat",
        "chat, streamed",
        "chat, tool call streamed",
        "chat, parsed",
        "completions, streamed",
        "responses, stream helper",
        "responses, tool call",
        "embeddings",
    ],
)
def test_calls_are_unchanged_and_logged(name: str, postgres_house: House) -> None:
    call, tap = CALLS[name], Tap()
    with (
        sync_client(postgres_house.proxy_url, tap) as proxied,
        sync_client(postgres_house.llm_url) as direct,
    ):
        assert call.perform(proxied) == call.perform(direct)
        check_log(postgres_house, tap.last)


def test_an_agent_works_and_the_statistics_count_its_calls(postgres_house: House) -> None:
    tap = Tap()
    [ticket] = tickets(1, seed=7)
    before = stats(postgres_house)["calls"]
    with sync_client(postgres_house.proxy_url, tap) as client:
        worked = SupportDeskAgent(client).work(ticket.text)
    for exchange in tap.exchanges:
        logged(postgres_house, exchange)
    eventually(lambda: stats(postgres_house)["calls"] == before + worked.calls, "every call counted")
    assert len(postgres_house.archive.list(Filters(limit=worked.calls))) == worked.calls


def stats(house: House) -> dict[str, int]:
    answer = httpx2.get(house.proxy_url.removesuffix("/v1") + "/stats", params={"window": "all"}, timeout=20)
    figures: dict[str, int] = answer.json()
    return figures
