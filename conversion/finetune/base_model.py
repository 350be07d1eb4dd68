"""Base models that adapters may be trained for: those that the configured engines serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.vllm.client import VllmClient
from serving.vllm.errors import EngineError


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model, and the servers that have it loaded."""

    name: str
    """As reports and understudies call it."""
    folder: str
    """Its files: weights, tokenizer and chat template; or its id on the hub."""
    context: int = 0
    """Tokens that a call may read and write together; 0 when not known."""
    servers: tuple[VllmClient, ...] = ()
    """They give the answers that candidates are judged by; without any, transformers does."""
    dollars_per_million: float = 0.05
    """What a million tokens cost on it."""
    engine: str = ""
    """Name of their engine in the configuration."""
    served_as: str = ""
    """Its name there; `name` is the last part of it."""
    chat_template_kwargs: Mapping[str, Any] | None = None
    """What its chat template is given at serving time, such as what turns its reasoning off."""


def bases(engines: Mapping[str, Sequence[VllmClient]]) -> tuple[Sequence[BaseModel], Mapping[str, str]]:
    """The base models of engines, each once, and why there is none for an engine: its name to the reason."""
    found: dict[str, BaseModel] = {}
    missing: dict[str, str] = {}
    for engine, servers in engines.items():
        for server in servers:
            try:
                served = [model for model in server.models().values() if not model.adapter]
            except EngineError as error:
                missing[engine] = str(error)
                continue
            for model in served:
                base = BaseModel(
                    _plain(model.name),
                    model.folder,
                    model.context,
                    tuple(servers),
                    engine=engine,
                    served_as=model.name,
                )
                found.setdefault(model.folder, base)
            missing.pop(engine, None)
            break
    return tuple(found.values()), missing


def _plain(name: str) -> str:
    """The last part of a hub id or path, in small letters."""
    return name.rstrip("/").rpartition("/")[2].lower()
