"""Whom the gatekeeper may ask: engines and upstreams of the configuration, with their keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.load import Configuration
from config.settings import Timeouts
from serving.publication import HEADS


@dataclass(frozen=True, slots=True)
class Target:
    """One engine or upstream."""

    name: str
    urls: tuple[str, ...]
    """Where its `/v1` is; each in turn."""
    timeouts: Timeouts
    api_key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    missing_key: str = ""
    """The variable that should hold its key and does not."""
    gives_logprobs: bool = False
    """Whether it tells the probabilities of tokens when asked."""


def engine_targets(configuration: Configuration, heads: str) -> Mapping[str, Target]:
    """The engines that can be asked; `heads` is the URL of the embedded head server, or empty."""
    engines = configuration.settings.engines
    found = {
        name: Target(
            name,
            engine.urls_with(heads),
            engine.timeouts,
            configuration.engine_keys.get(name, ""),
            gives_logprobs=engine.gives_logprobs,
        )
        for name, engine in engines.items()
    }
    if heads and HEADS not in found:
        found[HEADS] = Target(HEADS, (heads,), Timeouts(connect=1.0, first_byte=30.0, idle=30.0))
    return found


def upstream_target(configuration: Configuration, model: str) -> Target:
    """The upstream that serves a model."""
    name = configuration.upstream_for(model)
    upstream = configuration.settings.upstreams[name]
    key = configuration.upstream_keys.get(name, "")
    missing = upstream.api_key_env if upstream.api_key_env is not None and not key else ""
    return Target(name, (upstream.base_url,), upstream.timeouts, key, upstream.headers, missing or "")
