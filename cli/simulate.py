"""`understudy simulate`: a stand-in for the paid API."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from serving.endpoints.dialect import OpenAIDialect, VllmDialect
from serving.endpoints.errors import ApiError
from simulator.app import create_app
from simulator.brain import Brain
from simulator.faults import FaultPlan, parse
from simulator.latency import Latency
from simulator.server import listen, serve, url_of
from simulator.settings import Settings
from simulator.small_model import SmallModelBrain
from simulator.support_desk import SupportDesk
from simulator.trace import BadTrace, TraceBrain

_PROFILES = {"llm": Latency(), "slm": Latency(first_token=0.06, spread=0.2, tokens_per_second=160.0)}


def simulate(
    *,
    scenario: Annotated[str, typer.Option(help="What to play: support-desk.")] = "support-desk",
    trace: Annotated[Path | None, typer.Option(help="Answer recorded requests from FILE.jsonl[.xz].")] = None,
    as_: Annotated[
        str, typer.Option("--as", help="Which server to play: llm (OpenAI) or slm (vLLM).")
    ] = "llm",
    model: Annotated[list[str] | None, typer.Option(help="A model name to serve; again for more.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8500,
    speed: Annotated[float, typer.Option(min=0, help="Divides every wait; 0 answers at once.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    noise: Annotated[
        float, typer.Option(min=0, max=1, help="Share of odd answers at temperature > 0.")
    ] = 0.01,
    repeatable: Annotated[bool, typer.Option(help="Answer an equal request equally every time.")] = True,
    error_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of wrong or broken answers.")] = 0.0,
    fault: Annotated[list[str] | None, typer.Option(help="A standing fault, as in x-simulate.")] = None,
    require_key: Annotated[str, typer.Option(help="The only API key to accept.")] = "",
    clock: Annotated[str, typer.Option(help="real, or fixed for byte-equal responses.")] = "real",
    compress: Annotated[bool, typer.Option(help="Gzip JSON answers for clients that accept it.")] = False,
    obfuscate: Annotated[bool, typer.Option(help="Pad stream chunks as the paid API does.")] = False,
) -> None:
    """Serve a stand-in for the paid API: an OpenAI-compatible server with no model behind it."""
    _one_of("--scenario", scenario, ("support-desk",))
    _one_of("--as", as_, tuple(_PROFILES))
    _one_of("--clock", clock, ("real", "fixed"))
    brain = _brain(trace, seed=seed, noise=noise, repeatable=repeatable)
    settings = Settings(
        models=_models(as_, model or [], tracing=trace is not None),
        require_key=require_key,
        clock="fixed" if clock == "fixed" else "real",
        dialect=VllmDialect() if as_ == "slm" else OpenAIDialect(),
        compress=compress,
        obfuscate=obfuscate,
    )
    app = create_app(
        SmallModelBrain(brain, error_rate, seed=seed) if error_rate else brain,
        _plan(fault or [], seed),
        replace(_PROFILES[as_], speed=speed),
        settings,
    )
    try:
        listening = listen(host, port)
    except OSError as error:
        raise _stop(
            f"cannot listen on {host!r} port {port}: {error.strerror}; choose another --port"
        ) from error
    playing = f"the trace {trace.name!r}" if trace else f"the scenario {scenario!r}"
    print(f"understudy simulator: a stand-in for the paid API, playing {playing}; no model runs here")
    print(f"listening on {url_of(listening)}", flush=True)
    serve(app, listening)


def _brain(trace: Path | None, *, seed: int, noise: float, repeatable: bool) -> Brain:
    if trace is None:
        return SupportDesk(seed=seed, noise=noise, repeatable=repeatable)
    try:
        return TraceBrain.read(trace)
    except (OSError, BadTrace) as error:
        raise _stop(f"cannot read the trace: {error}") from error


def _models(role: str, named: list[str], *, tracing: bool) -> tuple[str, ...]:
    """The names to serve: those given, else every one for a trace and the usual ones for the paid API."""
    if role == "slm" and not named:
        raise _stop("--as slm serves only models it is given: name at least one with --model NAME")
    return tuple(named) or (("*",) if tracing else Settings().models)


def _plan(specs: list[str], seed: int) -> FaultPlan:
    try:
        return FaultPlan([parse(spec) for spec in specs], seed=seed)
    except ApiError as error:
        raise _stop(f"bad --fault: {error.message}") from error


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise _stop(f"{option} cannot be {value!r}; choose from {', '.join(known)}")


def _stop(message: str) -> typer.Exit:
    """One line on stderr and exit code 2."""
    typer.echo(f"understudy simulate: {message}", err=True)
    return typer.Exit(2)


if __name__ == "__main__":
    typer.run(simulate)
