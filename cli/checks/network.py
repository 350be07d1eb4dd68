"""Upstreams and engines: whether they answer, take the key, and serve what the configuration names; and the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from cli.checks.finding import Finding, ok, problem, warning
from config.load import Configuration
from wire.tolerant import mapping, mappings, text

_TIMEOUT: Final = 5.0
_SKEW: Final = 30.0
"""Seconds by which a clock may be off: beyond it, windows of the statistics and retention are off as well."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to GET /models; asking costs nothing."""

    status: int = 0
    """0 when it did not answer."""
    fault: str = ""
    models: tuple[str, ...] = ()
    skew: float | None = None
    """Seconds that our clock is ahead of its."""


def ask(base_url: str, key: str | None) -> Answer:
    """Ask a server for its models; never raises."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        began = time.time()
        response = httpx2.get(f"{base_url}/models", headers=headers, timeout=_TIMEOUT)
        middle = (began + time.time()) / 2
    except httpx2.HTTPError as error:
        return Answer(fault=type(error).__name__)
    try:
        listed = mappings(mapping(response.json()).get("data"))
    except ValueError:
        listed = []
    names = tuple(filter(None, (text(each.get("id")) for each in listed)))
    return Answer(response.status_code, models=names, skew=_skew(response.headers.get("date"), middle))


def check_network(configuration: Configuration) -> Iterator[Finding]:
    """All servers, asked at the same time, and what their clocks say of ours."""
    settings = configuration.settings
    keys = {f"upstream {name}": configuration.upstream_keys.get(name) for name in settings.upstreams}
    urls = {f"upstream {name}": upstream.base_url for name, upstream in settings.upstreams.items()}
    for name, engine in settings.engines.items():
        for url in engine.urls:
            check = f"engine {name}" if len(engine.urls) == 1 else f"engine {name} {url}"
            keys[check], urls[check] = configuration.engine_keys.get(name), url
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(urls, pool.map(lambda check: ask(urls[check], keys[check]), urls), strict=True))
    for check, answer in answers.items():
        yield from _server(check, urls[check], keys[check], answer)
    yield from _small_models(configuration, answers)
    yield from _clock(answers)


def _server(check: str, url: str, key: str | None, answer: Answer) -> Iterator[Finding]:
    if not answer.status:
        yield problem(check, f"{url} does not answer ({answer.fault})", "start it, or mend its base_url")
    elif answer.status in (401, 403):
        if key:
            yield problem(
                check, f"{url} refuses the key ({answer.status})", "put a valid key into its variable"
            )
        else:
            yield ok(check, f"{url} answers and wants a key")
    elif answer.status == 404:
        yield warning(
            check, f"{url} answers, and has no /models", "see that base_url ends where /v1 of the API begins"
        )
    elif answer.status >= 400:
        yield warning(check, f"{url} answers {answer.status} to GET /models", "see to that server's log")
    else:
        yield ok(check, f"{url} answers, {len(answer.models)} models")


def _small_models(configuration: Configuration, answers: Mapping[str, Answer]) -> Iterator[Finding]:
    for name, slm in configuration.settings.slms.items():
        served = [
            model
            for check, answer in answers.items()
            if check.split(" ")[:2] == ["engine", slm.engine]
            for model in answer.models
        ]
        if served and slm.model not in served:
            yield problem(
                f"slm {name}",
                f"engine {slm.engine!r} serves {', '.join(sorted(set(served))[:5])}, not {slm.model!r}",
                f"load it there, or mend slms.{name}.model; until then its calls go upstream",
            )


def _skew(date: str | None, now: float) -> float | None:
    """Whole seconds are all a date line tells, so half a second is added to it."""
    try:
        return now - parsedate_to_datetime(date or "").timestamp() - 0.5
    except ValueError:
        return None


def _clock(answers: Mapping[str, Answer]) -> Iterator[Finding]:
    skews = sorted(answer.skew for answer in answers.values() if answer.skew is not None)
    if not skews:
        return
    middle = skews[len(skews) // 2]
    if abs(middle) > _SKEW:
        side = "ahead of" if middle > 0 else "behind"
        yield warning("clock", f"{abs(middle):,.0f} seconds {side} the servers", "set it by NTP")
    else:
        yield ok("clock", "agrees with the servers")
