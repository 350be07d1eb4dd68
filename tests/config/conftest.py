"""Configuration files in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from config.load import Configuration, load
from config.problem import ConfigError, Problem

Write = Callable[[str], Path]
Load = Callable[..., Configuration]
Problems = Callable[..., tuple[Problem, ...]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration file; indentation common to all lines is dropped."""

    def write(text: str) -> Path:
        file = tmp_path / "understudy.yaml"
        file.write_text(dedent(text), encoding="utf-8")
        return file

    return write


@pytest.fixture
def loaded(write: Write) -> Load:
    """Load a configuration from its text."""

    def loaded(text: str, environ: Mapping[str, str] | None = None) -> Configuration:
        return load(write(text), environ or {})

    return loaded


@pytest.fixture
def problems(write: Write) -> Problems:
    """The problems of a configuration's text."""

    def problems(text: str, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as raised:
            load(write(text), environ or {})
        return raised.value.problems

    return problems
