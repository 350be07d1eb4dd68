"""Settings handed to processes that start later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.in_force import InForce
from config.load import Configuration, load

ENVIRON = {"DATABASE_PASSWORD": "geheim"}
TEXT = """\
version: 1
upstreams: {llm: {base_url: "http://127.0.0.1:9/v1", models: ["gpt-*", "/^o[134]/"]}}
engines: {gpu0: {kind: vllm, base_url: "http://127.0.0.1:9/v1"}}
slms: {small: {engine: gpu0, model: small, timeout: 5s}}
store: {url: "postgresql://agent:${DATABASE_PASSWORD}@db/understudy", retain: 30d}
rules:
  - {name: first, when: {model: "gpt-4o*", tokens: "<2000"}, route: small, share: 25%, timeout: 2s}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "understudy.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def configuration(file: Path) -> Configuration:
    return load(file, ENVIRON)


@pytest.fixture
def in_force(configuration: Configuration) -> Iterator[InForce]:
    created = InForce.create(configuration)
    yield created
    os.close(created.fd)


def test_it_comes_back_as_it_was(in_force: InForce, configuration: Configuration, file: Path) -> None:
    taken = in_force.take(file, ENVIRON)
    assert taken is not None
    assert (taken.version, taken.settings, taken.path) == (
        configuration.version,
        configuration.settings,
        configuration.path,
    )


def test_the_last_one_counts(in_force: InForce, file: Path) -> None:
    file.write_text("version: 1\nrules: []\n")
    shorter = load(file, ENVIRON)
    in_force.put(shorter)
    taken = in_force.take(file, ENVIRON)
    assert taken is not None
    assert taken.version == shorter.version


def test_a_writer_killed_in_the_middle(in_force: InForce, file: Path) -> None:
    os.ftruncate(in_force.fd, os.fstat(in_force.fd).st_size - 1)
    assert in_force.take(file, ENVIRON) is None


def test_it_has_no_name(in_force: InForce) -> None:
    assert os.fstat(in_force.fd).st_nlink == 0
