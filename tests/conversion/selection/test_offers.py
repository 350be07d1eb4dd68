"""What is tried for a task: every model that an engine serves, in every way that is wanted, unless a constraint bars it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from conversion.finetune.base_model import BaseModel
from conversion.finetune.candidate import TunedCandidate
from conversion.finetune.training import Schedule
from conversion.selection.catalogue import catalogue
from conversion.selection.constraints import Constraints
from conversion.selection.offers import Offers, Served
from conversion.selection.served import ServedModel
from conversion.task import Task, TaskData
from router.gate.scorers.by_kind import Kind
from tests.conversion.selection.conftest import example
from wire.answer import Answer

QWEN = BaseModel("qwen3-0.6b", "Qwen/Qwen3-0.6B", 4096, engine="gpu0", served_as="qwen3-0.6b")
OWN = BaseModel("mine", "/models/mine", 1024, engine="gpu1", served_as="mine")


def _served(base: BaseModel, **fields: Any) -> Served:
    return Served(base, ServedModel("http://127.0.0.1:8000/v1", base.served_as), **fields)


def _data(
    kind: Kind = "json", answers: tuple[str, ...] = (), text: str = '{"a": 1}', long: int = 0
) -> TaskData:
    task = Task("t", "t", kind, calls=60, share=0.5, answers=answers)
    messages = [{"role": "user", "content": "fill in" + " please" * long}]
    calls = [example(number, request={"messages": messages}, answer=Answer(text)) for number in range(60)]
    return TaskData(task, tuple(calls[:30]), tuple(calls[30:40]), tuple(calls[40:]))


def _names(offers: Offers, data: TaskData) -> Sequence[tuple[str, bool, str, str]]:
    return [
        (each.candidate.name, each.servable, each.engine, each.serves) for each in offers.contenders(data)
    ]


def test_each_served_model_is_tried_in_three_ways_on_its_own_engine() -> None:
    offers = Offers([_served(QWEN), _served(OWN)], catalogue())
    assert _names(offers, _data()) == [
        ("zero-shot/qwen3-0.6b", True, "gpu0", "qwen3-0.6b"),
        ("few-shot/qwen3-0.6b", False, "gpu0", ""),
        ("lora/qwen3-0.6b", True, "gpu0", ""),
        ("zero-shot/mine", True, "gpu1", "mine"),
        ("few-shot/mine", False, "gpu1", ""),
        ("lora/mine", True, "gpu1", ""),
    ]
    assert not any(each.barred for each in offers.contenders(_data()))


def test_only_what_is_wanted_is_tried() -> None:
    offers = Offers([_served(OWN)], trials=("fine-tuned",))
    assert [name for name, *_ in _names(offers, _data())] == ["lora/mine"]
    assert [name for name, *_ in _names(Offers([Served(OWN)]), _data())] == ["lora/mine"]  # nobody answers


def test_it_is_tuned_as_is_wanted() -> None:
    offers = Offers([Served(OWN)], method="full", schedule=Schedule(rank=64))
    (tuned,) = [each.candidate for each in offers.contenders(_data())]
    assert isinstance(tuned, TunedCandidate)
    assert (tuned.name, tuned.schedule.rank) == ("full/mine", 64)


@pytest.mark.parametrize(
    ("data", "constraints", "reason"),
    [
        (_data("label", ("a", "b"), "a"), Constraints(), "closed set"),
        (_data("text", text="x" * 800), Constraints(), "open-ended work"),
        (_data(long=3000), Constraints(), "its context is 4,096 tokens"),
        (_data(), Constraints(licences=("mit",)), "its licence 'apache-2.0' is not among mit"),
        (_data(), Constraints(languages=("xx",), memory_gib=0.1), "the calls are in 'xx'"),
    ],
    ids=["labels", "open-ended", "too long", "licence", "language"],
)
def test_what_rules_a_model_out_is_said(data: TaskData, constraints: Constraints, reason: str) -> None:
    models = catalogue()
    if "languages" in repr(constraints) and constraints.languages:
        known = models["qwen3-0.6b"]
        values = {name: getattr(known, name) for name in known.__struct_fields__} | {"languages": ("en",)}
        models = {"qwen3-0.6b": type(known)(**values)}
    contenders = Offers([_served(QWEN)], models, constraints).contenders(data)
    assert contenders
    for each in contenders:
        assert reason in each.unsuited(data)
        assert "GiB" not in each.unsuited(data)  # it runs, so there is room for it


def test_a_model_that_is_not_in_the_catalogue_is_known_by_its_server_alone() -> None:
    contenders = Offers([_served(OWN)], catalogue(), Constraints(licences=("mit",))).contenders(
        _data(long=3000)
    )
    assert not any(each.barred for each in contenders)


def test_a_host_is_paid_for_what_it_does() -> None:
    def price(served: Served) -> float:
        return Offers([served]).contenders(_data())[-1].candidate.dollars_per_million

    assert price(_served(OWN)) == OWN.dollars_per_million
    alone, shared = (
        price(_served(OWN, dollars_per_hour=1.0)),
        price(_served(OWN, dollars_per_hour=1.0, others=1e6)),
    )
    assert alone == pytest.approx(5.9 / (60 * 100) * 1e6)  # 60 calls of 100 tokens in 5.9 hours
    assert shared < 1.01
    assert price(_served(OWN, dollars_per_hour=0.0)) == 0.0
    silent = replace(
        _data(), training=tuple(replace(each, input_tokens=0, output_tokens=0) for each in _data().training)
    )
    assert Offers([_served(OWN, dollars_per_hour=1.0)]).contenders(silent)


def test_the_catalogue_is_sifted_by_memory_too() -> None:
    sifted = Offers((), catalogue(), Constraints(memory_gib=4.0)).sifted(_data())
    assert "qwen3-0.6b" in [model.name for model in sifted.fit]
    assert any("GiB" in reason for reason in sifted.out["qwen3-8b"])
