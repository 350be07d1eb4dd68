"""One configuration in force, in the form the data path uses; swapped whole, so that a call sees one and only one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.load import Configuration
from config.settings import Engine as EngineSettings
from config.settings import Slm as SlmSettings
from config.settings import Timeouts as TimeoutSettings
from config.settings import Upstream as UpstreamSettings
from proxy.engine_server import EngineServers
from proxy.targets import Engine, Retries, Understudy, Upstream, Upstreams
from proxy.transport.base import Timeouts
from router.decision import Router
from serving.publication import HEADS, Deployment


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a call needs to know of the configuration."""

    version: str
    router: Router
    upstreams: Upstreams
    understudies: Mapping[str, Understudy]
    capture_limit: int
    buffer_limit: int
    store_content: bool


def snapshot_of(
    configuration: Configuration,
    servers: EngineServers,
    deployments: Sequence[Deployment] = (),
    heads: str = "",
) -> Snapshot:
    """Build the snapshot of a configuration and what is deployed; `heads` is the URL of the embedded head server."""
    settings = configuration.settings
    replace_key = settings.auth.mode == "keys"
    upstreams = {
        name: _upstream(name, upstream, configuration.upstream_keys.get(name), replace_key=replace_key)
        for name, upstream in settings.upstreams.items()
    }
    engines = _engines(configuration, servers, heads)
    servers.keep({server for engine in engines.values() for server in engine.servers})
    return Snapshot(
        version=configuration.version,
        router=configuration.router,
        upstreams=Upstreams(upstreams, configuration.upstream_for),
        understudies=_understudies(settings.slms, engines, deployments),
        capture_limit=settings.server.capture_limit,
        buffer_limit=settings.server.buffer_limit,
        store_content=settings.store.content,
    )


def _engines(configuration: Configuration, servers: EngineServers, heads: str) -> dict[str, Engine]:
    """The engines that can be asked: those with URLs, and the embedded one for heads that have none."""
    configured = configuration.settings.engines
    if heads and HEADS not in configured:
        configured = {**configured, HEADS: EngineSettings(kind="heads")}
    found = {}
    for name, engine in configured.items():
        urls = engine.urls_with(heads)
        key = configuration.engine_keys.get(name)
        if urls:
            timeouts = _timeouts(engine.timeouts)
            found[name] = Engine(name, servers.of(name, urls), key, timeouts, engine.gives_logprobs)
    return found


def _understudies(
    slms: Mapping[str, SlmSettings], engines: Mapping[str, Engine], deployments: Sequence[Deployment]
) -> dict[str, Understudy]:
    """Every small model that an engine serves, by name; one named by hand goes before a deployed one."""
    deployed = {
        one.understudy: Understudy(one.understudy, engines[one.engine], one.model)
        for one in deployments
        if one.engine in engines
    }
    return deployed | {
        name: Understudy(name, engines[slm.engine], slm.model, slm.timeout)
        for name, slm in slms.items()
        if slm.engine in engines
    }


def _upstream(name: str, settings: UpstreamSettings, key: str | None, *, replace_key: bool) -> Upstream:
    retries = settings.retries
    return Upstream(
        name=name,
        base_url=settings.base_url,
        api_key=key,
        replace_key=replace_key,
        timeouts=_timeouts(settings.timeouts),
        total=settings.timeouts.total,
        retries=Retries(retries.attempts, retries.budget, frozenset(retries.statuses)),
        headers=[(key.encode(), value.encode()) for key, value in settings.headers.items()],
        injects_usage=settings.stream_usage == "auto",
    )


def _timeouts(settings: TimeoutSettings) -> Timeouts:
    return Timeouts(settings.connect, settings.first_byte, settings.idle)
