"""A real store, filled through the real journal and shipper with calls of the support-desk scenario."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from conversion.surroundings import Stores
from serving.endpoints.base import Reply
from serving.endpoints.chat import ChatCompletions
from serving.endpoints.dialect import OpenAIDialect
from simulator.desk.prompts import ORDER_SCHEMA, SYSTEM, TOOLS, Kind
from simulator.support_desk import SupportDesk
from simulator.tickets import tickets
from store.artifacts import ArtifactStore
from store.calls import Calls
from store.database import open_engine, upgrade
from store.database_sink import DatabaseSink
from store.deployments import Deployments
from store.feedback import Feedback
from store.journal import Journal
from store.keyring import DIGEST, KeyRing, Sealer
from store.prices import Prices
from store.record import Attempt, Record
from store.routers import Routers
from store.shipper import Shipper
from store.tasks import Tasks

START_US = 1_790_000_000_000_000
_OPTIONS: dict[str, dict[str, Any]] = {
    "extract": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "order", "strict": True, "schema": ORDER_SCHEMA},
        }
    },
    "act": {"tools": list(TOOLS)},
    "reply": {"temperature": 0.7},
    "plan": {"temperature": 0.7},
}
_BOXES: dict[str, tuple[str, str]] = {
    "money": ("invoice", "refund"),
    "parcels": ("delivery", "damage"),
    "people": ("application", "holiday"),
}
_TOWNS = ("Graz", "Porto", "Lyon", "Bergen", "Turin", "Ghent", "Riga")


@dataclass
class World:
    """One log, and all that reads and writes it."""

    folder: Path
    config: Path
    engine: Engine
    ring: KeyRing
    number: int = 0

    @property
    def stores(self) -> Stores:
        sealer = Sealer(self.ring)
        return Stores(
            calls=Calls(self.engine, sealer, self.ring.active.derive(DIGEST)),
            tasks=Tasks(self.engine, sealer),
            deployments=Deployments(self.engine),
            routers=Routers(self.engine),
            feedback=Feedback(self.engine, sealer),
            artifacts=ArtifactStore(self.folder / "state" / "artifacts", self.ring),
            ring=self.ring,
        )

    def log(self, records: Sequence[Record]) -> None:
        """Bring records into the database, the way that they really go."""
        journal = self.folder / "state" / "journal"
        with Journal(journal, self.ring) as written:
            assert all(written.append(record) for record in records)
        sink = DatabaseSink(self.engine, Sealer(self.ring), self.ring.active.derive(DIGEST), Prices())
        with Shipper(journal, self.ring, sink) as shipper:
            assert shipper.ship_once() == len(records)

    def record(self, request: Any, response: Any, **fields: Any) -> Record:
        """The next call, a second after the one before; a stranger's session unless it is named."""
        self.number += 1
        started = fields.pop("started_us", START_US + self.number * 1_000_000)
        sent, answer = (
            body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
            for body in (request, response)
        )
        values: dict[str, Any] = {
            "id": _call_id(started, self.number),
            "started_us": started,
            "duration_us": 900_000,
            "first_byte_us": 400_000,
            "overhead_us": 80,
            "endpoint": "chat.completions",
            "method": "POST",
            "path": "/v1/chat/completions",
            "status": 200,
            "stream": False,
            "route": "upstream",
            "target": "openai",
            "requested_model": "gpt-4o-mini",
            "served_model": "gpt-4o-mini-2024-07-18",
            "understudy": "",
            "task": "",
            "rule": "defaults",
            "reason": "no rule matched",
            "confidence": None,
            "fallback": "",
            "key": "",
            "session": f"session {self.number}",
            "config": "0123abcd",
            "upstream_request_id": "",
            "request_type": "application/json",
            "response_type": "application/json",
            "response_encoding": "",
            "request": sent,
            "response": answer,
            "attempts": (Attempt("upstream", "openai", 200, "", 1400),),
        }
        values |= fields
        sizes = {f"{side}_size": len(values[side] or b"") for side in ("request", "response")}
        return Record(**sizes | values)

    def asked(self, system: str, user: str, answer: str, **fields: Any) -> Record:
        """A chat call and what the LLM said to it."""
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return self.record({"model": "gpt-4o-mini", "messages": messages}, completion(answer), **fields)

    def sorted_message(self, number: int) -> Record:
        """A call that sorts a message into one of three boxes; its words tell which."""
        box, words = list(_BOXES.items())[number % len(_BOXES)]
        said = f"Message {number}: the {words[number % 2]} of {_TOWNS[number % 7]} in week {number % 52}"
        return self.asked("You sort the mail of a shop. Answer with one word.", said, box)

    def desk(self, count: int, *kinds: Kind, seed: int = 0, first: int = 0) -> list[Record]:
        """Calls of the support desk, as its agent makes them and its LLM answers them."""
        brain, endpoint = SupportDesk(), ChatCompletions()
        records = []
        for ticket in list(tickets(first + count, seed=seed))[first:]:
            for kind in kinds:
                messages = [
                    {"role": "system", "content": SYSTEM[kind]},
                    {"role": "user", "content": ticket.text},
                ]
                body = {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.0}
                body |= _OPTIONS.get(kind, {})
                prompt = endpoint.prompt(body)
                reply = Reply(prompt, (brain.answer(prompt),), 1_790_000_000, OpenAIDialect())
                records.append(self.record(body, endpoint.whole(reply)))
        return records


def completion(content: str, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A chat completion."""
    said = {"role": "assistant", "content": content} | message
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": said, "logprobs": None, "finish_reason": finish}],
        "usage": usage,
    }


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "understudy.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def new_world(tmp_path: Path, migrated: Path) -> Iterator[Callable[[], World]]:
    """Makes worlds, each in a folder of its own."""
    made: list[World] = []

    def make() -> World:
        folder = tmp_path / f"world-{len(made)}"
        folder.mkdir()
        database = folder / "understudy.db"
        database.write_bytes(migrated.read_bytes())
        config = folder / "understudy.yaml"
        config.write_text(
            f"version: 1\nstate_dir: {folder}/state\nstore: {{url: 'sqlite:///{database}'}}\n"
            "defaults: {min_agreement: 0.9}\n"
        )
        ring = KeyRing.load(folder / "state" / "keys", {})
        made.append(World(folder, config, open_engine(f"sqlite:///{database}"), ring))
        return made[-1]

    yield make
    for world in made:
        world.engine.dispose()


@pytest.fixture
def world(new_world: Callable[[], World]) -> World:
    """An empty log."""
    return new_world()


def _call_id(started_us: int, number: int) -> bytes:
    """A UUIDv7 of this moment."""
    tail = hashlib.blake2b(number.to_bytes(8, "big"), digest_size=10).digest()
    fixed = bytes([0x70 | tail[0] & 15, tail[1], 0x80 | tail[2] & 63])
    return (started_us // 1000).to_bytes(6, "big") + fixed + tail[3:]
