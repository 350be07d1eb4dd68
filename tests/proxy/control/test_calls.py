"""The log over HTTP: filtered by time, and searched for what was said by who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.proxy.running import RunningProxy


@pytest.fixture
def filled(proxy: RunningProxy) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=proxy.url, timeout=20) as client:
        for number in range(4):
            said = f"Ticket {number}: the {'parcel' if number % 2 else 'letter'} has not come"
            client.post(
                "/v1/chat/completions",
                json={"model": "gpt-4o", "messages": [{"role": "user", "content": said}]},
            ).raise_for_status()
        proxy.shipped()
        yield client


def page(client: httpx2.Client, **parameters: Any) -> Any:
    answer = client.get("/calls", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_time_is_chosen(filled: httpx2.Client) -> None:
    newest, *_, oldest = page(filled)["calls"]
    later = page(filled, since=oldest["started"] + 0.001)["calls"]
    assert newest in later
    assert len(page(filled, until=newest["started"] + 1)["calls"]) == 4
    assert page(filled, until=oldest["started"] - 1)["calls"] == []


def test_what_was_said_is_found(filled: httpx2.Client) -> None:
    found = page(filled, text="The PARCEL")
    assert (len(found["calls"]), found["next"], found["searched"]) == (2, None, 4)
    assert page(filled, text="parcel", status=500)["calls"] == []
    first = page(filled, text="ticket", limit=1)
    assert len(page(filled, text="ticket", before=first["next"])["calls"]) == 3


@pytest.mark.parametrize("query", ["since=nan", "until=-1", "since=1e300", "text=", "text=" + "x" * 201])
def test_filters_that_make_no_sense(filled: httpx2.Client, query: str) -> None:
    assert filled.get(f"/calls?{query}").status_code == 422


def test_a_viewer_may_not_search_what_was_said(filled: httpx2.Client) -> None:
    """In passthrough mode nothing that tells of content is shown under a name that may be another's."""
    renamed = {"host": "evil.example"}
    assert filled.get("/calls", headers=renamed).status_code == 200
    refused = filled.get("/calls?text=parcel", headers=renamed)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "host")
