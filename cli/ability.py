"""What a conversion can do here: the parts that are installed, put together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from config.settings import Settings
from conversion.selection.trials import Contender
from conversion.surroundings import Ability
from conversion.task import TaskData
from conversion.tasks_found import FindTasks
from router.encoders.hashed_ngrams import HashedNgrams
from serving.publication import HEADS


def ability(settings: Settings) -> Ability:
    """The clustering, the candidates and the recognisers that this installation has."""
    return Ability(
        cluster=FindTasks(HashedNgrams(2048)),
        contenders=_contenders,
        engines=partial(_engine, settings),
    )


def _contenders(data: TaskData) -> Sequence[Contender]:
    return ()


def _engine(settings: Settings, kind: str) -> str:
    """The engine in the configuration that serves a kind; heads have one of their own where it names none."""
    named = next((name for name, engine in settings.engines.items() if engine.kind == kind), "")
    return named or (HEADS if kind == "heads" else "")
