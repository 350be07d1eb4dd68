"""A whole conversion, or one step of it, under the lock that lets one be at work at a time."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from conversion import report
from conversion.pipeline import Conversion, Step
from conversion.report import Report
from conversion.run import Run, Runs, alone
from conversion.surroundings import Request, Surroundings
from store.artifacts import Artifact, ArtifactStore

_RUNS: Final = "runs"
_REQUEST: Final = "request"


class _Asked(msgspec.Struct, frozen=True):
    """What has to be the same for a run to be gone on with."""

    task: str
    since: int | None
    until: int | None
    limit: int
    seed: int


def convert(around: Surroundings, request: Request, *, fresh: bool = False) -> tuple[Report, Artifact | None]:
    """Do everything that is left of the interrupted run, or all of a new one; the report, and where it is kept.

    `fresh` begins anew. Raises ConversionError, StoreError and OSError; what was done stays, and the next call goes on
    from there."""
    with _at_work(around, request) as (place, runs):
        run = _run(runs, request, place, fresh=fresh)
        Conversion(place, run, request).perform()
        found = Report.of(run)
        if request.dry:
            return found, None
        with place.stores.artifacts.create(report.KIND, report.NAME) as draft:
            report.write(found, draft.folder)
            kept = draft.commit({"run": run.name})
        run.finish()
        return found, kept


def one_step(around: Surroundings, request: Request, step: Step) -> Report:
    """Do one step of the latest run anew, and before it the steps that are missing; errors as for `convert`."""
    with _at_work(around, request) as (place, runs):
        latest = runs.latest
        if latest is None or (step == "curate" and latest.finished):
            latest = _begin(runs, request)
        conversion = Conversion(place, latest, request)
        latest.reopen()
        conversion.again(step)
        conversion.perform(step)
        if step == "promote" and not request.dry:
            latest.finish()
        return Report.of(latest)


def latest_run(around: Surroundings) -> Run | None:
    """The newest run."""
    return Runs(around.folder / _RUNS).latest


@contextlib.contextmanager
def _at_work(around: Surroundings, request: Request) -> Iterator[tuple[Surroundings, Runs]]:
    """The surroundings to work in: for a dry run, copies that vanish afterwards."""
    with alone(around.folder), contextlib.ExitStack() as stack:
        if not request.dry:
            yield around, Runs(around.folder / _RUNS)
            return
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dry-", dir=around.folder)))
        stores = replace(around.stores, artifacts=ArtifactStore(folder / "artifacts", around.stores.ring))
        yield replace(around, stores=stores, folder=folder), Runs(folder / _RUNS)


def _run(runs: Runs, request: Request, around: Surroundings, *, fresh: bool) -> Run:
    latest = runs.latest
    if latest is None or latest.finished or fresh:
        return _begin(runs, request)
    if latest.result(_REQUEST, _Asked) != _asked(request):
        around.listener.note(
            f"run {latest.name} was interrupted, but asked for something else: a new one begins"
        )
        return _begin(runs, request)
    around.listener.note(f"run {latest.name} was interrupted: it goes on where it stopped")
    return latest


def _begin(runs: Runs, request: Request) -> Run:
    run = runs.begin()
    run.keep(_REQUEST, _asked(request))
    return run


def _asked(request: Request) -> _Asked:
    span = request.span
    return _Asked(request.task, span.since, span.until, span.limit, request.seed)
