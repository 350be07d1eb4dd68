"""Where requests can go: upstreams chosen by model, engines chosen by understudy.

Hosts come from the configuration, and from the supervisor, which knows where the embedded head server listens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from proxy import header_rules
from proxy.engine_server import EngineServer
from proxy.transport.base import Headers, Timeouts


@dataclass(frozen=True, slots=True)
class Retries:
    """Extra tries before the first byte, under one budget."""

    attempts: int = 1
    budget: float = 10.0
    """Seconds from the first try within which another may start."""
    statuses: frozenset[int] = frozenset({502, 503, 504})


@dataclass(slots=True, eq=False)
class Upstream:
    """One LLM API; compared by identity, because it remembers what it was seen to refuse."""

    name: str
    base_url: str
    """Without a trailing slash; takes the place of the agent's `/v1`."""
    api_key: str | None = None
    replace_key: bool = False
    """Whether the agent's key stays here (mode `keys`); else ours only fills a gap."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    total: float | None = None
    """Seconds that a whole call may take."""
    retries: Retries = field(default_factory=Retries)
    headers: Headers = field(default_factory=list)
    injects_usage: bool = True
    """Whether `include_usage` is asked for; turned off for good once the upstream has refused it."""

    def url(self, path: str) -> str:
        """The upstream's URL for the agent's path below `/v1`, query string included."""
        return self.base_url + path.removeprefix("/v1")

    def sign(self, headers: Headers) -> Headers:
        """Headers with the credentials and fixed lines that this upstream gets."""
        if self.replace_key:
            headers = header_rules.without_credentials(headers)
        if self.api_key and not _has_credentials(headers):
            headers = header_rules.with_key(headers, self.api_key)
        return headers + self.headers if self.headers else headers


def _has_credentials(headers: Headers) -> bool:
    return any(name in (b"authorization", b"x-api-key", b"api-key") for name, _ in headers)


class Upstreams:
    """The configured upstreams by name, and which of them serves a model."""

    def __init__(self, upstreams: Mapping[str, Upstream], name_for: Callable[[str], str]) -> None:
        self.pick: Callable[[str], Upstream] = lru_cache(maxsize=1024)(
            lambda model: upstreams[name_for(model)]
        )
        """The upstream that serves a model; one that claims none of it will say so itself."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One or more local servers of the same models, as an understudy sees them."""

    name: str
    servers: tuple[EngineServer, ...]
    api_key: str | None = None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(connect=1.0, first_byte=30.0, idle=30.0))
    gives_logprobs: bool = False
    """Whether it tells the probabilities of tokens when asked, as vLLM does; heads say of themselves how sure they are."""

    def willing(self) -> list[EngineServer]:
        """The servers that may be asked now, the one with the fewest requests in flight first."""
        willing = [server for server in self.servers if server.breaker.admits()]
        return sorted(willing, key=lambda server: (server.in_flight, server.taken))


@dataclass(frozen=True, slots=True)
class Understudy:
    """A small model prepared for a task, and where it is served."""

    name: str
    engine: Engine
    model: str
    """The name the engine knows it by."""
    timeout: float | None = None
    """Seconds it may take before the upstream is asked instead, where the rule names none."""
