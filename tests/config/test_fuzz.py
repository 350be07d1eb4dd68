"""Whatever stands in the file, the outcome is a Configuration or a ConfigError whose lines can be read."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.document import parse
from config.fields import walk
from config.load import Configuration, configuration
from config.problem import ConfigError
from config.validate import validated
from router.when import KEYS

WORDS = sorted({part for path, _ in walk() for part in path.replace("[]", "").split(".")} | set(KEYS))
NAMES = st.sampled_from(
    [*WORDS, "openai", "gpu0", "auto", "header.x", "metadata.y", "", "${HOME}", "${X:-1}"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**20)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["auto", "keys", "vllm", "2s", "25%", "8MiB", "http://x", "/(/", "/a/i", "*", "<40", "${X:-1}"]
    )
    | NAMES
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
SECTIONS = st.sampled_from(sorted({path.split(".")[0].removesuffix("[]") for path, _ in walk()}))
FILES = st.dictionaries(SECTIONS, VALUES, max_size=4)
EXAMPLE = """\
version: 1
server: {host: 127.0.0.1, port: 8400, drain: 30s}
upstreams: {openai: {base_url: https://api.openai.com/v1, models: ["gpt-*"], retries: {attempts: 2}}}
engines: {gpu0: {kind: vllm, base_url: http://127.0.0.1:8000/v1}}
slms: {small: {engine: gpu0, model: m, context: 8192, price: {input: 0.1}}}
rules:
  - {name: a, when: {model: ["gpt*", "/x/i"], tokens: "<4000", header.x-team: b}, route: small, share: 25%}
"""


def outcome(text: str) -> Configuration | ConfigError:
    try:
        return configuration(validated(parse(text.encode("utf-8", "replace"), "u.yaml", {}), {}), {})
    except ConfigError as error:
        return error


def check(text: str) -> None:
    found = outcome(text)
    if isinstance(found, ConfigError):
        assert found.problems
        assert all(problem.line >= 1 and problem.column >= 1 for problem in found.problems)


@given(FILES)
def test_any_values(values: dict[str, Any]) -> None:
    check(json.dumps(values))


@given(st.integers(0, len(EXAMPLE) - 1), st.integers(0, 6), st.text("ab:-[]{}&*!|'\"\n $0%", max_size=4))
def test_any_slip_of_the_editor(start: int, length: int, typed: str) -> None:
    check(EXAMPLE[:start] + typed + EXAMPLE[start + length :])


def test_the_example_itself_is_valid() -> None:
    assert isinstance(outcome(EXAMPLE), Configuration)
