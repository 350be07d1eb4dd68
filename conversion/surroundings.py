"""Everything a conversion works with: the store, what can be trained, and whom progress is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from conversion.candidate import Progress
from conversion.clustering import Cluster
from conversion.curate.selection import Caps
from conversion.evaluate import Aim
from conversion.privacy.recogniser import Recogniser
from conversion.selection.constraints import Sifted
from conversion.selection.trials import Contender
from conversion.source import Span
from conversion.split import Shares
from conversion.task import TaskData
from store.artifacts import ArtifactStore
from store.calls import Calls
from store.deployments import Deployments
from store.feedback import Feedback
from store.keyring import KeyRing
from store.routers import Routers
from store.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Stores:
    """What is stored."""

    calls: Calls
    tasks: Tasks
    deployments: Deployments
    routers: Routers
    feedback: Feedback
    artifacts: ArtifactStore
    ring: KeyRing


class Listener(Protocol):
    """Is told how a conversion gets on."""

    def step(self, about: str) -> Progress:
        """A step begins; what is returned is told how far it is."""
        ...

    def note(self, sentence: str) -> None:
        """Something worth knowing."""
        ...


@dataclass(frozen=True, slots=True)
class Ability:
    """What can be learned here."""

    cluster: Cluster
    contenders: Callable[[TaskData], Sequence[Contender]]
    """What may be tried for a task."""
    catalogue: Callable[[TaskData], Sifted | None] = lambda data: None
    """Which models could be tried if an engine served them; None says nothing of it."""
    recognisers: Sequence[Recogniser] = ()
    """Of values that concern people, beside those built in."""
    engines: Callable[[str], str] = lambda kind: kind
    """Name of the engine in the configuration, by kind."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a conversion."""

    span: Span = field(default_factory=Span)
    caps: Caps = field(default_factory=Caps)
    shares: Shares = field(default_factory=Shares)
    task: str = ""
    """Only this task is trained for; empty for all."""
    min_examples: int = 100
    per_task: int = 5_000
    """Examples of one task that are learned from at most, the newest."""
    seed: int = 0
    dry: bool = False
    """Look, and change nothing."""
    aim: Callable[[str], Aim] = lambda task: Aim()
    """What a task's understudy has to reach, by the task's id."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All of it."""

    stores: Stores
    ability: Ability
    folder: Path
    """Where runs are kept."""
    listener: Listener
