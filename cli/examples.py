"""Examples for each verb's help; a test runs them through the command's own parser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "init": ("understudy init", "understudy init --yes --reach network --key-env OPENAI_API_KEY"),
    "doctor": ("understudy doctor", "understudy doctor --offline --json"),
    "serve": ("understudy serve", "understudy serve -c prod.yaml --workers 4"),
    "demo": (
        "understudy demo",
        "understudy demo --port 8400 --counted 500",
        "understudy demo --trace calls.jsonl",
    ),
    "stats": ("understudy stats --window 7d --by task", "understudy stats --watch"),
    "calls list": (
        "understudy calls list --route slm --limit 20",
        "understudy calls list --task support/label --since 2026-11-01 --json",
    ),
    "calls show": ("understudy calls show 019a9d3c-5b1e-7c5e-b0a4-2f6b1c9d8e7f",),
    "calls purge": (
        "understudy calls purge --session customer-4711 --yes",
        "understudy calls purge --before 2026-10-01",
    ),
    "convert": (
        "understudy convert",
        "understudy convert --watch --every 6h",
        "understudy convert --task support/label --fresh",
    ),
    "convert curate": ("understudy convert curate --dry-run",),
    "convert cluster": ("understudy convert cluster --dry-run",),
    "convert select": ("understudy convert select --task support/label",),
    "convert finetune": ("understudy convert finetune --task support/label",),
    "convert evaluate": ("understudy convert evaluate --json",),
    "convert promote": ("understudy convert promote --dry-run",),
    "convert refine": ("understudy convert refine --dry-run",),
    "engine start": ("understudy engine start gpu0 --model Qwen/Qwen3-0.6B",),
    "engine status": ("understudy engine status",),
    "engine adapters": ("understudy engine adapters --json",),
    "tasks": ("understudy tasks",),
    "tasks list": ("understudy tasks list --window 7d",),
    "tasks show": ("understudy tasks show support/label",),
    "rules check": ("understudy rules check", "understudy rules check new.yaml --json"),
    "rules explain": (
        "understudy rules explain --request body.json -H x-understudy-task=support/label",
        "understudy rules explain --call 019a9d3c-5b1e-7c5e-b0a4-2f6b1c9d8e7f",
    ),
    "rules backtest": (
        "understudy rules backtest --rules new.yaml --window 7d",
        "understudy rules backtest --rules new.yaml --window 24h --moved 20 --json",
    ),
    "keys create": ("understudy keys create research-agents", "understudy keys create anna --role viewer"),
    "keys list": ("understudy keys list",),
    "keys revoke": ("understudy keys revoke 4f1c2a9b",),
    "config check": ("understudy config check",),
    "config schema": ("understudy config schema > understudy.schema.json",),
    "db upgrade": ("understudy db upgrade",),
    "db current": ("understudy db current --json",),
    "db quarantine": ("understudy db quarantine", "understudy db quarantine --ship-again"),
    "simulate": (
        "understudy simulate --port 9000",
        "understudy simulate --as slm --model classify-0.6b --error-rate 0.05",
    ),
}
"""By the verb's name below `understudy`."""


def with_examples(command: Any, name: str) -> Any:
    """A command, and the commands below it, with their examples at the end of their help."""
    for child, below in getattr(command, "commands", {}).items():
        with_examples(below, f"{name} {child}")
    if shown := EXAMPLES.get(name):
        command.epilog = "\n\n".join(["Examples:", *shown])
    return command
