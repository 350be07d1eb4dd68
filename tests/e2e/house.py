"""The whole product beside the API it stands before: a simulated LLM and small model, and the proxy's own processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx2
import openai
import orjson
from openai import AsyncOpenAI, OpenAI

from benchmarks.stored import Archive, canonical
from cli.processes import started
from serving.endpoints.dialect import VllmDialect
from simulator.activity import Recorder, Seen
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.support_desk import SupportDesk
from store.calls import Call, CallSummary, Filters

SMALL_MODEL = "classify-0.6b"
KEY = "sk-e2e"
DEADLINE = 30.0
_CONFIGURATION = """\
version: 1
server: {{port: 0, workers: {workers}, transport: {transport}}}
upstreams:
  simulated: {{base_url: "{llm}"}}
engines:
  local: {{kind: vllm, base_url: "{slm}"}}
slms:
  {small_model}: {{engine: local, model: {small_model}}}
store: {{url: "{store}"}}
state_dir: {folder}/state
prices: {{"gpt-4o*": {{input: 0.15, cached_input: 0.075, output: 0.60}}}}
rules:
  - {{name: opt out, when: {{header.x-understudy-route: upstream}}, route: upstream}}
  - {{name: intents, when: {{task: intent}}, route: {small_model}}}
"""

T = TypeVar("T")


@dataclass(frozen=True)
class House:
    """Where everything is, and the other side's view of it."""

    llm_url: str
    """Base URL of the simulated LLM, with `/v1`."""
    proxy_url: str
    """Base URL of the proxy, with `/v1`."""
    llm: Recorder
    slm: Recorder
    archive: Archive
    configuration: Path

    def seen(self, marker: str) -> list[Seen]:
        """The requests at the LLM with this text in a header or in the body."""
        wanted = marker.encode()
        return [
            one
            for one in list(self.llm.seen)
            if wanted in one.body or any(wanted in value for _, value in one.headers)
        ]

    def in_session(self, session: str) -> list[CallSummary]:
        """The logged calls of a session, waited for until there is one."""
        return eventually(lambda: list(self.archive.list(Filters(session=session))), f"a call of {session!r}")


@contextmanager
def housed(
    folder: Path, store: str | None = None, *, workers: int = 1, transport: str = "lean"
) -> Iterator[House]:
    """Start everything; calls are logged to SQLite in `folder` unless a store URL is given. In the end nothing may have
    gone wrong that the proxy itself calls an error."""
    llm = create_app(
        SupportDesk(noise=0.0), settings=Settings(clock="fixed", compress=True, obfuscate=True), keep=512
    )
    small = Settings(models=(SMALL_MODEL,), clock="fixed", dialect=VllmDialect())
    slm = create_app(SupportDesk(noise=0.0), settings=small, keep=512)
    configuration = folder / "understudy.yaml"
    with ExitStack() as stack:
        llm_server, slm_server = (
            stack.enter_context(RunningServer(llm)),
            stack.enter_context(RunningServer(slm)),
        )
        configuration.write_text(
            _CONFIGURATION.format(
                llm=llm_server.base_url,
                slm=slm_server.base_url,
                small_model=SMALL_MODEL,
                store=store or f"sqlite:///{folder}/understudy.db",
                folder=folder,
                workers=workers,
                transport=transport,
            )
        )
        proxy = stack.enter_context(started(["serve", "--config", str(configuration)], folder / "proxy.log"))
        archive = stack.enter_context(Archive.opened(configuration))
        yield House(llm_server.base_url, f"{proxy.url}/v1", llm, slm, archive, configuration)
    said = (folder / "proxy.log").read_text()
    assert " ERROR " not in said, said[-5000:]
    assert "Traceback" not in said, said[-5000:]


@dataclass(frozen=True)
class Exchange:
    """One HTTP request of an SDK and the head of its answer."""

    path: str
    body: bytes
    """Empty for a body that is not JSON."""
    status: int
    headers: httpx2.Headers

    @property
    def call_id(self) -> str:
        return self.headers.get("x-understudy-call-id", "")


@dataclass
class Tap:
    """What an SDK's HTTP client sent and got, in order."""

    exchanges: list[Exchange] = field(default_factory=list)

    def note(self, response: httpx2.Response) -> None:
        request = response.request
        is_json = request.headers.get("content-type", "").startswith("application/json")
        body = request.content if is_json else b""
        path = request.url.raw_path.decode()
        self.exchanges.append(Exchange(path, body, response.status_code, response.headers))

    async def note_later(self, response: httpx2.Response) -> None:
        self.note(response)

    @property
    def last(self) -> Exchange:
        return self.exchanges[-1]


def sync_client(
    base_url: str, tap: Tap | None = None, *, max_retries: int = 0, timeout: float = 60
) -> OpenAI:
    """The official SDK; its HTTP client is tapped. It asks for answers that are not compressed."""
    hooks = {"response": [(tap or Tap()).note]}
    http = openai.DefaultHttpxClient(event_hooks=hooks, headers={"accept-encoding": "identity"})
    return OpenAI(base_url=base_url, api_key=KEY, http_client=http, max_retries=max_retries, timeout=timeout)


def async_client(
    base_url: str, tap: Tap | None = None, *, max_retries: int = 0, timeout: float = 60
) -> AsyncOpenAI:
    """The same, asynchronous; it takes compressed answers."""
    http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [(tap or Tap()).note_later]})
    return AsyncOpenAI(
        base_url=base_url, api_key=KEY, http_client=http, max_retries=max_retries, timeout=timeout
    )


def eventually(attempt: Callable[[], T], what: str) -> T:
    """The first result that is true; fails at the deadline."""
    until = time.monotonic() + DEADLINE
    while not (result := attempt()):
        assert time.monotonic() < until, f"{what} did not come to pass in {DEADLINE:.0f} s"
        time.sleep(0.02)
    return result


async def eventually_async(attempt: Callable[[], T], what: str) -> T:
    """The same for asynchronous tests: the loop goes on meanwhile."""
    waiting: Awaitable[T] = asyncio.to_thread(eventually, attempt, what)
    return await waiting


def logged(house: House, exchange: Exchange) -> Call:
    """The stored call of an exchange, its request and status checked against what the client sent and got."""
    found = house.archive.call(exchange.call_id)
    assert found is not None, f"{exchange.path} {exchange.call_id!r} is not in the database"
    assert found.summary.status == exchange.status
    assert found.circumstances.path == exchange.path
    if exchange.body:
        assert canonical(orjson.loads(found.request.data)) == canonical(orjson.loads(exchange.body))
    return found
