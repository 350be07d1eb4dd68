"""A log to be read: records with bodies of any endpoint, in a database of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from sqlalchemy import Engine

from benchmarks.records import record_of
from config.load import Configuration, configuration
from config.settings import Settings
from store.database import open_engine, upgrade
from store.database_sink import DatabaseSink
from store.keyring import DIGEST, KeyRing, MasterKey, Sealer
from store.prices import Prices
from store.record import Record
from store.scan import Scan

START_US = 1_790_000_000_000_000
PRICES = Prices({"gpt-4o": {"input": 2.0, "output": 10.0}})


@dataclass(frozen=True)
class Stored:
    """A database with its keys."""

    engine: Engine
    sealer: Sealer
    digest_key: bytes

    def fill(self, records: Sequence[Record]) -> None:
        """Store records."""
        sink = DatabaseSink(self.engine, self.sealer, self.digest_key, PRICES)
        assert sink.write(list(records), []) == len(records)

    def scan(self) -> Scan:
        """The whole log."""
        return Scan(self.engine, self.sealer)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    url = f"sqlite:///{tmp_path / 'understudy.db'}"
    upgrade(url)
    ring = KeyRing([MasterKey.generate()])
    engine = open_engine(url)
    yield Stored(engine, Sealer(ring), ring.active.derive(DIGEST))
    engine.dispose()


def chat(said: str, **members: Any) -> dict[str, Any]:
    """A chat request of one turn."""
    system = {"role": "system", "content": "You sort the letters that come in."}
    return {"model": "gpt-4o", "messages": [system, {"role": "user", "content": said}], **members}


def answered(text: str = "a letter") -> dict[str, Any]:
    """A completion of 1,000 prompt tokens and 100 more."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }


def record(number: int, body: Mapping[str, Any] | None = None, **changed: Any) -> Record:
    """The nth call, a second after the one before."""
    started = START_US + number * 1_000_000
    request = orjson.dumps(chat(f"This is letter number {number} of many") if body is None else body)
    response = orjson.dumps(answered())
    made = record_of(
        id=(started // 1000).to_bytes(6, "big") + b"\x70\x00\x80" + number.to_bytes(7, "big"),
        started_us=started,
        duration_us=1_000_000,
        served_model="gpt-4o",
        reason="no understudy is certified for this call",
        request=request,
        response=response,
        user_agent="agent/1",
    )
    return msgspec.structs.replace(made, **changed)


def configured(*rules: Mapping[str, Any], **sections: Any) -> Configuration:
    """A configuration with two small models."""
    values = {
        "engines": {"gpu": {"kind": "vllm", "base_url": "http://127.0.0.1:8000/v1"}},
        "slms": {
            "small": {"engine": "gpu", "model": "small", "price": {"input": 0.1, "output": 0.1}},
            "tiny": {"engine": "gpu", "model": "tiny"},
        },
        "rules": list(rules),
    }
    return configuration(Settings.model_validate(values | sections), {})
