"""`understudy demo`: an agent works support tickets through the proxy, against a simulated API; nothing is paid for.

agent (OpenAI SDK) ── proxy ──┬── simulated LLM
                              └── simulated small model, for the calls that one rule picks
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import httpx2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.context import fail
from cli.processes import Started, started
from proxy.control.table import render
from simulator.tickets import Ticket, tickets

FOLDER: Final = Path(".demo")
SMALL_MODEL: Final = "classify-0.6b"
_LABEL_PROMPT: Final = "You classify support tickets"
_SETTLE_SECONDS: Final = 30.0

_CONFIGURATION: Final = """\
# Written by `understudy demo`. A real one names your LLM API and your small models; see docs/configuration.md.
version: 1
server: {{port: 0}}
upstreams:
  simulated-llm: {{base_url: "{llm}/v1"}}
engines:
  simulated-vllm: {{kind: vllm, base_url: "{slm}/v1"}}
slms:
  {small_model}: {{engine: simulated-vllm, model: {small_model}, timeout: 5s}}
prices:
  gpt-4o-mini: {{input: 0.15, cached_input: 0.075, output: 0.60}}
rules:
  - name: plans stay with the LLM
    when: {{system: "You are the lead of a support desk*"}}
    route: upstream
  - name: labels go to the small model
    when: {{system: "{label_prompt}*"}}
    route: {small_model}
"""


def demo(
    count: Annotated[int, typer.Option("--tickets", min=1, help="Tickets to work.")] = 60,
    agents: Annotated[int, typer.Option(min=1, max=64, help="Agents at work at the same time.")] = 4,
    speed: Annotated[
        float, typer.Option(min=0, help="Divides the simulated models' waits; 0 waits never.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(help="Seed of the tickets and of the models' wording.")] = 0,
) -> None:
    """Run an agent through the proxy against a simulated API, and print the statistics."""
    console = Console()
    FOLDER.mkdir(exist_ok=True)
    work = FOLDER / "run"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    with ExitStack() as stack:
        proxy = _start(stack, work, speed=speed, seed=seed)
        console.print(
            "Simulated: the LLM API and the small model. Real: the agent's SDK, the proxy, its log, its rules."
        )
        console.print(
            f"The agent's base_url is {proxy.url}/v1; every call is logged to {work / 'understudy.db'}.\n"
        )
        calls, correct = _work(proxy, list(tickets(count, seed=seed)), agents, console)
        report = _settled(proxy, calls)
    console.print(f"{count} tickets worked, {correct} of {count} labels as the tickets meant.\n")
    print(render(report), end="")


def _start(stack: ExitStack, work: Path, *, speed: float, seed: int) -> Started:
    """Start the simulated models and the proxy, each a process of its own that the stack ends."""
    common = ["--port", "0", "--speed", str(speed), "--seed", str(seed)]
    llm = stack.enter_context(started(["simulate", *common], work / "llm.log"))
    slm = stack.enter_context(
        started(["simulate", *common, "--as", "slm", "--model", SMALL_MODEL], work / "slm.log")
    )
    configuration = work / "understudy.yaml"
    configuration.write_text(
        _CONFIGURATION.format(llm=llm.url, slm=slm.url, small_model=SMALL_MODEL, label_prompt=_LABEL_PROMPT)
    )
    return stack.enter_context(started(["serve", "--config", str(configuration)], work / "proxy.log"))


def _work(proxy: Started, todo: Sequence[Ticket], agents: int, console: Console) -> tuple[int, int]:
    """Have the tickets worked; returns how many calls that took, and how many labels were right."""
    from openai import OpenAI  # noqa: PLC0415  (an extra: only the demo needs the SDK)

    from simulator.agent import SupportDeskAgent  # noqa: PLC0415  (needs it too)

    client = OpenAI(base_url=f"{proxy.url}/v1", api_key="sk-simulated")
    agent = SupportDeskAgent(client)
    calls = correct = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(agents) as pool:
        bar = progress.add_task("working tickets", total=len(todo))
        running = {pool.submit(agent.work, ticket.text): ticket for ticket in todo}
        for done in as_completed(running):
            worked = done.result()
            calls += worked.calls
            correct += worked.label == running[done].label
            progress.advance(bar)
    return calls, correct


def _settled(proxy: Started, calls: int) -> dict[str, Any]:
    """The report once every call has reached the database."""
    report: dict[str, Any] = {}
    for report in _reports(proxy):
        if report["calls"] == calls:
            break
    else:
        log = FOLDER / "run" / "proxy.log"
        fail(f"{calls} calls were made and {report.get('calls')} reached the database; see {log}")
    return report


def _reports(proxy: Started) -> Iterator[dict[str, Any]]:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        yield httpx2.get(f"{proxy.url}/stats", params={"window": "1h", "by": "rule"}, timeout=10).json()
        time.sleep(0.2)
