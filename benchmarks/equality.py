"""Whether the proxy changes a byte, and whether it forgets a call: `python -m benchmarks.equality [DATA_FOLDER]`.

Recorded calls are sent twice, straight to a simulator that replays them and through a proxy before it, routing on: one
rule names a small model that always fails, so that some calls fall back. Statuses, content types and bodies have to be
equal. Every call must then be in the database: its request equal as JSON to what was sent, its response to what came
back, its tokens to what was counted. Exits with 1 when one is not.
"""

from __future__ import annotations

import asyncio
import lzma
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from benchmarks.stored import Archive, Sent
from cli.processes import Started, started
from serving.endpoints.base import digest

DATA: Final = Path(__file__).parents[2] / "shared" / "data"
"""Where the recorded calls are looked for; the variable UNDERSTUDY_DATA names another folder."""

TRACES: Final = (("crewai_http", None), ("tau1_airline_gpt4o", 500))
"""Names of the traces, and how many of their calls are replayed; None takes all."""

_CONNECTIONS: Final = 16
_FAILING: Final = "always-fails-0.6b"
_CONFIGURATION: Final = """\
version: 1
server: {{port: 0}}
upstreams:
  replayed: {{base_url: "{upstream}/v1"}}
engines:
  failing: {{kind: vllm, base_url: "{failing}/v1"}}
slms:
  {model}: {{engine: failing, model: {model}}}
store: {{url: "sqlite:///{folder}/understudy.db", retain: null}}
state_dir: {folder}/state
rules:
  - {{name: planner stays, when: {{system: "You are the planner*"}}, route: upstream}}
  - {{name: tools fall back, when: {{tools: "*"}}, route: {model}, share: 50%}}
  - {{name: streams fall back, when: {{stream: true}}, route: {model}, share: 25%}}
  - {{name: short ones, when: {{model: "gpt-4*", tokens: "<500"}}, route: upstream}}
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call of a trace, ready to be sent."""

    request: dict[str, Any]
    occurrence: int
    """How many calls with the same question came before it; each has an answer of its own."""

    @property
    def streamed(self) -> bool:
        return bool(self.request.get("stream"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client receives."""

    status: int
    content_type: str
    body: bytes


@dataclass(slots=True)
class Equality:
    """How a replay went."""

    trace: str
    calls: int
    equal: int = 0
    stored: int = 0
    streamed: int = 0
    fell_back: int = 0
    refused: int = 0
    """Answers other than 200: equal or not, they would prove little."""
    differences: list[str] = field(default_factory=list)
    """The first few, in words."""

    @property
    def complete(self) -> bool:
        """Whether every call was answered, equal and stored."""
        return self.calls > 0 and self.equal == self.stored == self.calls and not self.refused

    def __str__(self) -> str:
        return (
            f"{self.trace}: {self.equal:,} of {self.calls:,} byte-equal, "
            f"{self.stored:,} of {self.calls:,} in the database"
        )

    def note(self, difference: str) -> None:
        if difference and len(self.differences) < 5:
            self.differences.append(difference)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The servers of a replay."""

    direct: Started
    proxy: Started
    configuration: Path


def data_folder() -> Path:
    """The folder of recorded calls, which need not be there."""
    return Path(os.environ.get("UNDERSTUDY_DATA") or DATA)


def read(trace: Path, limit: int | None = None) -> list[Recorded]:
    """The calls of a trace, the first `limit` of them; raises OSError."""
    seen: Counter[str] = Counter()
    calls = []
    with lzma.open(trace) as lines:
        for line in islice(lines, limit):
            request = orjson.loads(line)["request"]
            key = digest(request)
            calls.append(Recorded(request, seen[key]))
            seen[key] += 1
    return calls


@contextmanager
def deployed(trace: Path, folder: Path) -> Iterator[Deployment]:
    """Start the simulators and the proxy; their logs and the database are left in `folder`."""
    common = ["simulate", "--port", "0", "--speed", "0"]
    slm = ["--as", "slm", "--model", _FAILING, "--fault", "status=503"]
    with ExitStack() as stack:
        direct = stack.enter_context(
            started([*common, "--trace", str(trace), "--clock", "fixed"], folder / "upstream.log")
        )
        failing = stack.enter_context(started([*common, *slm], folder / "failing.log"))
        configuration = folder / "understudy.yaml"
        configuration.write_text(
            _CONFIGURATION.format(upstream=direct.url, failing=failing.url, model=_FAILING, folder=folder)
        )
        proxy = stack.enter_context(started(["serve", "--config", str(configuration)], folder / "proxy.log"))
        yield Deployment(direct, proxy, configuration)


def replay(trace: Path, folder: Path, limit: int | None = None) -> Equality:
    """Send the calls of a trace both ways, and look each up in the database."""
    calls = read(trace, limit)
    result = Equality(trace.name.partition(".")[0], len(calls), streamed=sum(call.streamed for call in calls))
    with deployed(trace, folder) as deployment:
        sent = asyncio.run(_send_all(deployment, calls, result))
        with Archive.opened(deployment.configuration) as archive:
            for each in sent:
                missing = archive.missing(each)
                result.stored += not missing
                result.note(missing)
    return result


async def _send_all(deployment: Deployment, calls: Sequence[Recorded], result: Equality) -> list[Sent]:
    waiting = iter(calls)

    async def work(session: aiohttp.ClientSession) -> list[Sent]:
        return [await _both_ways(session, deployment, call, result) for call in waiting]

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        done = await asyncio.gather(*(work(session) for _ in range(_CONNECTIONS)))
    return [sent for each in done for sent in each]


async def _both_ways(
    session: aiohttp.ClientSession, deployment: Deployment, call: Recorded, result: Equality
) -> Sent:
    """One call, direct and through the proxy, compared."""
    body = orjson.dumps(call.request)
    direct, _ = await _ask(session, deployment.direct, call, body)
    proxied, headers = await _ask(session, deployment.proxy, call, body)
    whole = direct
    if call.streamed:
        unstreamed = {k: v for k, v in call.request.items() if k not in ("stream", "stream_options")}
        whole, _ = await _ask(session, deployment.direct, call, orjson.dumps(unstreamed))
    call_id = headers.get("x-understudy-call-id", "")
    result.equal += direct == proxied
    result.refused += direct.status != 200
    result.fell_back += "x-understudy-fallback" in headers
    if direct != proxied:
        result.note(f"call {call_id}: {_difference(direct, proxied)}")
    return Sent(call_id, body, whole.body, streamed=call.streamed)


async def _ask(
    session: aiohttp.ClientSession, server: Started, call: Recorded, body: bytes
) -> tuple[Answer, Any]:
    headers = {"content-type": "application/json", "x-trace-index": str(call.occurrence)}
    async with session.post(f"{server.url}/v1/chat/completions", data=body, headers=headers) as response:
        answer = Answer(response.status, response.headers.get("content-type", ""), await response.read())
        return answer, response.headers


def _difference(direct: Answer, proxied: Answer) -> str:
    for name in ("status", "content_type"):
        if getattr(direct, name) != getattr(proxied, name):
            return f"{name} {getattr(direct, name)!r} became {getattr(proxied, name)!r}"
    pairs = zip(direct.body, proxied.body, strict=False)
    place = next((index for index, (one, other) in enumerate(pairs) if one != other), None)
    lengths = f"{len(direct.body)} bytes became {len(proxied.body)}"
    return f"{lengths}, the first other one at {place}" if place is not None else lengths


def main(arguments: Sequence[str]) -> int:
    """Replay every trace; returns the exit code."""
    folder = Path(arguments[0]) if arguments else data_folder()
    results = []
    for name, limit in TRACES:
        trace = folder / f"{name}.jsonl.xz"
        if not trace.exists():
            print(f"no recorded calls at {trace}; name their folder, or set UNDERSTUDY_DATA", file=sys.stderr)
            return 2
        with tempfile.TemporaryDirectory(prefix="understudy-equality-") as work:
            results.append(replay(trace, Path(work), limit))
        _report(results[-1])
    print()
    for result in results:
        print(result)
    return 0 if all(result.complete for result in results) else 1


def _report(result: Equality) -> None:
    print(
        f"{result.trace}: {result.calls:,} calls, {result.streamed:,} streamed, "
        f"{result.fell_back:,} fell back from a failing small model, {result.refused:,} not answered with 200"
    )
    for difference in result.differences:
        print(f"  {difference}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
