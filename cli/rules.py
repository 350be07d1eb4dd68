"""`understudy rules`: check the file, and explain which rule takes a call and why."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.context import EXIT_USAGE, ConfigOption, JsonOption, fail, find_config, load_configuration
from cli.published import published
from config.load import Configuration, load
from config.problem import ConfigError, Problem
from router.decision import Endpoint, Query
from router.rule_router import Check, Explanation

FOUND_LENGTH: Final = 60
"""Characters shown of what a call has where a condition did not hold."""

FetchCall = Callable[[Path | None, str], Query | None]
"""A stored call as the router saw it, by configuration file and call id; None when there is no such call."""

FileArgument = Annotated[
    Path | None, typer.Argument(help="Configuration file.", show_default="understudy.yaml")
]


def create_rules(fetch: FetchCall) -> typer.Typer:
    """The `rules` command; `fetch` looks up the call of `explain --call`."""
    app = typer.Typer(help="Check the rules, and see which one takes a call.", no_args_is_help=True)
    app.command("check")(check)

    @app.command("explain")
    def explain(
        request: Annotated[
            Path | None,
            typer.Option("--request", "-r", help="File with a request body as JSON; - reads standard input."),
        ] = None,
        call: Annotated[
            str | None, typer.Option("--call", help="Id of a recorded call, instead of a file.")
        ] = None,
        config: ConfigOption = None,
        header: Annotated[
            list[str] | None,
            typer.Option("--header", "-H", help="Request header as name=value; may be repeated."),
        ] = None,
        endpoint: Annotated[
            Endpoint | None,
            typer.Option("--endpoint", help="Such as chat.completions; by default told from the body."),
        ] = None,
        key: Annotated[str, typer.Option("--key", help="Id of the proxy key that the agent uses.")] = "",
        as_json: JsonOption = False,
    ) -> None:
        """Tell which rule takes a call, where it goes and why."""
        if (request is None) == (call is None):
            fail("name one call: either --request FILE or --call ID")
        configuration = load_configuration(config)
        if call is not None:
            query = fetch(config, call)
            if query is None:
                fail(f"there is no call {call!r} in the store; see: understudy calls list")
        else:
            assert request is not None
            query = _query(request, _headers(header or []), endpoint, key)
        explanation = configuration.with_learned(published(configuration)).router.explain(query)
        _print_json(asdict(explanation)) if as_json else _print_explanation(explanation)

    return app


def check(file: FileArgument = None, as_json: JsonOption = False) -> None:
    """Check a configuration file; every problem is printed, and the exit code is 2 when there is one."""
    path = find_config(file)
    try:
        configuration = load(path, os.environ)
    except ConfigError as error:
        if as_json:
            _print_json({"valid": False, "problems": [_plain(problem) for problem in error.problems]})
        else:
            print(error, file=sys.stderr)
        raise typer.Exit(EXIT_USAGE) from None
    if as_json:
        _print_json(
            {"valid": True, "version": configuration.version, "rules": len(configuration.settings.rules)}
        )
    else:
        print(_valid(configuration))


def _valid(configuration: Configuration) -> str:
    where = str(configuration.path) if configuration.path else "no understudy.yaml here: the defaults"
    count = len(configuration.settings.rules)
    return f"{where}: valid, {count} rule{'' if count == 1 else 's'}, version {configuration.version}"


def _plain(problem: Problem) -> dict[str, Any]:
    return {**asdict(problem), "text": str(problem)}


def _query(file: Path, headers: Mapping[str, str], endpoint: Endpoint | None, key: str) -> Query:
    raw = _bytes(file)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        fail(f"{file}:{error.lineno}:{error.colno}: not JSON: {error.msg}; give the body of a request")
    if not isinstance(body, dict):
        fail(f"{file}: not a JSON object; give the body of a request")
    return Query(endpoint or _endpoint(body), body, len(raw), headers, key)


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror}")


def _endpoint(body: Mapping[str, Any]) -> Endpoint:
    """The endpoint whose parameters the body has; those of messages look like those of chat completions."""
    if "messages" in body:
        return "chat.completions"
    if "input" in body:
        return "responses"
    return "completions" if "prompt" in body else "other"


def _headers(given: list[str]) -> dict[str, str]:
    headers = {}
    for line in given:
        name, separator, value = line.partition("=")
        if not separator:
            fail(f"--header {line!r} has no =; write it like x-understudy-task=support/intent")
        headers[name.strip().lower()] = value
    return headers


def _print_json(value: object) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _print_explanation(explanation: Explanation) -> None:
    print(explanation.sentence)
    if not explanation.checks:
        return
    table = Table("rule", "matched", "condition", "wanted", "found", box=None, pad_edge=False)
    for rule in explanation.checks:
        table.add_row(*map(Text, _row(rule)))
    Console().print(table)


def _row(rule: Check) -> tuple[str, str, str, str, str]:
    found = " ".join(rule.found.split())
    shown = found if len(found) <= FOUND_LENGTH else f"{found[: FOUND_LENGTH - 1]}…"
    return rule.rule, "yes" if rule.matched else "no", rule.key, rule.expected, shown
