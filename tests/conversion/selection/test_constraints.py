"""Hard constraints: what calls need is read from the calls, and every reason against a model is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from conversion.selection.catalogue import catalogue
from conversion.selection.constraints import Constraints, excluded, sift
from conversion.selection.model import SmallModel
from conversion.selection.needs import Needs
from conversion.task import Task, TaskData
from tests.conversion.selection.conftest import example

PLAIN = SmallModel("plain", "hub/plain", 1.0, "apache-2.0", 8192, languages=("en",))


def _data(*requests: dict[str, Any]) -> TaskData:
    task = Task("t", "t", "label", calls=len(requests), share=1.0)
    calls = tuple(example(number, request=request) for number, request in enumerate(requests))
    return TaskData(task, calls, (), ())


def _asks(**members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hello"}], **members}


def test_needs_are_read_from_the_calls() -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
    picture = [{"type": "image_url", "image_url": {"url": "data:"}}]
    schema = {"type": "json_schema", "json_schema": {"schema": {}}}
    needs = Needs.of(
        _data(
            _asks(tools=[tool]),
            _asks(response_format=schema),
            {"messages": [{"role": "user", "content": picture}]},
        )
    )
    assert (needs.tools, needs.json_schema, needs.images) == (True, True, True)
    assert needs.sentence.endswith("tokens of context, tool calls, a JSON schema, images")


def test_one_call_in_a_hundred_may_be_longer_than_the_context() -> None:
    long = _asks(extra="x" * 90_000)
    usual = [_asks()] * 199
    assert Needs.of(_data(*usual, long)).context < 200
    assert Needs.of(_data(*usual[:50], long)).context > 30_000


def test_a_task_without_examples_has_no_needs() -> None:
    with pytest.raises(ValueError, match="'t' has no examples"):
        Needs.of(_data())


@pytest.mark.parametrize(
    ("needs", "constraints", "told"),
    [
        (Needs(9000), Constraints(), "its context is 8,192 tokens and the task's calls need 9,000"),
        (Needs(1, tools=True), Constraints(), "vLLM has no parser for its tool calls"),
        (Needs(1, images=True), Constraints(), "the calls hold images"),
        (Needs(1), Constraints(languages=("de",)), "in 'de', and its card does not list it"),
        (Needs(1), Constraints(licences=("mit", "llama*")), "licence 'apache-2.0' is not among mit, llama*"),
        (Needs(1), Constraints(memory_gib=2), "it needs 3.4 GiB in bf16 for 8 calls of 1 tokens, and 1.8 of 2 GiB"),
    ],
)  # fmt: skip
def test_each_constraint_tells_its_reason(needs: Needs, constraints: Constraints, told: str) -> None:
    (reason,) = excluded(PLAIN, needs, constraints)
    assert told in reason


def test_every_reason_is_told_at_once() -> None:
    unschooled = msgspec.structs.replace(PLAIN, json_schema=False, languages=None)
    needs = Needs(9000, tools=True, json_schema=True, images=True)
    limits = Constraints(memory_gib=1, licences=(), languages=("en",))
    assert len(list(excluded(unschooled, needs, limits))) == 7


def test_what_fits_comes_smallest_first() -> None:
    limits = Constraints(memory_gib=16, licences=("apache-2.0", "mit"), languages=("fr",))
    sifted = sift(list(catalogue().values()), Needs(6000, tools=True), limits)
    sizes = [model.parameters for model in sifted.fit]
    assert sizes == sorted(sizes)
    assert "qwen3-0.6b" in {model.name for model in sifted.fit}
    assert "licence 'cc-by-nc-4.0'" in " ".join(sifted.out["xlam-2-1b"])
    assert "GiB" in " ".join(sifted.out["qwen3-8b"])
    assert len(sifted.fit) + len(sifted.out) == len(catalogue())
