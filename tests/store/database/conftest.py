"""A fresh SQLite file or PostgreSQL database for each test, brought up by the migrations."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from sqlalchemy import Engine

from benchmarks.records import id_at
from store.calls import Calls
from store.database import open_engine, upgrade
from store.database_sink import DatabaseSink
from store.keyring import DIGEST, KeyRing, Sealer
from store.prices import Prices
from store.record import Record
from tests.postgres import postgres_server as running_postgres

PRICES = Prices(
    {
        "gpt-4o": {"input": "2.50", "cached_input": "1.25", "output": 10},
        "gpt-4o-mini*": {"input": 0.15, "cached_input": 0.075, "output": 0.60},
        "intents-0.6b": {"input": 0.01, "output": 0.01},
    }
)
START_US = 1_790_000_000_000_000


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the test session."""
    with running_postgres() as server:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # nothing here outlives a crash
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()


_DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=_DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'understudy.db'}"
    return _create(request.getfixturevalue("postgres_server"), request.node.nodeid, "template0")


@pytest.fixture(params=_DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the current schema, copied from one that the migrations made."""
    if request.param == "sqlite":
        path = tmp_path / "understudy.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    template: str = request.getfixturevalue("postgres_template")
    return _create(request.getfixturevalue("postgres_server"), request.node.nodeid, template)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "understudy.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    upgrade(_create(postgres_server, "template", "template0", name="migrated"))
    return "migrated"


def _create(server: str, node: str, template: str, name: str = "") -> str:
    name = name or "t" + hashlib.sha256(node.encode()).hexdigest()[:16]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(url)
    yield opened
    opened.dispose()


@dataclass(frozen=True)
class Opened:
    """What reads and writes one database with one key ring."""

    engine: Engine
    sealer: Sealer
    digest_key: bytes

    def sink(self) -> DatabaseSink:
        """A sink that remembers nothing yet, as after a restart."""
        return DatabaseSink(self.engine, self.sealer, self.digest_key, PRICES)

    @property
    def calls(self) -> Calls:
        return Calls(self.engine, self.sealer, self.digest_key)


@pytest.fixture
def opened(engine: Engine, ring: KeyRing) -> Opened:
    return Opened(engine, Sealer(ring), ring.active.derive(DIGEST))


class CallMaker:
    """Builds calls and bodies."""

    def __init__(self, make_record: Callable[..., Record]) -> None:
        self._make_record = make_record

    def __call__(
        self, number: int, request: object = None, response: object = None, **fields: object
    ) -> Record:
        """The nth call, a second after the one before; bodies are bytes, or values to be written as JSON."""
        started = START_US + number * 1_000_000
        sent = (
            request
            if isinstance(request, bytes)
            else msgspec.json.encode(request or self.chat("Hello there"))
        )
        answer = (
            response
            if isinstance(response, bytes)
            else msgspec.json.encode(response or self.answered(number))
        )
        values = {
            "id": id_at(started, number),
            "started_us": started,
            "request": sent,
            "request_size": len(sent),
            "response": answer,
            "response_size": len(answer),
        }
        return self._make_record(number, **(values | fields))

    def chat(self, *said: str, model: str = "gpt-4o") -> dict[str, Any]:
        """A chat request: system prompt, then user and assistant in turns."""
        roles = ("user", "assistant")
        messages = [{"role": roles[index % 2], "content": text} for index, text in enumerate(said)]
        system = {"role": "system", "content": "You answer questions about orders, briefly and politely."}
        return {"model": model, "temperature": 0.0, "messages": [system, *messages]}

    def answered(self, number: int, content: str = "Good day, how can I help you?") -> dict[str, Any]:
        """A chat completion, as OpenAI sends it: 100 prompt tokens, 40 of them cached, and 10 written."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content,
            "refusal": None,
            "annotations": [],
        }
        return {
            "id": f"chatcmpl-{number:029d}",
            "object": "chat.completion",
            "created": START_US // 1_000_000 + number,
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 10,
                "total_tokens": 110,
                "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
            },
            "system_fingerprint": "fp_0123456789",
        }


@pytest.fixture
def new_call(make_record: Callable[..., Record]) -> CallMaker:
    return CallMaker(make_record)
