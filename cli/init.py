"""`understudy init`: four questions, and a commented configuration file that is valid."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import orjson
import typer

from cli.context import EXIT_USAGE, JsonOption, fail
from config.load import FILE_NAME, read
from config.problem import ConfigError

Reach = Literal["here", "network"]

_DEFAULT_UPSTREAM: Final = "https://api.openai.com/v1"
_NONE: Final = "none"

_FILE: Final = """\
# Understudy. Written by `understudy init`; every setting is explained in docs/configuration.md.
# Changes take effect within two seconds, without a restart; `understudy rules check` tells what is wrong with them.
version: 1

{server}
# The LLM API that agents call today. Several may stand here; `models` says which serves what.
upstreams:
  llm:
    base_url: {upstream}
    api_key_env: {key_env}{key_note}

{engines}
# Where calls are kept: a file, or postgresql://user:password@host:5432/understudy.
store:
  url: sqlite:///understudy.db
  retain: 30d

# Dollars per million tokens, from your provider's price list. Without them money stays unknown in the statistics.
prices: {{}}
#  gpt-4o-mini: {{input: 0.15, cached_input: 0.075, output: 0.60}}

# What holds where no rule says otherwise: an understudy answers once it is shown, with this confidence, to agree with
# the LLM this often; 2% of what it answers is compared with the LLM for as long as it lives.
defaults:
  route: auto            # auto, upstream, or the name of a small model
  min_agreement: 0.95
  confidence: 0.95
  audit: 2%

# The first rule that matches takes a call. Try a change on last week's log before you make it:
#   understudy rules backtest --rules NEW.yaml --window 7d
rules: []
#  - {{name: plans stay with the LLM, when: {{system: "You are the planner*"}}, route: upstream}}
#  - {{name: careful with refunds, when: {{tools: refund_order}}, min_agreement: 0.99}}
"""

_SERVER: Final[dict[Reach, str]] = {
    "here": """\
# Agents set their base_url to http://127.0.0.1:{port}/v1 and keep their own key.
server: {{host: 127.0.0.1, port: {port}}}
""",
    "network": """\
# Agents anywhere set their base_url to http://THIS-HOST:{port}/v1 and present a proxy key:
#   understudy keys create NAME
server: {{host: 0.0.0.0, port: {port}}}
auth: {{mode: keys}}
""",
}

_ENGINES: Final = """\
# Servers of small models. Classification heads need none: `understudy serve` runs them itself.
engines:{engine}
"""

UpstreamOption = Annotated[
    str | None, typer.Option("--upstream", help="Base URL of the LLM API that agents call now.")
]
KeyOption = Annotated[str | None, typer.Option("--key-env", help="Variable that holds its key.")]
ReachOption = Annotated[
    Reach | None,
    typer.Option(
        "--reach", help="Who may call: agents on this machine (here), or from the network with proxy keys."
    ),
]
EngineOption = Annotated[
    str | None, typer.Option("--engine", help="Base URL of a vLLM server; none where there is none.")
]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="File to write.")]


def init(
    *,
    upstream: UpstreamOption = None,
    key_env: KeyOption = None,
    reach: ReachOption = None,
    engine: EngineOption = None,
    out: OutOption = Path(FILE_NAME),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8400,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; what is not given takes its default.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented configuration file, from four questions or from options."""
    if out.exists() and not force:
        fail(f"{out} is there already; name another with --out, or overwrite it with --force")
    asked = not yes and not as_json
    upstream = upstream or _ask(asked, "Base URL of the LLM API that your agents call now", _DEFAULT_UPSTREAM)
    key_env = key_env or _ask(asked, "Variable that holds its key", "OPENAI_API_KEY")
    reach = reach or _reach(
        _ask(asked, "Who may call: agents on this machine (here) or from the network", "here")
    )
    engine = engine or _ask(asked, "Base URL of a vLLM server, or none", _NONE)
    _write(out, text(upstream, key_env, reach, engine, port), key_env)
    if as_json:
        print(orjson.dumps({"file": str(out), "port": port, "auth": _auth(reach)}).decode())
    else:
        print(f"{out} is written; next: understudy doctor, then understudy serve")


def text(upstream: str, key_env: str, reach: Reach, engine: str, port: int) -> str:
    """The file."""
    served = "" if engine == _NONE else f"\n  vllm: {{kind: vllm, base_url: {engine}}}"
    note = "   # replaces the agent's" if reach == "network" else "   # fills in where an agent sends none"
    return _FILE.format(
        server=_SERVER[reach].format(port=port),
        upstream=upstream,
        key_env=key_env,
        key_note=note,
        engines=_ENGINES.format(engine=served or " {}"),
    )


def _ask(asked: bool, question: str, default: str) -> str:
    if not asked:
        return default
    try:
        return str(typer.prompt(question, default=default)).strip()
    except typer.Abort:
        if sys.stdin.isatty():  # Ctrl-C
            raise
        print(file=sys.stderr)
        fail(
            f"nobody answers {question!r}; take the defaults with --yes, or give options: understudy init --help"
        )


def _reach(answer: str) -> Reach:
    known: dict[str, Reach] = {"here": "here", "network": "network"}
    if answer.lower() not in known:
        fail(f"{answer!r} is neither here nor network")
    return known[answer.lower()]


def _auth(reach: Reach) -> str:
    return "keys" if reach == "network" else "passthrough"


def _write(out: Path, content: str, key_env: str) -> None:
    """Check first, under a name beside it; what was there stays where the answers make no valid file."""
    fresh = out.with_name(f".{out.name}.new")
    try:
        fresh.write_text(content)
        read(fresh, {key_env: "to be set", **os.environ})
        fresh.replace(out)
    except ConfigError as error:
        for each in error.problems:
            print(f"understudy: {each.path}: {each.value} {each.message}; {each.remedy}", file=sys.stderr)
        raise typer.Exit(EXIT_USAGE) from None
    except OSError as error:
        fail(f"{out}: cannot be written: {error.strerror}")
    finally:
        fresh.unlink(missing_ok=True)
