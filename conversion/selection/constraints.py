"""Hard constraints: which models cannot serve a task at all, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from conversion.selection.model import Precision, SmallModel
from conversion.selection.needs import Needs


@dataclass(frozen=True, slots=True)
class Constraints:
    """What the owner's machine and the owner allow."""

    memory_gib: float | None = None
    """Memory of the device that serves; None does not check."""
    precision: Precision = "bf16"
    sequences: int = 8
    """Calls answered at the same time, each with its own KV cache."""
    utilisation: float = 0.92
    """Share of the device's memory that vLLM may take (its --gpu-memory-utilization)."""
    licences: tuple[str, ...] = ("*",)
    """Globs of the licences that are allowed, such as `apache-2.0`, `mit`."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes that the calls are in; empty does not check."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """The catalogue after the hard constraints."""

    fit: tuple[SmallModel, ...]
    """Smallest first."""
    out: Mapping[str, tuple[str, ...]]
    """By name, why a model cannot serve the task; every reason, since one may be mended and another not."""


def sift(models: Sequence[SmallModel], needs: Needs, constraints: Constraints) -> Sifted:
    """Divide models into those that can serve the task and those that cannot, with reasons."""
    reasons = {model.name: tuple(excluded(model, needs, constraints)) for model in models}
    fit = sorted((model for model in models if not reasons[model.name]), key=lambda model: model.parameters)
    return Sifted(tuple(fit), {name: why for name, why in reasons.items() if why})


def excluded(model: SmallModel, needs: Needs, constraints: Constraints) -> Iterator[str]:
    """Why a model cannot serve the task, each in a sentence."""
    for check in _CHECKS:
        yield from check(model, needs, constraints)


def _context(model: SmallModel, needs: Needs, constraints: Constraints) -> Iterator[str]:
    if model.context < needs.context:
        yield f"its context is {model.context:,} tokens and the task's calls need {needs.context:,}"


def _abilities(model: SmallModel, needs: Needs, constraints: Constraints) -> Iterator[str]:
    if needs.tools and model.tools is None:
        yield "the calls offer tools, and vLLM has no parser for its tool calls"
    if needs.json_schema and not model.json_schema:
        yield "the calls ask for JSON, and its answers cannot be bound to a schema"
    if needs.images and not model.images:
        yield "the calls hold images, and it reads none"


def _languages(model: SmallModel, needs: Needs, constraints: Constraints) -> Iterator[str]:
    for language in constraints.languages:
        known = model.speaks(language)
        if not known:
            told = "does not list" if known is False else "says nothing of its languages, so not of"
            yield f"the calls are in {language!r}, and its card {told} it"


def _licence(model: SmallModel, needs: Needs, constraints: Constraints) -> Iterator[str]:
    if not any(fnmatchcase(model.licence.lower(), glob.lower()) for glob in constraints.licences):
        yield f"its licence {model.licence!r} is not among {', '.join(constraints.licences)}"


def _memory(model: SmallModel, needs: Needs, constraints: Constraints) -> Iterator[str]:
    if constraints.memory_gib is None:
        return
    tokens = min(needs.context, model.context)
    needed = model.memory_gib(constraints.precision, tokens, constraints.sequences)
    free = constraints.memory_gib * constraints.utilisation
    if needed > free:
        yield (
            f"it needs {needed:.1f} GiB in {constraints.precision} for {constraints.sequences} calls of "
            f"{tokens:,} tokens, and {free:.1f} of {constraints.memory_gib:g} GiB may be used"
        )


_CHECKS: Final[tuple[Callable[[SmallModel, Needs, Constraints], Iterator[str]], ...]] = (
    _context,
    _abilities,
    _languages,
    _licence,
    _memory,
)
