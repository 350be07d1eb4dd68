"""One configuration in force, in the form the data path uses; swapped whole, so that a call sees one and only one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.load import Configuration
from config.settings import Timeouts as TimeoutSettings
from config.settings import Upstream as UpstreamSettings
from proxy.targets import Engine, Retries, Understudy, Upstream, Upstreams
from proxy.transport.base import Timeouts
from router.decision import Router


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


def snapshot_of(configuration: Configuration) -> Snapshot:
    """Build the snapshot of a configuration."""
    settings = configuration.settings
    replace_key = settings.auth.mode == "keys"
    upstreams = {
        name: _upstream(name, upstream, configuration.upstream_keys.get(name), replace_key=replace_key)
        for name, upstream in settings.upstreams.items()
    }
    engines = {
        name: Engine(name, engine.base_url, configuration.engine_keys.get(name), _timeouts(engine.timeouts))
        for name, engine in settings.engines.items()
        if engine.base_url is not None
    }
    return Snapshot(
        version=configuration.version,
        router=configuration.router,
        upstreams=Upstreams(upstreams, configuration.upstream_for),
        understudies={
            name: Understudy(name, engines[slm.engine], slm.model, slm.timeout)
            for name, slm in settings.slms.items()
            if slm.engine in engines
        },
        capture_limit=settings.server.capture_limit,
        buffer_limit=settings.server.buffer_limit,
        store_content=settings.store.content,
    )


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
