"""The official SDK when things go wrong: errors, retries, timeouts, and clients that leave in the middle."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from store.record import CLIENT_LEFT
from tests.e2e.house import House, Tap, async_client, eventually, eventually_async, logged, sync_client

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Where is order 4711?"}],
}


@pytest.fixture
def marker() -> str:
    """Tells this test's requests from all others, at the upstream and in the log."""
    return uuid.uuid4().hex


def struck(fault: str, marker: str) -> dict[str, str]:
    """Headers of a request that goes wrong in this way; the marker names the session too."""
    return {"x-simulate": f"{fault};key={marker}", "x-understudy-session": marker}


def error_of(ask: Callable[[], Any]) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        ask()
    return caught.value


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("status=400;message=Bad ingredients.", openai.BadRequestError),
        ("status=401", openai.AuthenticationError),
        ("status=403", openai.PermissionDeniedError),
        ("status=404", openai.NotFoundError),
        ("status=409", openai.ConflictError),
        ("status=422", openai.UnprocessableEntityError),
        ("status=429;retry-after=7;retry-after-ms=7000", openai.RateLimitError),
        ("status=500", openai.InternalServerError),
        ("status=503;should-retry=true", openai.InternalServerError),
        ("status=418;body=<h1>no JSON</h1>", openai.APIStatusError),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_errors_are_the_upstreams(
    fault: str,
    kind: type[openai.APIStatusError],
    stream: bool,
    house: House,
    proxied: OpenAI,
    direct: OpenAI,
    tap: Tap,
    marker: str,
) -> None:
    headers = struck(fault, marker)
    errors = [
        error_of(lambda: client.chat.completions.create(**ASK, stream=stream, extra_headers=headers))  # noqa: B023  (called at once)
        for client in (proxied, direct)
    ]
    through, straight = errors
    assert type(through) is type(straight) is kind
    assert (through.status_code, through.message) == (straight.status_code, straight.message)
    assert (through.body, through.request_id) == (straight.body, straight.request_id)
    for name in ("retry-after", "retry-after-ms", "content-type"):
        assert through.response.headers.get(name) == straight.response.headers.get(name)
    found = logged(house, tap.last)
    assert found.upstream_request_id == "req_simulated"


def test_what_the_upstream_refuses_is_its_business(proxied: OpenAI, direct: OpenAI) -> None:
    wrong: list[dict[str, Any]] = [
        ASK | {"model": "no-such-model"},
        ASK | {"messages": "not a list"},
        ASK | {"extra_body": {"made_up_field": 1}},
        ASK | {"messages": [{"role": "poet", "content": "Roses are red"}]},
    ]
    for arguments in wrong:
        through, straight = (
            error_of(lambda: client.chat.completions.create(**arguments))  # noqa: B023  (called at once)
            for client in (proxied, direct)
        )
        assert type(through) is type(straight)
        assert through.body == straight.body


@pytest.mark.parametrize(
    ("fault", "exchanges", "upstream_requests", "answered"),
    [
        ("status=429;retry-after-ms=10;failures=2", 3, 3, True),
        ("status=408;retry-after-ms=10;failures=1", 2, 2, True),
        ("status=500;retry-after-ms=10;failures=2", 3, 3, True),
        ("status=500;should-retry=false", 1, 1, False),
        ("status=400;should-retry=true;retry-after-ms=10;failures=1", 2, 2, True),
        ("status=400", 1, 1, False),
        pytest.param("status=503;failures=1", 1, 2, True, id="the proxy itself tries again"),
        pytest.param(
            "status=503", 1, 2, False, id="once the proxy has given up, the SDK does not begin anew"
        ),
    ],
)
def test_the_sdk_retries_when_it_should(
    fault: str, exchanges: int, upstream_requests: int, answered: bool, house: House, marker: str
) -> None:
    tap = Tap()
    with sync_client(house.proxy_url, tap, max_retries=2) as client:
        headers = struck(fault, marker)
        if answered:
            assert client.chat.completions.create(**ASK, extra_headers=headers).choices
        else:
            error_of(lambda: client.chat.completions.create(**ASK, extra_headers=headers))
    assert len(tap.exchanges) == exchanges
    assert len(house.seen(marker)) == upstream_requests
    for exchange in tap.exchanges:
        logged(house, exchange)
    attempts = [logged(house, exchange).attempts for exchange in tap.exchanges]
    assert sum(map(len, attempts)) == upstream_requests


