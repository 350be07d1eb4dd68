"""Plots of a run: where one would rather look than read. matplotlib stands here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conversion.findings import Clustered, Judged
from conversion.selection.trial import Trial

if TYPE_CHECKING:
    from conversion.report import Report

_INCHES: Final = (8.0, 4.5)
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
    """The cluster map: each task with its share of calls, closed sets apart from open answers."""
    figure, axes = _figure(make, len(clustered.tasks))
    names = [task.id for task in clustered.tasks][::-1]
    shares = [100 * task.share for task in clustered.tasks][::-1]
    colours = [_BLUE if task.answers else _GREY for task in clustered.tasks][::-1]
    axes.barh(names, shares, color=colours)
    axes.set_xlabel("share of calls, % (blue: answers of a closed set)")
    return figure


def _agreement(make: Any, judged: Sequence[Judged]) -> Any:
    """The best trial of each task: agreement on held-out calls, with its lower bound and the target."""
    figure, axes = _figure(make, len(judged))
    for place, each in enumerate(reversed(judged)):
        trial = _first(each)
        agreement = trial.counts.agreed / trial.counts.answered
        colour = _BLUE if trial.certified else _GREY
        axes.plot([100 * trial.verdict.lower, 100 * agreement], [place, place], color=colour, linewidth=3)
        axes.plot(100 * agreement, place, "o", color=colour)
        axes.plot(100 * each.target, place, "|", color=_RED, markersize=16)
    axes.set_yticks(range(len(judged)), [each.task for each in reversed(judged)])
    axes.set_xlabel("agreement held out, % (line: down to the certified bound; red: target)")
    return figure


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
