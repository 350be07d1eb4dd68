"""`understudy convert`: the loop that finds tasks in the log, trains understudies for them, and proves them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.markdown import Markdown

from cli.context import ConfigOption, JsonOption, Store, fail
from cli.convert_store import Around, opened
from config.settings import Settings
from config.units import seconds
from conversion.convert import convert as convert_all
from conversion.convert import latest_run, one_step
from conversion.evaluate import Aim
from conversion.pipeline import Step
from conversion.refine import Refinement, Triggers, decide
from conversion.report import Report
from conversion.run import ConversionError
from conversion.source import Span
from conversion.surroundings import Request
from store.errors import StoreError

app = typer.Typer()

_LOOK_EVERY: Final = 600.0
"""Seconds between two looks of --watch, where the configuration names none."""

TaskOption = Annotated[str, typer.Option(help="Only this task.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Look, and change nothing.")]


@app.callback(invoke_without_command=True)
def convert(
    context: typer.Context,
    *,
    config: ConfigOption = None,
    task: TaskOption = "",
    limit: Annotated[int, typer.Option(min=1, help="Calls to read at most, the newest ones.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, even where an interrupted run could go on.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and convert whenever new calls or drift call for it.")
    ] = False,
    every: Annotated[str, typer.Option(help="How often --watch looks, such as 10m; implies it.")] = "",
    dry_run: DryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find tasks in the log, train understudies for them, and prove them: every step, one after the other."""
    if context.invoked_subcommand is not None:
        return
    pause = _pause(every)
    with opened(config, quiet=as_json) as around:
        request = _request(around.store, task=task, limit=limit, seed=seed, dry=dry_run)

        def once() -> None:
            report, kept = convert_all(around.surroundings(), request, fresh=fresh)
            _show(report, as_json=as_json, kept=None if kept is None else kept.path)

        if watch or every:
            _watch(around, once, pause or around.settings.learning.every or _LOOK_EVERY)
        else:
            once()


def _step(step: Step, about: str) -> None:
    """Add the command of one step."""

    def command(
        *,
        config: ConfigOption = None,
        task: TaskOption = "",
        dry_run: DryOption = False,
        as_json: JsonOption = False,
    ) -> None:
        with opened(config, quiet=as_json) as around:
            request = _request(around.store, task=task, dry=dry_run)
            _show(one_step(around.surroundings(), request, step), as_json=as_json)

    command.__doc__ = about
    app.command(step)(command)


_step("curate", "Make a data set of the log: what failed, repeats or concerns people is taken out.")
_step("cluster", "Find the tasks of the data set.")
_step("select", "Choose what to try for each task.")
_step("finetune", "Train what was chosen.")
_step("evaluate", "Test what was trained against the LLM's answers to calls held out.")
_step("promote", "Put tasks, router and the understudies that are good enough into the store.")


@app.command()
def refine(*, config: ConfigOption = None, dry_run: DryOption = False, as_json: JsonOption = False) -> None:
    """Convert anew if new calls or drift call for it; say why, or why not."""
    with opened(config, quiet=as_json) as around:
        decision = _decision(around)
        if decision.due and not dry_run:
            report, kept = convert_all(around.surroundings(), _request(around.store))
            _show(report, as_json=as_json, kept=None if kept is None else kept.path)
        elif as_json:
            print(
                orjson.dumps(
                    {"due": decision.due, "reasons": decision.reasons, "fresh": decision.fresh}
                ).decode()
            )
        else:
            print(decision.sentence)


def _request(
    store: Store, *, task: str = "", limit: int = 100_000, seed: int = 0, dry: bool = False
) -> Request:
    settings = store.configuration.settings
    return Request(
        span=Span(limit=limit),
        task=task,
        min_examples=settings.learning.min_examples,
        seed=seed,
        dry=dry,
        aim=lambda name: _aim(settings, name),
    )


def _aim(settings: Settings, task: str) -> Aim:
    """What the rule for this task asks for, else the defaults."""
    rule = next((rule for rule in settings.rules if rule.when == {"task": task}), None)
    defaults = settings.defaults
    target = defaults.min_agreement if rule is None or rule.min_agreement is None else rule.min_agreement
    confidence = defaults.confidence if rule is None or rule.confidence is None else rule.confidence
    return Aim(min(target, 0.999), confidence)


def _decision(around: Around) -> Refinement:
    surroundings = around.surroundings()
    triggers = Triggers(first=around.settings.learning.min_examples)
    return decide(surroundings.stores, latest_run(surroundings), triggers)


def _watch(around: Around, once: Callable[[], None], pause: float) -> None:
    """Look again and again until interrupted; what fails is told, and tried again at the next look."""
    console = Console(stderr=True)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            try:
                decision = _decision(around)
                console.print(decision.sentence, highlight=False, markup=False)
                if decision.due:
                    once()
            except (ConversionError, StoreError, OSError) as error:
                console.print(f"understudy: {error}", highlight=False, markup=False)
            time.sleep(pause)


def _pause(every: str) -> float | None:
    if not every:
        return None
    try:
        return max(1.0, seconds(every))
    except ValueError as error:
        fail(f"--every is {every!r}: {error}; write 10m or 6h")


def _show(report: Report, *, as_json: bool, kept: Path | None = None) -> None:
    if as_json:
        page = report.to_dict() | {"report": None if kept is None else str(kept)}
        print(orjson.dumps(page, option=orjson.OPT_INDENT_2).decode())
        return
    Console().print(Markdown(report.markdown()))
    if kept is not None:
        print(f"Report: {kept / 'report.md'}")
