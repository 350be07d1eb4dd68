"""Plots of a run: where one would rather look than read. matplotlib stands here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conversion.findings import Clustered, Judged
from conversion.selection.trial import Trial
from router.gate.clopper_pearson import upper_bound

if TYPE_CHECKING:
    from conversion.report import Report

_INCHES: Final = (8.0, 4.5)
_NAMED: Final = 20
"""Tasks that the cluster map names, the largest."""
_BLUE, _GREY, _RED = "#2a6f97", "#9aa5b1", "#c0392b"


class PlotsMissing(Exception):
    """Nothing can be drawn; the message says what to install."""


def draw(report: Report, folder: Path) -> tuple[str, ...]:
    """Draw what the report has figures for; returns the files' names. Raises PlotsMissing and OSError."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError:
        raise PlotsMissing("there are no plots: pip install 'understudy[convert]'") from None
    drawn = []
    if report.clustered is not None and report.clustered.tasks:
        drawn.append(_saved(_tasks(Figure, report.clustered), folder / "tasks.png"))
    judged = [] if report.evaluated is None else [each for each in report.evaluated.tasks if _tried(each)]
    if judged:
        drawn.append(_saved(_agreement(Figure, judged), folder / "agreement.png"))
        drawn.append(_saved(_coverage(Figure, judged), folder / "coverage-and-agreement.png"))
    return tuple(drawn)


def _tasks(make: Any, clustered: Clustered) -> Any:
    """The cluster map: calls by what was asked and done, each task in a colour and with its share; crosses belong to
    none."""
    figure, axes = _figure(make, 12)
    task_of = {place: task for task, places in clustered.members.items() for place in places}
    shown: dict[str | None, list[tuple[float, float]]] = {}
    for place, x, y in clustered.landscape:
        shown.setdefault(task_of.get(place), []).append((x, y))
    for number, task in enumerate(clustered.tasks):
        points = shown.get(task.id, [])
        label = f"{task.id}  {task.share:.1%}" if number < _NAMED else None
        axes.scatter(*_columns(points), s=12, color=f"C{number % 10}", label=label, alpha=0.7)
    axes.scatter(*_columns(shown.get(None, [])), s=12, color=_GREY, marker="x")
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axes.set_xticks([])
    axes.set_yticks([])
    return figure


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _agreement(make: Any, judged: Sequence[Judged]) -> Any:
    """The best trial of each task: agreement on held-out calls, with its interval and the target."""
    figure, axes = _figure(make, len(judged))
    for place, each in enumerate(reversed(judged)):
        trial = _first(each)
        agreement = trial.counts.agreed / trial.counts.answered
        colour = _BLUE if trial.certified else _GREY
        axes.plot([100 * bound for bound in _interval(trial)], [place, place], color=colour, linewidth=3)
        axes.plot(100 * agreement, place, "o", color=colour)
        axes.plot(100 * each.target, place, "|", color=_RED, markersize=16)
    axes.set_yticks(range(len(judged)), [each.task for each in reversed(judged)])
    axes.set_xlabel("agreement held out, % (line: from the certified bound to the upper one; red: target)")
    return figure


def _interval(trial: Trial) -> tuple[float, float]:
    """Clopper and Pearson's, each side at the level that this candidate has."""
    verdict = trial.verdict
    alpha = (1 - verdict.confidence) * (verdict.share or 1 / verdict.candidates)
    return verdict.lower, upper_bound(trial.counts.agreed, trial.counts.answered, alpha)


def _coverage(make: Any, judged: Sequence[Judged]) -> Any:
    """What each threshold would have given: share of calls answered against their agreement."""
    figure, axes = _figure(make, 10)
    for each in judged:
        points = [(answered, agreed) for _, answered, agreed in _first(each).counts.curve if answered]
        total = _first(each).counts.held_out
        axes.plot(
            [100 * answered / total for answered, _ in points],
            [100 * agreed / answered for answered, agreed in points],
            marker=".",
            label=each.task,
        )
    axes.set_xlabel("calls answered, %")
    axes.set_ylabel("of these agree, %")
    if len(judged) <= 10:
        axes.legend(fontsize="small")
    return figure


def _figure(make: Any, rows: int) -> tuple[Any, Any]:
    width, height = _INCHES
    figure = make(figsize=(width, max(2.0, min(height, 1.2 + 0.4 * rows))), layout="constrained")
    return figure, figure.add_subplot()


def _saved(figure: Any, path: Path) -> str:
    figure.savefig(path, dpi=110)
    return path.name


def _tried(judged: Judged) -> bool:
    return bool(judged.trials) and _first(judged).counts.answered > 0


def _first(judged: Judged) -> Trial:
    return judged.trials[0]
