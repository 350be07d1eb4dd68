"""What the documentation tells people to type is typed here: every block of code on every page is executed."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
import orjson
import pytest
from openai import OpenAI

from cli.processes import started
from config.load import load
from conversion.selection.catalogue import catalogue
from serving.endpoints.dialect import VllmDialect
from simulator.activity import Recorder
from simulator.agent import SupportDeskAgent
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings
from simulator.support_desk import SupportDesk
from simulator.tickets import tickets
from tests.docs.blocks import PAGES, ROOT, Block, blocks, commands
from tests.docs.reader import DEADLINE, NOT_RUN, Reader
from tests.outside import frameworks_python, kept_inside

FRAMEWORK = re.compile(
    r"^(?:from|import) (agents|anthropic|langchain_openai|litellm|pydantic_ai)\b", re.MULTILINE
)
FRAMEWORK_BLOCKS = [
    block
    for page in PAGES
    for block in blocks(page)
    if block.language == "python" and FRAMEWORK.search(block.text)
]
_CONFIGURATION = """\
version: 1
server: {{port: 0}}
upstreams:
  anthropic: {{base_url: "{llm}", models: ["claude-*"]}}
  openai: {{base_url: "{llm}", api_key_env: OPENAI_API_KEY}}
engines:
  gpu0: {{kind: vllm, base_url: "{slm}"}}
"""
_AGENT = """\
from openai import OpenAI

OpenAI().chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}])
"""


@dataclass(frozen=True)
class House:
    """A proxy that has worked, with what is behind it."""

    folder: Path
    proxy: str
    slm: str
    llm: Recorder


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("docs")
    llm = create_app(SupportDesk(noise=0.0), settings=Settings(models=("*",)), keep=16)
    slm = create_app(
        SupportDesk(noise=0.0), settings=Settings(models=("extract-0.6b",), dialect=VllmDialect()), keep=1
    )
    with ExitStack() as stack:
        upstream = stack.enter_context(RunningServer(llm))
        engine = stack.enter_context(RunningServer(slm))
        file = folder / "understudy.yaml"
        file.write_text(_CONFIGURATION.format(llm=upstream.base_url, slm=engine.base_url))
        proxy = stack.enter_context(started(["serve", "--config", str(file)], folder / "proxy.log"))
        client = OpenAI(base_url=f"{proxy.url}/v1", api_key="sk-docs", max_retries=0)
        made = sum(SupportDeskAgent(client).work(ticket.text).calls for ticket in tickets(2, seed=3))
        _settled(proxy.url, made)
        yield House(folder, proxy.url, engine.url, llm)


def _settled(url: str, calls: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while httpx2.get(f"{url}/stats", timeout=30).json()["calls"] != calls:
        assert time.monotonic() < deadline, "the calls did not reach the database"


@pytest.fixture
def reader(house: House, tmp_path: Path) -> Iterator[Reader]:
    """A reader in a copy of the folder in which the proxy works."""
    shutil.copy(house.folder / "understudy.yaml", tmp_path)
    (tmp_path / ".understudy").mkdir(mode=0o700)
    shutil.copy(house.folder / ".understudy" / "keys", tmp_path / ".understudy")
    with (
        closing(sqlite3.connect(house.folder / "understudy.db")) as log,
        closing(sqlite3.connect(tmp_path / "understudy.db")) as copy,
    ):
        log.backup(copy)
    (tmp_path / "your_agent.py").write_text(_AGENT)
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    (tmp_path / "calls.jsonl").write_bytes(orjson.dumps(_RECORDED) + b"\n")
    replaced = {
        "http://127.0.0.1:8400": house.proxy,
        "http://127.0.0.1:8000": house.slm,
        ".venv/bin/understudy": "understudy",
        "/srv/understudy": str(tmp_path),
        "--port 8500": "--port 0",
    }
    with kept_inside() as environment:
        yield Reader(
            tmp_path, {**environment, **_surroundings(tmp_path)}, replaced, lambda: house.llm.counts.started
        )


_RECORDED = {
    "request": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello."}]},
    "response": {"role": "assistant", "content": "Hello."},
}


def _surroundings(folder: Path) -> Mapping[str, str]:
    bins = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    keys = {"OPENAI_API_KEY": "sk-docs", "ANTHROPIC_API_KEY": "sk-docs"}
    return {
        **keys,
        "PATH": bins,
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "ROOT": str(ROOT),
        "COLUMNS": "140",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_says(page: Path, reader: Reader) -> None:
    for block in blocks(page):
        if block not in FRAMEWORK_BLOCKS:
            execute(block, reader)


def execute(block: Block, reader: Reader) -> None:
    """Execute one block as what it is."""
    match block.language:
        case "console" | "sh" | "crontab":
            for command in commands(block):
                reader.type(command, block.place)
        case "python":
            reader.python(block)
        case "yaml":
            _configure(block, reader)
        case "json":
            orjson.loads(block.text)
        case "text":
            assert not re.search(r"^\s*(\$|understudy|curl|make|pip) ", block.text, re.MULTILINE), (
                f"{block.place}: a command in a block that nothing executes"
            )
        case _:
            pytest.fail(f"{block.place}: a block of {block.language!r}, which nothing executes")
    if block.title:
        reader.save(block)


def _configure(block: Block, reader: Reader) -> None:
    """Load a configuration, or a catalogue of models, as the product does."""
    assert block.title, f'{block.place}: say which file this is: ```yaml title="understudy.yaml"'
    reader.save(block)
    file = reader.folder / block.title
    if block.title == "models.yaml":
        assert catalogue(file)
    else:
        assert load(file, reader.environment).settings.version == 1


@pytest.mark.clients
@pytest.mark.parametrize("block", FRAMEWORK_BLOCKS, ids=lambda block: block.place)
def test_what_is_shown_for_a_framework_works(block: Block, reader: Reader) -> None:
    reader.python(block, frameworks_python())


def test_nothing_is_excused_that_is_not_there() -> None:
    typed = [
        command.typed
        for page in PAGES
        for block in blocks(page)
        if block.language in ("console", "sh")
        for command in commands(block)
    ]
    assert not [beginning for beginning in NOT_RUN if not any(one.startswith(beginning) for one in typed)]
