"""What a conversion can do here: the parts that are installed and the engines that are reachable, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from config.settings import Engine, Settings
from conversion import heads
from conversion.candidate import Candidate
from conversion.finetune.base_model import bases
from conversion.finetune.candidate import candidates as adapters
from conversion.privacy.presidio import Presidio, PresidioMissing
from conversion.privacy.recogniser import Recogniser
from conversion.selection.trials import Contender
from conversion.students import Students
from conversion.surroundings import Ability, Listener
from conversion.tasks_found import FindTasks
from router.encoders.hashed_ngrams import HashedNgrams
from serving.encoders import teacher
from serving.encoders.ladder import Encoders
from serving.publication import HEADS
from serving.vllm.client import VllmClient
from store.artifacts import ArtifactStore

_DIMENSIONS: Final = 2048
"""Of the encoder that tells sub-tasks apart; its size is the size of the router's artifact."""


@contextmanager
def ability(
    settings: Settings, environ: Mapping[str, str], artifacts: ArtifactStore, listener: Listener
) -> Iterator[Ability]:
    """The clustering and the candidates that this installation has; an engine that is away is noted."""
    students = Students(artifacts, listener.step)
    student = students.latest()
    encoders = Encoders(student, students.distilled if teacher.installed() else None)
    with ExitStack() as stack:
        candidates = _candidates(settings, environ, listener.note, stack)
        contenders = [Contender(candidate) for candidate in (*heads.candidates(encoders), *candidates)]
        yield Ability(
            cluster=FindTasks(student or HashedNgrams(_DIMENSIONS)),
            contenders=lambda data: contenders,
            recognisers=_recognisers(listener.note),
            engines=partial(_engine, settings),
        )


def _candidates(
    settings: Settings, environ: Mapping[str, str], note: Callable[[str], None], stack: ExitStack
) -> Sequence[Candidate]:
    """An adapter for each base model that a vLLM engine serves."""
    servers = {
        name: [stack.enter_context(client) for client in _clients(engine, environ)]
        for name, engine in settings.engines.items()
        if engine.kind == "vllm"
    }
    found, missing = bases(servers)
    for name, reason in missing.items():
        note(f"nothing is trained for the engine {name!r}: {reason}")
    return adapters(found)


def _recognisers(note: Callable[[str], None]) -> Sequence[Recogniser]:
    try:
        return [Presidio.load()]
    except PresidioMissing as missing:
        note(str(missing))
        return ()


def _clients(engine: Engine, environ: Mapping[str, str]) -> list[VllmClient]:
    key = environ.get(engine.api_key_env or "", "")
    return [VllmClient(url, key) for url in engine.urls]


def _engine(settings: Settings, kind: str) -> str:
    """The engine in the configuration that serves a kind; heads have one of their own where it names none."""
    named = next((name for name, engine in settings.engines.items() if engine.kind == kind), "")
    return named or (HEADS if kind == "heads" else "")
