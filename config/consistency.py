"""What one value alone cannot tell: names that must exist, conditions that must compile, sections that must agree.

It looks at plain values, not at Settings, so that these mistakes are reported beside those of the types.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal

from config.document import Path
from router.rule import AUTO, UPSTREAM
from router.when import WhenError, condition
from wire.tolerant import mapping, sequence, text

DEFAULT_KEY: Final = "OPENAI_API_KEY"
"""Where the key of the upstream is that holds when the file names none."""

RESERVED: Final = (AUTO, UPSTREAM)
DEFAULTS_NAME: Final = "defaults"
"""The name under which calls are recorded that no rule matched."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake at a path."""

    path: Path
    message: str
    remedy: str
    about: Literal["value", "key", "absence"] = "value"
    """Whether the value at the path is the mistake, the key itself, or that something is missing there."""


def findings(values: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Every inconsistency of a file's plain values; parts of a wrong type are passed over."""
    yield from _listening(values)
    yield from _keys(values, environ)
    yield from _names(values)
    yield from _engines(values)
    yield from _routes(values)
    yield from _rules(values)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def nearest(name: str, names: list[str]) -> str:
    """A remedy for a name that does not exist."""
    close = get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}" if names else ""


def _listening(values: Mapping[str, Any]) -> Iterator[Finding]:
    host = mapping(values.get("server")).get("host", "127.0.0.1")
    if not isinstance(host, str) or is_loopback(host) or mapping(values.get("auth")).get("mode") == "keys":
        return
    remedy = "write auth: {mode: keys}, or listen on 127.0.0.1"
    yield Finding(("server", "host"), "would let anyone on the network use your upstream", remedy)


def _keys(values: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that must hold a key: those of engines, and in mode keys those of upstreams."""
    sections = ["engines"]
    if mapping(values.get("auth")).get("mode") == "keys":
        sections.append("upstreams")
        if "upstreams" not in values and not environ.get(DEFAULT_KEY):
            remedy = f"set {DEFAULT_KEY}, or name your upstreams"
            yield Finding(
                ("auth",), f"the upstream's key is missing: {DEFAULT_KEY} is not set", remedy, "absence"
            )
    for section in sections:
        for name, holder in mapping(values.get(section)).items():
            variable = mapping(holder).get("api_key_env")
            if isinstance(variable, str) and not environ.get(variable, "").strip():
                yield Finding(
                    (section, name, "api_key_env"), "is a variable that is not set", f"set {variable}"
                )


def _names(values: Mapping[str, Any]) -> Iterator[Finding]:
    for name in mapping(values.get("slms")):
        if name in RESERVED:
            yield Finding(("slms", name), "is a word of route", "take another name", about="key")


def _engines(values: Mapping[str, Any]) -> Iterator[Finding]:
    engines = list(mapping(values.get("engines")))
    for name, engine in mapping(values.get("engines")).items():
        located = mapping(engine).get("base_url") is not None or sequence(mapping(engine).get("base_urls"))
        if mapping(engine).get("kind") == "vllm" and not located:
            remedy = "add base_url: http://127.0.0.1:8000/v1"
            yield Finding(
                ("engines", name), "base_url is missing for an engine of kind vllm", remedy, "absence"
            )
    for name, slm in mapping(values.get("slms")).items():
        engine = mapping(slm).get("engine")
        if isinstance(engine, str) and engine not in engines:
            remedy = nearest(engine, engines) or "add it under engines"
            yield Finding(("slms", name, "engine"), "is not a known engine", remedy)


def _routes(values: Mapping[str, Any]) -> Iterator[Finding]:
    routes = [*RESERVED, *mapping(values.get("slms"))]
    places: list[tuple[Path, Any]] = [(("defaults",), values.get("defaults"))]
    places += [(("rules", index), rule) for index, rule in enumerate(sequence(values.get("rules")))]
    for path, holder in places:
        route = mapping(holder).get("route")
        if isinstance(route, str) and route not in routes:
            remedy = nearest(route, routes)
            yield Finding((*path, "route"), "is not auto, upstream or a known slm", remedy)


def _rules(values: Mapping[str, Any]) -> Iterator[Finding]:
    seen = {DEFAULTS_NAME}
    for index, rule in enumerate(sequence(values.get("rules"))):
        name = text(mapping(rule).get("name"))
        if name in seen:
            remedy = "the name 'defaults' is taken" if name == DEFAULTS_NAME else "rule names must differ"
            yield Finding(("rules", index, "name"), "is used already", remedy)
        seen |= {name} if name else set()
        for key, value in mapping(mapping(rule).get("when")).items():
            yield from _condition(("rules", index, "when", key), value)


def _condition(path: Path, value: object) -> Iterator[Finding]:
    try:
        condition(str(path[-1]), value)
    except WhenError as error:
        place = path if error.index is None else (*path, error.index)
        yield Finding(place, error.message, error.remedy, about="key" if error.unknown_key else "value")
