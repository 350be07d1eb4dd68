"""A task's whole life in small: an LLM and an understudy as real servers, a desk that does what the proxy does with what
is published, the real journal, shipper and database, and the gatekeeper as a process of its own."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import yaml
from sqlalchemy import Engine

from benchmarks.records import id_at, record_of
from cli.context import key_file
from cli.in_force import InForce
from cli.shipping import build
from config.load import Configuration, load
from serving.endpoints.answer import Answer
from serving.endpoints.dialect import VllmDialect
from serving.endpoints.prompt import Prompt
from serving.gatekeeper_status import GatekeeperStatus, read_status
from serving.publication import Publication, read_publication
from simulator.activity import Recorder
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from store.arrivals import Arrivals
from store.cursors import Cursors
from store.database import open_engine, upgrade
from store.deployments import DeploymentRow, Deployments
from store.journal import Journal
from store.keyring import KeyRing
from store.record import Attempt

TASK = "support/ticket-label"
NAME = f"{TASK}@1"
DEADLINE = 100.0
"""Seconds after which a test that waits has failed: many, for machines that are busy with other things."""
LABELS = ("refund", "shipping", "billing", "account")
OFFLINE = {
    "certified": True,
    "successes": 200,
    "trials": 200,
    "target": 0.95,
    "lower": 0.985,
    "confidence": 0.95,
    "candidates": 1,
}


class Labels:
    """A model that reads the label out of the ticket; `wrong` is the share of tickets on which it errs."""

    def __init__(self, wrong: float = 0.0) -> None:
        self.wrong = wrong

    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        ticket = prompt.text("user")
        label = next(label for label in LABELS if label in ticket)
        if random.Random(ticket).random() < self.wrong:
            label = LABELS[LABELS.index(label) - 1]
        return Answer(label)


@dataclass
class Stage:
    """Everything that a test of the gatekeeper needs."""

    configuration: Configuration
    environ: Mapping[str, str]
    llm: Recorder
    small: Recorder
    understudy: Labels
    llm_url: str
    small_url: str
    engine: Engine
    ring: KeyRing
    deployments: Deployments
    client: httpx2.Client
    seed: int = 0
    calls: int = 0
    served: int = 0

    def deploy(self, understudy: str = NAME, **fields: Any) -> None:
        """What `understudy convert` leaves behind for a candidate that passed."""
        values: dict[str, Any] = {"engine": "small", "model": understudy, "files": "", "offline": OFFLINE}
        values |= {"created": time.time_ns() // 1000} | fields
        self.deployments.create(DeploymentRow(understudy, TASK, "label", **values))

    def state(self, understudy: str = NAME) -> str:
        row = self.deployments.get(understudy)
        assert row is not None
        return row.state

    def path(self, understudy: str = NAME) -> list[str]:
        """The states that it went through."""
        return [move.after for move in self.deployments.moves(understudy)]

    def published(self) -> Publication:
        return read_publication(self.configuration.published, self.ring)

    def shares(self) -> dict[str, float]:
        """Who answers which share of sessions, as workers know it."""
        return {one.understudy: one.share for one in self.published().deployments}

    def status(self) -> GatekeeperStatus:
        return read_status(self.configuration.published.parent) or GatekeeperStatus()

    # Traffic

    def work(self, calls: int, **fields: Any) -> None:
        """Answer tickets as the published file says, each in a session of its own, and ship what was recorded."""
        settings = self.configuration.settings
        journal = Journal(settings.state_dir / "journal", self.ring)
        for _ in range(calls):
            self.calls += 1
            assert journal.append(self._call(self.calls, **fields))
        journal.close()
        with build(self.configuration, self.environ, self.engine) as shipper:
            shipper.ship_once()

    def _call(self, number: int, **fields: Any) -> Any:
        place = random.Random(f"{self.seed}/{number}").random()
        deployed = next((one for one in reversed(self.published().deployments) if place < one.share), None)
        label = LABELS[number % len(LABELS)]
        body = {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": f"ticket {number} about {label}"}],
            "temperature": 0,
        }
        url, model = (self.small_url, deployed.model) if deployed else (self.llm_url, "gpt-4o")
        answered = self.client.post(f"{url}/chat/completions", json=body | {"model": model})
        answered.raise_for_status()
        self.served += deployed is not None
        started = time.time_ns() // 1000
        values = {
            "id": id_at(started, number),
            "started_us": started,
            "request": orjson.dumps(body),
            "response": answered.content,
            "task": TASK,
            "route": "slm" if deployed else "upstream",
            "target": "small" if deployed else "llm",
            "understudy": deployed.understudy if deployed else "",
            "attempts": (Attempt("slm" if deployed else "upstream", "x", 200, "", 1000),),
        }
        return record_of(**values | fields)

    def work_until(self, condition: Callable[[], bool], what: str, calls: int = 20) -> None:
        """Answer tickets until something holds."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"never happened: {what}; {self.told()}"
            self.work(calls)
            self.settle()

    def settle(self) -> None:
        """Wait until everything that can be compared is."""
        self.eventually(self._nothing_waits, "nothing waits")

    def _nothing_waits(self) -> bool:
        """Arrivals are looked at first: what was read of them by then is waiting, or done."""
        return not self.unread() and not sum(self.deployments.waiting().values())

    def unread(self) -> int:
        """Batches of arrivals that the gatekeeper has not read."""
        read = int(Cursors(self.engine).get("gatekeeper/arrivals") or 0)
        return max(0, Arrivals(self.engine).last() - read)

    def eventually(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"never happened: {what}; {self.told()}"
            time.sleep(0.02)

    def told(self) -> str:
        """What a failing test wants to know."""
        rows = [(row.understudy, row.state, row.evidence) for row in self.deployments.list()]
        log = self.configuration.settings.state_dir.parent / "gatekeeper.log"
        return f"{rows}\n{self.status()}\n{log.read_text() if log.exists() else ''}"


@dataclass
class Running:
    """A gatekeeper process."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def staged(
    folder: Path, url: str, *, environ: Mapping[str, str] | None = None, kind: str = "heads", **sections: Any
) -> Iterator[Stage]:
    """Set everything up but the gatekeeper; `kind` is the engine's."""
    understudy = Labels()
    llm = create_app(Labels(), settings=Settings(require_key=(environ or {}).get("LLM_KEY", "")), keep=4096)
    small = create_app(understudy, settings=Settings(models=("*",), dialect=VllmDialect()), keep=4096)
    with RunningServer(llm) as llm_server, RunningServer(small) as small_server:
        document = {
            "version": 1,
            "upstreams": {"llm": {"base_url": llm_server.base_url}},
            "engines": {"small": {"kind": kind, "base_url": small_server.base_url}},
            "store": {"url": url},
            "state_dir": str(folder / "state"),
            "prices": {"gpt-4o": {"input": 2.5, "output": 10}},
            "defaults": {"audit": "50%"},
            "learning": {"canary_calls": 5, "canary_audits": 3},
        } | sections
        path = folder / "understudy.yaml"
        path.write_text(yaml.safe_dump(document))
        variables = dict(environ or {})
        configuration = load(path, variables)
        upgrade(url)
        engine = open_engine(url)
        ring = KeyRing.load(key_file(configuration), variables)
        with httpx2.Client(trust_env=False) as client:
            yield Stage(
                configuration,
                variables,
                llm,
                small,
                understudy,
                llm_server.base_url,
                small_server.base_url,
                engine,
                ring,
                Deployments(engine),
                client,
            )
        engine.dispose()


@contextmanager
def gatekeeper(stage: Stage) -> Iterator[Running]:
    """Run the real process until the block ends."""
    in_force = InForce.create(stage.configuration)
    lifeline, held = os.pipe()
    log = stage.configuration.settings.state_dir.parent / "gatekeeper.log"
    command = [sys.executable, "-m", "cli.gatekeeping", "--config", str(stage.configuration.path)]
    command += ["--lifeline", str(lifeline), "--in-force", str(in_force.fd)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            pass_fds=[lifeline, in_force.fd],
            stderr=output,
            env={**os.environ, **stage.environ},
            cwd=Path(__file__).parents[2],
        )
    try:
        yield Running(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for descriptor in (lifeline, held, in_force.fd):
            os.close(descriptor)
