"""The report of a run: short enough to be read, in Markdown and as JSON, with plots where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from conversion.findings import Chosen, Clustered, Curated, Evaluated, Judged, Promoted, Selected
from conversion.run import Run
from conversion.selection.trial import Trial

KIND: Final = "report"
NAME: Final = "conversion"
MARKDOWN: Final = "report.md"
JSON: Final = "report.json"
_SHOWN: Final = 6
"""Models of the catalogue that are named."""


class Report(msgspec.Struct, frozen=True):
    """Everything that a run found; what has not been done is None."""

    run: str
    curated: Curated | None = None
    clustered: Clustered | None = None
    selected: Selected | None = None
    evaluated: Evaluated | None = None
    promoted: Promoted | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run, notes: tuple[str, ...] = ()) -> Report:
        """Gathered from a run's folder."""
        return cls(
            run.name,
            run.result("curate", Curated),
            run.result("cluster", Clustered),
            run.result("select", Selected),
            run.result("evaluate", Evaluated),
            run.result("promote", Promoted),
            notes,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data, without the places of examples."""
        page: dict[str, Any] = msgspec.to_builtins(self)
        if page["clustered"] is not None:
            del page["clustered"]["members"], page["clustered"]["landscape"]
        return page

    def markdown(self, plots: tuple[str, ...] = ()) -> str:
        """For people."""
        return "\n".join(_lines(self, plots)) + "\n"


def write(report: Report, folder: Path) -> None:
    """Put the report, and its plots where they can be drawn, into a folder. Raises OSError."""
    from conversion.plots import PlotsMissing, draw  # noqa: PLC0415  (an extra)

    plots: tuple[str, ...] = ()
    try:
        plots = draw(report, folder)
    except PlotsMissing as missing:
        report = msgspec.structs.replace(report, notes=(*report.notes, str(missing)))
    (folder / JSON).write_bytes(msgspec.json.format(msgspec.json.encode(report.to_dict()), indent=1))
    (folder / MARKDOWN).write_text(report.markdown(plots))


def _lines(report: Report, plots: tuple[str, ...]) -> Iterator[str]:
    yield f"# Conversion {report.run}"
    yield ""
    if report.curated is not None:
        yield from _curated(report.curated)
    if report.clustered is not None:
        yield from _clustered(report.clustered, report.curated)
    if report.selected is not None:
        yield from _judged(report)
    for name in plots:
        yield from (f"![{name.removesuffix('.png').replace('-', ' ')}]({name})", "")
    if report.promoted is not None:
        yield from _promoted(report.promoted)
    for note in report.notes:
        yield from (f"Note: {note}.", "")


def _curated(curated: Curated) -> Iterator[str]:
    facts = curated.facts
    yield f"{facts['read']:,} calls were read, {curated.examples:,} of {facts['sessions']:,} sessions are learned from,"
    yield f"from {_moment(facts['oldest'])} to {_moment(facts['newest'])}."
    if facts["dropped"]:
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in facts["dropped"].items())
        yield f"Left out: {dropped}."
    yield ""


def _clustered(clustered: Clustered, curated: Curated | None) -> Iterator[str]:
    examples = curated.examples if curated is not None else 0
    yield f"## Tasks: {len(clustered.tasks)}"
    yield ""
    yield f"{clustered.unassigned:,} of {examples:,} examples belong to none and stay with the LLM."
    yield ""
    yield "| task | what | answers | calls | share |"
    yield "|---|---|---|---:|---:|"
    for task in clustered.tasks:
        answers = f"{task.kind}, {len(task.answers)} of a closed set" if task.answers else task.kind
        yield f"| `{task.id}` | {_cell(task.title)} | {answers} | {task.calls:,} | {task.share:.1%} |"
    yield ""


def _judged(report: Report) -> Iterator[str]:
    judged = {} if report.evaluated is None else {each.task: each for each in report.evaluated.tasks}
    yield "## What stands in for the LLM"
    yield ""
    yield "| task | candidate | agreement held out | at least | answers | |"
    yield "|---|---|---:|---:|---:|---|"
    assert report.selected is not None
    for chosen in report.selected.tasks:
        yield from _task_rows(chosen, judged.get(chosen.task))
    yield ""
    yield from _catalogue([chosen for chosen in report.selected.tasks if chosen.needs])


def _catalogue(tasks: Sequence[Chosen]) -> Iterator[str]:
    """Which models an engine could be started with for the tasks whose answers are generated."""
    if not tasks:
        return
    yield "| task | asks for | could be tried, of the catalogue | could not |"
    yield "|---|---|---|---|"
    for chosen in tasks:
        could = ", ".join(chosen.could[:_SHOWN]) + (" …" if len(chosen.could) > _SHOWN else "")
        yield f"| `{chosen.task}` | {chosen.needs} | {could or 'none'} | {_out(chosen)} |"
    yield ""


def _out(chosen: Chosen) -> str:
    """The reasons against most models; all of them are in the JSON."""
    if not chosen.could_not:
        return "none"
    name, reasons = next(iter(chosen.could_not.items()))
    more = f", and {len(chosen.could_not) - 1} others" if len(chosen.could_not) > 1 else ""
    return _cell(f"{name}: {'; '.join(reasons)}{more}")


def _task_rows(chosen: Chosen, judged: Judged | None) -> Iterator[str]:
    if judged is None:
        yield f"| `{chosen.task}` | | | | | {_cell(chosen.skipped or 'not tested yet')} |"
        return
    for trial in judged.trials:
        yield f"| `{chosen.task}` | {trial.name} | {_figures(trial)} | {_verdict(trial, judged)} |"


def _figures(trial: Trial) -> str:
    if trial.counts.failure or not trial.counts.answered:
        return "| |"
    agreement = trial.counts.agreed / trial.counts.answered
    return (
        f"{agreement:.1%} ({trial.counts.agreed} of {trial.counts.answered}) | {trial.verdict.lower:.1%} | "
        f"{trial.coverage:.0%} from {trial.counts.threshold:g} up"
    )


def _verdict(trial: Trial, judged: Judged) -> str:
    if trial.counts.failure:
        return _cell(trial.counts.failure)
    if trial.name == judged.best:
        return "**chosen**"
    return "good enough" if trial.certified else f"does not reach {judged.target:g}"


def _promoted(promoted: Promoted) -> Iterator[str]:
    yield "## What was done"
    yield ""
    for each in promoted.tasks:
        what = f"`{each.understudy}` is in {each.state}" if each.understudy else "stays with the LLM"
        yield f"- `{each.task}`: {what}. {each.sentence}"
    if promoted.retired:
        yield f"- no longer found, retired: {', '.join(promoted.retired)}"
    yield ""


def _moment(microseconds: int | None) -> str:
    if microseconds is None:
        return "never"
    return f"{datetime.fromtimestamp(microseconds / 1e6, UTC):%Y-%m-%d %H:%M} UTC"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
