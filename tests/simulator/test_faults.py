"""Faults as clients see them: the SDK on top, raw sockets beneath."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from serving.endpoints.errors import ApiError
from simulator.activity import Counts, Recorder
from simulator.app import create_app
from simulator.faults import FaultPlan, parse
from simulator.general import GeneralBrain
from simulator.latency import Latency
from simulator.server import RunningServer

MESSAGES: list[Any] = [{"role": "user", "content": "hello " * 40}]
BODY: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}


def create(client: OpenAI, spec: str, **more: Any) -> Any:
    return client.chat.completions.create(**BODY, extra_headers={"x-simulate": spec}, **more)


def post(http: httpx2.Client, spec: str, *, stream: bool = False) -> httpx2.Response:
    return http.post("/v1/chat/completions", json=BODY | {"stream": stream}, headers={"x-simulate": spec})


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("status=400", openai.BadRequestError),
        ("status=401", openai.AuthenticationError),
        ("status=404", openai.NotFoundError),
        ("status=429; retry-after=1", openai.RateLimitError),
        ("status=500", openai.InternalServerError),
        ("status=503; body=upstream is down", openai.InternalServerError),
        ("reset=head", openai.APIConnectionError),
        ("close=head", openai.APIConnectionError),
        ("reset=body; after=50", openai.APIConnectionError),
        ("close=body; after=50", openai.APIConnectionError),
        ("length=10", openai.APIConnectionError),
        ("malformed=http", openai.APIConnectionError),
    ],
)
def test_the_sdk_raises(client: OpenAI, spec: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        create(client, spec)


def test_status_faults_carry_headers_and_body(http: httpx2.Client) -> None:
    answer = post(
        http, "status=429; retry-after=7; retry-after-ms=7000; should-retry=false; message=Slow down"
    )
    assert answer.json()["error"] == {
        "message": "Slow down",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert (answer.headers["retry-after"], answer.headers["retry-after-ms"]) == ("7", "7000")
    assert answer.headers["x-should-retry"] == "false"
    assert post(http, "status=502; body=<html>bad gateway</html>").text == "<html>bad gateway</html>"


def test_failures_end_after_the_given_number(server: RunningServer) -> None:
    spec = "status=503; failures=2; retry-after-ms=1; key=twice"
    with OpenAI(base_url=server.base_url, api_key="sk-test", max_retries=2) as client:
        assert create(client, spec).choices[0].finish_reason == "stop"


def test_a_model_name_may_carry_the_fault(client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="simulate:status=500", messages=MESSAGES)
    assert client.chat.completions.create(model="simulate:huge-headers=10", messages=MESSAGES).choices


@pytest.mark.parametrize("spec", ["reset=body", "close=body", "length=5"])
def test_broken_streams_raise_in_the_middle(http: httpx2.Client, spec: str) -> None:
    got = b""
    with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):  # noqa: PT012, SIM117  (read in pieces)
        with http.stream(
            "POST", "/v1/chat/completions", json=BODY | {"stream": True}, headers={"x-simulate": spec}
        ) as r:
            for chunk in r.iter_bytes():
                got += chunk
    assert got.startswith(b"data: {")


def test_a_reset_is_a_real_reset(server: RunningServer) -> None:
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-simulate: reset=head\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            raw.recv(100)


def test_truncated_streams_end_cleanly_without_an_ending(http: httpx2.Client) -> None:
    whole = post(http, "status=0", stream=True).text
    for after in (0, 300, 10**9):
        text = post(http, f"truncate; after={after}", stream=True).text
        assert whole.startswith(text)
        assert "[DONE]" not in text
        assert '"finish_reason":"stop"' not in text
        assert text == "" or text.endswith("\n\n")


def test_malformed_answers(http: httpx2.Client, client: OpenAI) -> None:
    broken = post(http, "malformed=json")
    assert broken.status_code == 200
    with pytest.raises(ValueError, match=r".+"):
        broken.json()
    with pytest.raises(ValueError, match=r".+"):
        list(create(client, "malformed=sse", stream=True))
    assert post(http, "content-type=text/html").headers["content-type"] == "text/html"
    assert len(post(http, "huge-headers=70000").headers["x-padding"]) == 70000


def test_stream_faults_on_whole_answers(http: httpx2.Client) -> None:
    whole = post(http, "status=0").content
    with pytest.raises(httpx2.RemoteProtocolError):
        post(http, "truncate; after=50")
    for spec in ("malformed=sse", "error-event=no stream here"):
        assert len(post(http, spec).content) == len(whole)


def test_error_events_reach_the_sdk(client: OpenAI) -> None:
    with pytest.raises(openai.APIError, match="the engine fell over"):
        list(create(client, "error-event=the engine fell over", stream=True))


def test_stalls_outlast_a_short_timeout(server: RunningServer) -> None:
    with OpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0, timeout=0.3) as client:
        with pytest.raises(openai.APITimeoutError):
            create(client, "stall=head; seconds=30")
        with pytest.raises(openai.APITimeoutError):
            create(client, "stall=body; seconds=30")


def test_short_stalls_and_trickles_lose_nothing(http: httpx2.Client) -> None:
    whole = post(http, "status=0").content
    for spec in ("stall=head; seconds=0.01", "stall=body; seconds=0.01", "trickle=100000"):
        assert len(post(http, spec).content) == len(whole)


def test_reject_only_strikes_requests_with_the_field(http: httpx2.Client) -> None:
    spec = {"x-simulate": "reject=stream_options"}
    with_options = BODY | {"stream": True, "stream_options": {"include_usage": True}}
    refused = http.post("/v1/chat/completions", json=with_options, headers=spec)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "stream_options")
    assert http.post("/v1/chat/completions", json=BODY, headers=spec).status_code == 200


@pytest.mark.parametrize("spec", ["zork=1", "status=many", "seconds=soon"])
def test_faults_that_make_no_sense_are_named(http: httpx2.Client, spec: str) -> None:
    answer = post(http, spec)
    assert answer.status_code == 400
    assert repr(spec) in answer.json()["error"]["message"]
    with pytest.raises(ApiError):
        parse(spec)


def test_standing_faults_strike_a_seeded_share() -> None:
    plans = [FaultPlan([parse("status=500; rate=0.3")], seed=4) for _ in range(2)]
    struck = [[plan.pick("") is not None for _ in range(200)] for plan in plans]
    assert struck[0] == struck[1]
    assert 30 < sum(struck[0]) < 90


@pytest.fixture
def slow() -> Iterator[tuple[Recorder, RunningServer]]:
    app = create_app(
        GeneralBrain(), latency=Latency(first_token=0.01, spread=0.0, tokens_per_second=2.0), keep=4
    )
    with RunningServer(app) as server:
        yield app, server


def test_clients_that_leave_are_noticed_in_every_phase(slow: tuple[Recorder, RunningServer]) -> None:
    app, server = slow
    headers = {"x-simulate": "stall=head; seconds=60"}
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{server.base_url}/chat/completions", json=BODY, headers=headers, timeout=0.2)
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{server.base_url}/chat/completions", json=BODY, timeout=0.2)
    with httpx2.stream(
        "POST", f"{server.base_url}/chat/completions", json=BODY | {"stream": True}
    ) as streaming:
        next(streaming.iter_bytes())
    wait_for(app, Counts(active=0, started=3, finished=0, broken_off=3))
    assert httpx2.get(f"{server.url}/simulator/activity").json()["broken_off"] == 3
    assert [seen.path for seen in app.seen] == ["/v1/chat/completions"] * 3


def wait_for(app: Recorder, counts: Counts) -> None:
    deadline = time.monotonic() + 10
    while app.counts != counts:
        assert time.monotonic() < deadline, app.counts
        time.sleep(0.01)
