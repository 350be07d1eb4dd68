"""A stage for each test, ended whatever happens, and a seed that is printed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.load import AGENT_KEY, PHRASE
from tests.chaos.stage import UPSTREAM_KEY, Stage, upstream


@pytest.fixture(scope="session")
def upstream_url() -> Iterator[str]:
    """Base URL of the simulated LLM."""
    with upstream() as url:
        yield url


@pytest.fixture
def stage(tmp_path: Path, upstream_url: str) -> Iterator[Stage]:
    """A deployment on SQLite that has not been started; whatever happens to it, its log holds no content and no key."""
    prepared = Stage(tmp_path, upstream_url)
    yield prepared
    prepared.end()
    said = prepared.said()
    assert not [secret for secret in (PHRASE, AGENT_KEY, UPSTREAM_KEY) if secret in said]


@pytest.fixture
def seed() -> int:
    """The seed of everything random in a test: UNDERSTUDY_CHAOS_SEED, else a new one; printed."""
    chosen = int(os.environ.get("UNDERSTUDY_CHAOS_SEED") or random.randrange(10**6))
    print(f"UNDERSTUDY_CHAOS_SEED={chosen}")
    return chosen
