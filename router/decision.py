"""The router's whole interface: a Query goes in, a Decision comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

Route = Literal["upstream", "slm"]
Endpoint = Literal["chat.completions", "completions", "responses", "messages", "other"]


class Query(msgspec.Struct, frozen=True):
    """What may be known of a call before it is answered."""

    endpoint: Endpoint
    body: Mapping[str, Any]
    """The parsed request body: a copy, never sent anywhere."""
    size: int
    """Bytes of the body."""
    headers: Mapping[str, str] = {}
    """Lower-case names; of repeated headers the first."""
    key: str = ""
    """Id of the proxy key; empty in passthrough mode."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a call goes, and why in one sentence."""

    route: Route
    reason: str
    """A short sentence for people and for the `x-understudy-reason` header (ASCII, no content of the call)."""
    rule: str = ""
    """Name of the rule that matched; `defaults` when none did."""
    understudy: str = ""
    """Name of the understudy when route is `slm`."""
    task: str = ""
    threshold: float = 0.0
    """Confidence below which the understudy hands the call to the LLM; 0 takes every answer."""
    timeout: float | None = None
    """Seconds the understudy may take before the upstream is asked instead; None takes the engine's."""
    fallback: bool = True
    """Whether the upstream is asked when the understudy fails."""
    audit: float = 0.0
    """Share of replaced calls that also go to the LLM afterwards."""


class Router(Protocol):
    """Decides; never raises for anything a client can send."""

    def decide(self, query: Query) -> Decision: ...