def test_a_connection_that_ends_before_the_answer_is_tried_again(
    house: House, proxied: OpenAI, tap: Tap, marker: str
) -> None:
    headers = struck("reset=head;failures=1", marker)
    assert proxied.chat.completions.create(**ASK, extra_headers=headers).choices
    assert len(house.seen(marker)) == 2
    logged(house, tap.last)


def test_an_error_within_a_stream_reaches_the_reader(
    house: House, proxied: OpenAI, tap: Tap, marker: str
) -> None:
    headers = struck("error-event=The kitchen is closed.", marker)
    with pytest.raises(openai.APIError, match="The kitchen is closed"):
        list(proxied.chat.completions.create(**ASK, stream=True, extra_headers=headers))
    assert logged(house, tap.last).summary.stream


@pytest.mark.parametrize("fault", ["reset=body", "close=body"])
def test_a_stream_that_breaks_off_ends_in_an_error(
    fault: str, house: House, proxied: OpenAI, tap: Tap, marker: str
) -> None:
    """Without the proxy the SDK meets a broken connection; with it, an event that says what happened."""
    with pytest.raises(openai.APIError, match="broke off"):
        list(proxied.chat.completions.create(**ASK, stream=True, extra_headers=struck(fault, marker)))
    attempt = logged(house, tap.last).attempts[-1]
    assert attempt.cause


@pytest.mark.parametrize("fault", ["reset=body", "length=9"])
def test_a_whole_answer_that_breaks_off_is_a_connection_error(
    fault: str, house: House, proxied: OpenAI, marker: str
) -> None:
    with pytest.raises(openai.APIConnectionError):
        proxied.chat.completions.create(**ASK, extra_headers=struck(fault, marker))
    assert [call.route for call in house.in_session(marker)] == ["upstream"]


def left(house: House, marker: str, broken_off: int) -> None:
    """A client has left: the upstream's answer was given up, and the call is in the log as 499."""
    eventually(lambda: house.llm.counts.broken_off > broken_off, "the upstream call cancelled")
    assert not [one for one in house.seen(marker) if one.finished]
    [call] = house.in_session(marker)
    assert call.status == CLIENT_LEFT


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_timeout_of_the_sdk_cancels_the_upstream(house: House, marker: str, stream: bool) -> None:
    broken_off = house.llm.counts.broken_off
    with sync_client(house.proxy_url, timeout=0.5) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(
            **ASK, stream=stream, extra_headers=struck("stall=head;seconds=60", marker)
        )
    left(house, marker, broken_off)


async def test_an_asynchronous_timeout_cancels_the_upstream(house: House, marker: str) -> None:
    broken_off = house.llm.counts.broken_off
    async with async_client(house.proxy_url, timeout=0.5) as client:
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(**ASK, extra_headers=struck("stall=head;seconds=60", marker))
    await eventually_async(lambda: house.llm.counts.broken_off > broken_off, "the upstream call cancelled")
    left(house, marker, broken_off)


def test_closing_a_stream_in_the_middle_cancels_the_upstream(
    house: House, proxied: OpenAI, tap: Tap, marker: str
) -> None:
    broken_off = house.llm.counts.broken_off
    headers = struck("stall=body;seconds=60;after=1500", marker)
    with proxied.chat.completions.create(**ASK, stream=True, extra_headers=headers) as stream:
        first = next(iter(stream))
    left(house, marker, broken_off)
    found = house.archive.call(tap.last.call_id)
    assert found is not None
    assert first.id.encode() in found.response.data, "the part that had arrived is kept"
    assert found.summary.usage_source == "estimated"


async def test_closing_an_asynchronous_stream_cancels_the_upstream(
    house: House, async_proxied: AsyncOpenAI, marker: str
) -> None:
    broken_off = house.llm.counts.broken_off
    headers = struck("stall=body;seconds=60;after=1500", marker)
    stream = await async_proxied.chat.completions.create(**ASK, stream=True, extra_headers=headers)
    async for _ in stream:
        break
    await stream.close()
    await eventually_async(lambda: house.llm.counts.broken_off > broken_off, "the upstream call cancelled")
    left(house, marker, broken_off)
