"""A backtest against the truth: recorded calls replayed live under the other rules are replaced as often as it said."""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from backtest.comparison import Comparison
from backtest.report import Report
from benchmarks.equality import Recorded, data_folder, read
from cli.context import key_file
from serving.endpoints.dialect import VllmDialect
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.trace import TraceBrain
from store.database import open_engine
from store.keyring import KeyRing, Sealer
from tests.proxy.running import RunningProxy, start

TRACES = ("crewai_http", "tau1_airline_gpt4o")
EVERY = 6
"""One call in so many is replayed."""

UPSTREAM: Sequence[Mapping[str, Any]] = ()
CHANGES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "what offers tools": ({"name": "tools", "when": {"tools": "*"}, "route": "small"},),
    "half of the sessions": ({"name": "half", "when": {"system": "*"}, "route": "small", "share": "50%"},),
    "what is said and how long": (
        {"name": "plans stay", "when": {"user": ["*plan*", "*research*"]}, "route": "upstream"},
        {"name": "short", "when": {"tokens": "<700"}, "route": "small"},
        {
            "name": "some of the rest",
            "when": {"response_format": "json_schema"},
            "route": "small",
            "share": "30%",
        },
    ),
}


@pytest.fixture(scope="module", params=TRACES)
def trace(request: pytest.FixtureRequest) -> Path:
    path = data_folder() / f"{request.param}.jsonl.xz"
    if not path.exists():
        pytest.skip(f"no recorded calls at {path}: set UNDERSTUDY_DATA")
    return path


@pytest.fixture(scope="module")
def servers(trace: Path) -> Iterator[tuple[RunningServer, RunningServer]]:
    """The LLM and a small model that knows the same answers, both from the recording."""
    small = Settings(models=("small",), dialect=VllmDialect())
    with (
        RunningServer(create_app(TraceBrain.read(trace), settings=Settings(models=("*",)))) as llm,
        RunningServer(create_app(TraceBrain.of(_as_asked_of("small", trace)), settings=small)) as slm,
    ):
        yield llm, slm


def _as_asked_of(model: str, trace: Path) -> Iterator[bytes]:
    """The recording as if another model had been asked: the proxy rewrites nothing else."""
    with lzma.open(trace) as lines:
        for line in lines:
            row = orjson.loads(line)
            yield orjson.dumps({**row, "request": {**row["request"], "model": model}})


def _sections(slm: RunningServer, rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "engines": {"gpu": {"kind": "vllm", "base_url": slm.base_url}},
        "slms": {"small": {"engine": "gpu", "model": "small"}},
        "rules": list(rules),
    }


def _serve(folder: Path, servers: tuple[RunningServer, RunningServer], rules: Any) -> RunningProxy:
    folder.mkdir()
    return start(folder, servers[0].url, **_sections(servers[1], rules))


def _send(proxy: RunningProxy, calls: Sequence[Recorded]) -> list[str]:
    """The route of each call."""

    def one(call: Recorded) -> str:
        headers = {"content-type": "application/json", "x-trace-index": str(call.occurrence)}
        answer = client.post("/chat/completions", content=orjson.dumps(call.request), headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-understudy-route"]

    with httpx2.Client(base_url=proxy.base_url, timeout=60) as client, ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, calls))


def _backtest(before: RunningProxy, after: RunningProxy) -> Report:
    engine = open_engine(before.configuration.settings.store.url)
    sealer = Sealer(KeyRing.load(key_file(before.configuration), {}))
    try:
        comparison = Comparison(before.configuration, after.configuration)
        return comparison.run(engine, sealer, None, None, lambda done: None)
    finally:
        engine.dispose()


@pytest.mark.traces
@pytest.mark.timeout(400)
def test_the_backtested_rate_is_the_live_one(
    trace: Path, servers: tuple[RunningServer, RunningServer], tmp_path: Path
) -> None:
    calls = read(trace)[::EVERY]
    before = _serve(tmp_path / "before", servers, UPSTREAM)
    assert set(_send(before, calls)) == {"upstream"}
    assert len(before.shipped()) == min(50, len(calls))  # a page of them; all are in the database
    rates = {}
    for number, (name, rules) in enumerate(CHANGES.items()):
        after = _serve(tmp_path / str(number), servers, rules)
        routes = _send(after, calls)
        report = _backtest(before, after)
        after.stop()
        assert report.today.calls == len(calls)
        rates[name] = (report.other.replacement_rate, routes.count("slm") / len(routes))
    before.stop()
    print(rates)
    assert all(abs(backtested - live) < 0.01 for backtested, live in rates.values()), rates
    assert all(0.02 < live < 0.98 for _, live in rates.values()), rates
