"""What may be tried for a task with the models that engines serve, and what else the catalogue has for it (paper S4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from conversion.finetune.base_model import BaseModel
from conversion.finetune.candidate import TunedCandidate
from conversion.finetune.training import Method, Schedule
from conversion.generative import not_generated
from conversion.selection.constraints import Constraints, Sifted, excluded, sift
from conversion.selection.model import SmallModel
from conversion.selection.needs import Needs
from conversion.selection.prompted import FewShot, ZeroShot
from conversion.selection.served import ServedModel
from conversion.selection.trials import Contender
from conversion.selection.utilisation import Utilisation
from conversion.task import TaskData

TrialKind = Literal["zero-shot", "few-shot", "fine-tuned"]
TRIALS: Final[tuple[TrialKind, ...]] = ("zero-shot", "few-shot", "fine-tuned")
_DEAREST: Final = 1e6
"""Dollars per million tokens; a host that does nothing would cost infinitely many."""


@dataclass(frozen=True, slots=True)
class Served:
    """A base model that an engine has loaded, and what that costs."""

    base: BaseModel
    endpoint: ServedModel | None = None
    """How it is asked as it is; None where no server of it answers."""
    dollars_per_hour: float | None = None
    """Of its host; None takes the usual price of a million tokens."""
    others: float = 0.0
    """Tokens an hour that the host handles already."""


@dataclass(frozen=True, slots=True)
class Offers:
    """The generative contenders of every task."""

    served: Sequence[Served] = ()
    catalogue: Mapping[str, SmallModel] = field(default_factory=dict)
    constraints: Constraints = field(default_factory=Constraints)
    trials: Sequence[TrialKind] = TRIALS
    method: Method = "lora"
    schedule: Schedule = field(default_factory=Schedule)

    def contenders(self, data: TaskData) -> Sequence[Contender]:
        """Each served model as it is, with examples in its prompt, and tuned; barred where the task or a hard
        constraint rules it out."""
        return [contender for each in self.served for contender in self._of(each, data)]

    def sifted(self, data: TaskData) -> Sifted:
        """The catalogue's models that could serve the task, and why others cannot: what to start an engine with."""
        return sift(tuple(self.catalogue.values()), Needs.of(data), self.constraints)

    def _of(self, served: Served, data: TaskData) -> Iterator[Contender]:
        base = replace(served.base, dollars_per_million=_price(served, data))
        barred = not_generated(data) or self._excluded(base, data)
        asked = served.endpoint
        if asked is not None and "zero-shot" in self.trials:
            bare = ZeroShot(base.name, asked, base.dollars_per_million)
            yield Contender(bare, engine=base.engine, serves=asked.model, barred=barred)
        if asked is not None and "few-shot" in self.trials:
            shown = FewShot(base.name, asked, dollars_per_million=base.dollars_per_million)
            yield Contender(shown, servable=False, engine=base.engine, barred=barred)
        if "fine-tuned" in self.trials:
            tuned = TunedCandidate(base, self.method, self.schedule)
            yield Contender(tuned, engine=base.engine, barred=barred)

    def _excluded(self, base: BaseModel, data: TaskData) -> str:
        """By the catalogue's entry of the model, with the context that it is served with; one that is not in the
        catalogue is known by its server alone, and calls that are too long for it are found in training."""
        known = self.catalogue.values()
        model = next((each for each in known if each.hub == base.folder or each.name == base.name), None)
        if model is None:
            return ""
        context = min(model.context, base.context) if base.context else model.context
        there = replace(self.constraints, memory_gib=None)  # it runs, so it has room
        needs = Needs.of(data)
        return "; ".join(excluded(_with_context(model, context), needs, there))


def _with_context(model: SmallModel, context: int) -> SmallModel:
    values = {name: getattr(model, name) for name in model.__struct_fields__}
    return SmallModel(**values | {"context": context})


def _price(served: Served, data: TaskData) -> float:
    """Dollars for a million tokens at what the host really handles."""
    if served.dollars_per_hour is None:
        return served.base.dollars_per_million
    return min(
        Utilisation.of_task(data, served.dollars_per_hour, served.others).dollars_per_million, _DEAREST
    )
