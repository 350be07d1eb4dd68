"""`understudy demo`: an agent's calls are learned and replaced, against a simulated API; nothing is paid for."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.demo.stage import staged
from cli.demo.story import Acts, Interlude, play
from cli.demo.traffic import Recording, Tickets, Workers
from cli.demo.verdict import Verdict
from cli.demo.vllm import engine, go_bad
from proxy.control.table import render


def demo(
    *,
    observed: Annotated[int, typer.Option(min=1, help="Tickets to work before the conversion.")] = 1000,
    counted: Annotated[int, typer.Option(min=1, help="Tickets to work after the promotion.")] = 150,
    agents: Annotated[int, typer.Option(min=1, max=64, help="Agents at work at the same time.")] = 4,
    speed: Annotated[
        float, typer.Option(min=0, help="Divides the simulated LLM's waits; 0 waits never.")
    ] = 100.0,
    seed: Annotated[int, typer.Option(help="Seed of the tickets and of the LLM's wording.")] = 0,
    trace: Annotated[
        Path | None,
        typer.Option(
            help="Replay recorded calls from FILE.jsonl[.xz] instead; the options above count calls then."
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the proxy and its dashboard; 0 takes a free one.")] = 0,
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds that understudies get to be proved.")
    ] = 150.0,
    vllm: Annotated[
        bool, typer.Option("--vllm", help="Train adapters, too, and serve them with a real vLLM.")
    ] = False,
) -> None:
    """Let an agent work, learn from its calls, prove understudies, and count what they replace."""
    console = Console()
    began = time.monotonic()
    console.print(
        "Simulated: the LLM API. Real: the agent's SDK, the proxy, its log, the training, the understudies."
    )
    with ExitStack() as stack:
        generative = stack.enter_context(engine(console)) if vllm else None
        engines = generative.section if generative else ""
        learning = generative.learning if generative else ""
        llm = ["--trace", str(trace)] if trace else []
        stage = stack.enter_context(
            staged(llm=llm, speed=speed, seed=seed, port=port, engines=engines, learning=learning)
        )
        console.print(
            f"The agent's base_url is {stage.proxy.url}/v1. Watch it at {stage.proxy.url}/dashboard\n"
        )
        url = stage.proxy.url
        workers = Workers(Recording(url, trace) if trace else Tickets(url, seed), agents)
        interlude: Interlude | None = None
        if generative:
            interlude = partial(go_bad, workers=workers, server=generative.server, console=console)
        told = play(stage, workers, Acts(observed, counted, patience), console, interlude)
        console.print("\nThe whole run, as /stats has it:")
        print(render(stage.ask("/stats", window="1h", by="task")), end="")
    _summary(console, told, time.monotonic() - began)


def _summary(console: Console, told: Verdict, seconds: float) -> None:
    console.print(
        f"\nIn {seconds:.0f} s. The last line counts the {told.calls:,} calls after the promotion; each of the "
        f"{told.replaced:,} that an understudy answered was asked of the simulated LLM once more, and {told.agreed:,} "
        "were as good. Log, report and models are in .demo/run.",
        highlight=False,
    )
    print(told.line)
