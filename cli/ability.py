"""What a conversion can do here: the parts that are installed and the engines that are reachable, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from cli.context import fail
from config.load import Configuration
from config.settings import Engine, Settings
from config.settings import Selection as Wanted
from conversion import heads
from conversion.asked_names import AskedNames
from conversion.finetune.base_model import BaseModel, bases
from conversion.finetune.candidate import method_here
from conversion.finetune.training import Schedule
from conversion.privacy.presidio import Presidio, PresidioMissing
from conversion.privacy.recogniser import Recogniser
from conversion.selection.catalogue import CatalogueError, catalogue
from conversion.selection.constraints import Constraints
from conversion.selection.model import GIB
from conversion.selection.offers import Offers, Served
from conversion.selection.served import ServedModel
from conversion.selection.trials import Contender
from conversion.students import Students
from conversion.surroundings import Ability, Listener
from conversion.task import TaskData
from conversion.tasks_found import FindTasks
from router.encoders.hashed_ngrams import HashedNgrams
from serving.encoders import teacher
from serving.encoders.ladder import Encoders
from serving.publication import HEADS
from serving.vllm.client import VllmClient
from serving.vllm.errors import EngineError
from serving.vllm.load import tokens_an_hour
from store.artifacts import ArtifactStore

_DIMENSIONS: Final = 2048
"""Of the encoder that tells sub-tasks apart; its size is the size of the router's artifact."""


@contextmanager
def ability(
    configuration: Configuration, environ: Mapping[str, str], artifacts: ArtifactStore, listener: Listener
) -> Iterator[Ability]:
    """The clustering and the candidates that this installation has; an engine that is away is noted."""
    students = Students(artifacts, listener.step)
    student = students.latest()
    encoders = Encoders(student, students.distilled if teacher.installed() else None)
    closed = [Contender(candidate) for candidate in heads.candidates(encoders)]
    with ExitStack() as stack:
        offers = _offers(configuration.settings, environ, listener.note, stack)

        def contenders(data: TaskData) -> Sequence[Contender]:
            return (*closed, *offers.contenders(data))

        yield Ability(
            cluster=FindTasks(
                student or HashedNgrams(_DIMENSIONS), namer=_namer(configuration, listener.note)
            ),
            contenders=contenders,
            catalogue=offers.sifted,
            recognisers=_recognisers(listener.note),
            engines=partial(_engine, configuration.settings),
        )


def _offers(
    settings: Settings, environ: Mapping[str, str], note: Callable[[str], None], stack: ExitStack
) -> Offers:
    """What can be tried with each base model that a vLLM engine serves."""
    servers = {
        name: [stack.enter_context(client) for client in _clients(engine, environ)]
        for name, engine in settings.engines.items()
        if engine.kind == "vllm"
    }
    found, missing = bases(servers)
    for name, reason in missing.items():
        note(f"nothing is trained for the engine {name!r}: {reason}")
    wanted = settings.learning.selection
    try:
        models = catalogue(wanted.catalogue)
    except CatalogueError as error:
        fail(str(error))
    served = [_served(base, settings.engines[base.engine], environ) for base in found]
    tuning = settings.learning.finetune
    method = method_here() if tuning.method == "auto" else tuning.method
    schedule = Schedule(fewest_steps=tuning.steps, rank=tuning.rank)
    return Offers(served, models, _constraints(wanted), wanted.trials, method, schedule)


def _served(base: BaseModel, engine: Engine, environ: Mapping[str, str]) -> Served:
    key = environ.get(engine.api_key_env or "", "")
    answering = next((server for server in base.servers if server.healthy()), None)
    if answering is None:
        return Served(base, None, engine.dollars_per_hour)
    try:
        others = tokens_an_hour(answering.metrics())
    except (EngineError, ValueError):
        others = 0.0
    endpoint = ServedModel(f"{answering.url}/v1", base.served_as, key)
    return Served(base, endpoint, engine.dollars_per_hour, others)


def _constraints(wanted: Wanted) -> Constraints:
    return Constraints(
        memory_gib=None if wanted.memory is None else wanted.memory / GIB,
        precision=wanted.precision,
        sequences=wanted.calls,
        licences=wanted.licences,
        languages=wanted.languages,
    )


def _namer(configuration: Configuration, note: Callable[[str], None]) -> AskedNames | None:
    """Asks the upstream that serves the model of `learning.names_by`; None where nobody is to be asked."""
    model = configuration.settings.learning.names_by
    if model is None:
        return None
    name = configuration.upstream_for(model)
    upstream = configuration.settings.upstreams[name]
    return AskedNames(upstream.base_url, model, note, configuration.upstream_keys.get(name, ""))


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
