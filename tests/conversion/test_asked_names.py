"""Names of tasks from the LLM: asked for with what a sketch tells, and done without where there are none."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from conversion.asked_names import AskedNames
from conversion.cluster.clustering import Sketch
from conversion.cluster.naming import task_id
from serving.endpoints.answer import Answer
from serving.endpoints.prompt import Prompt
from simulator.activity import Recorder
from simulator.app import create_app
from simulator.server import RunningServer
from simulator.settings import Settings

SKETCH = Sketch("label", "classify tickets of a shop", ("look",), "ticket", ("refund", "billing"))


class Says:
    """A model that always says the same."""

    def __init__(self) -> None:
        self.said = "Sort-Shop-Tickets"

    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        return Answer(self.said)


@pytest.fixture
def brain() -> Says:
    return Says()


@pytest.fixture
def app(brain: Says) -> Recorder:
    return create_app(brain, settings=Settings(models=("namer",), require_key="sk-owner"), keep=10)


@pytest.fixture
def url(app: Recorder) -> Iterator[str]:
    with RunningServer(app) as running:
        yield running.base_url


def test_a_task_bears_the_name_that_was_asked_for(app: Recorder, url: str) -> None:
    asked = AskedNames(url, "namer", pytest.fail, "sk-owner")
    assert task_id(SKETCH, (), asked) == "sort-shop-tickets"
    assert task_id(SKETCH, ("sort-shop-tickets",), asked) == "sort-shop-tickets-2"
    told = orjson.loads(app.seen[0].body)
    assert told["model"] == "namer"
    assert told["messages"][-1]["content"] == (
        "instructions: classify tickets of a shop\ntools that it calls: look\nschema of its answers: ticket\n"
        "its answers: refund, billing"
    )


@pytest.mark.parametrize("said", ["", "a name\nand why it is one", "x" * 200, "???"])
def test_what_is_no_name_leaves_the_plain_one(brain: Says, url: str, said: str) -> None:
    brain.said = said
    plain = task_id(SKETCH, ())
    assert task_id(SKETCH, (), AskedNames(url, "namer", pytest.fail, "sk-owner")) == plain


@pytest.mark.parametrize(("where", "key"), [("http://127.0.0.1:9/v1", ""), ("", "sk-wrong")])
def test_an_upstream_that_does_not_answer_is_told_once(url: str, where: str, key: str) -> None:
    notes: list[str] = []
    asked = AskedNames(where or url, "namer", notes.append, key)
    assert [asked(SKETCH), asked(SKETCH)] == ["", ""]
    [note] = notes
    assert note.startswith("namer could not be asked for names")
