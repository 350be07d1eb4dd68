"""Candidates that are not trained, asked over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from conversion.candidate import TrainingError
from conversion.example import Example
from conversion.selection.prompted import FILE_NAME, FewShot, ZeroShot
from conversion.selection.served import ServedModel
from conversion.selection.shots import choose, shown, usable
from conversion.task import TaskData
from simulator.activity import Recorder
from simulator.server import RunningServer
from tests.conversion.selection.conftest import WORDS, example
from wire.answer import Answer, ToolCall


def _nothing(done: int, whole: int) -> None:
    """Progress that nobody watches."""


def test_zero_shot_sends_the_call_with_its_model_only(
    data: TaskData, served: ServedModel, engine_app: Recorder, tmp_path: Path
) -> None:
    candidate = ZeroShot("tiny", served)
    (attempt,) = candidate.train(data, tmp_path / "zero", _nothing).answer(data.held_out[:1])
    assert attempt.answer is not None
    assert attempt.answer.text == "I think that this is about refund."
    assert attempt.tokens > 0
    asked = orjson.loads(engine_app.seen[-1].body)
    assert asked["messages"] == data.held_out[0].request["messages"]
    assert asked["model"] == "tiny"
    assert asked["chat_template_kwargs"] == {"enable_thinking": False}
    assert "stream" not in asked
    assert asked["logprobs"] is True
    assert attempt.confidence == pytest.approx(0.99, abs=1e-3)  # as the simulated engine has every token
    assert asked["max_tokens"] == 2 * 10 + 64  # twice what the LLM needed, and some room


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({}, {"max_tokens": 84}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 500}, {"max_tokens": 84}),
        ({"max_completion_tokens": 500}, {"max_tokens": 84}),
        ({"max_completion_tokens": 50}, {"max_completion_tokens": 50}),
    ],
)
def test_an_answer_that_cannot_agree_any_more_is_broken_off(
    served: ServedModel, engine_app: Recorder, asked: dict[str, int], sent: dict[str, int]
) -> None:
    request = {"messages": [{"role": "user", "content": "Ticket 1 asks for refund"}], **asked}
    served.ask([("chat.completions", request)], 84)
    seen = orjson.loads(engine_app.seen[-1].body)
    assert {name: value for name, value in seen.items() if name.startswith("max_")} == sent


def test_few_shot_shows_each_answer_before_the_last_question(
    data: TaskData, served: ServedModel, engine_app: Recorder, tmp_path: Path
) -> None:
    candidate = FewShot("tiny", served, count=3)
    assert candidate.unsuited(data) == ""
    trained = candidate.train(data, tmp_path, _nothing)
    attempts = trained.answer(data.held_out[:6])
    assert [attempt.answer.text for attempt in attempts if attempt.answer] == [*WORDS, *WORDS]
    roles = [message["role"] for message in orjson.loads(engine_app.seen[-1].body)["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user", "assistant", "user"]
    kept = orjson.loads((tmp_path / FILE_NAME).read_bytes())
    assert set(kept["shots"]) == {"call-87", "call-88", "call-89"}
    assert b"Ticket" not in (tmp_path / FILE_NAME).read_bytes()


def test_the_commonest_answers_are_shown_first() -> None:
    answers = ["a", "b", "a", "c", "a", "b"]
    calls = [example(number, answer=Answer(text)) for number, text in enumerate(answers)]
    assert [shot.answer.text for shot in choose(calls, 4)] == ["a", "b", "c", "a"]
    assert [shot.call_id for shot in choose(calls, 2)] == ["call-4", "call-5"]
    assert len(choose(calls, 99)) == 6


def test_a_tool_call_is_shown_with_a_result() -> None:
    call = Answer(tool_calls=(ToolCall("look", '{"id":1}'),), finish_reason="tool_calls")
    shot, asked = example(0, answer=call), example(1)
    messages = shown(asked.request, asked, [shot])["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "user"]
    assert messages[3]["tool_call_id"] == messages[2]["tool_calls"][0]["id"]


@pytest.mark.parametrize(
    ("changed", "can"),
    [
        ({}, True),
        ({"endpoint": "completions", "request": {"prompt": "hello"}}, False),
        ({"endpoint": "responses", "request": {"input": "hello"}}, True),
        ({"endpoint": "responses", "request": {"input": "hello"},
          "answer": Answer(tool_calls=(ToolCall("look", "{}"),))}, False),
        ({"request": {"messages": [{"role": "tool", "content": "found"}]}}, False),
        ({"answer": Answer()}, False),
    ],
)  # fmt: skip
def test_only_a_question_and_its_answer_can_be_shown(changed: dict[str, Any], can: bool) -> None:
    assert usable(example(0, **changed)) is can


def test_a_responses_text_becomes_a_list() -> None:
    call: Example = example(0, endpoint="responses", request={"input": "hello"})
    assert [turn["role"] for turn in shown(call.request, call, [call])["input"]] == [
        "user",
        "assistant",
        "user",
    ]


def test_nothing_to_show_is_unsuited(data: TaskData, served: ServedModel) -> None:
    bare = TaskData(data.task, (example(0, answer=Answer()),), (), data.held_out)
    assert "none can be shown" in FewShot("tiny", served).unsuited(bare)


def test_what_tells_no_probabilities_is_answered_only_without_a_threshold(
    served: ServedModel, engine_app: Recorder
) -> None:
    """As the proxy has it: it takes such an answer where no threshold is set, and declines it where one is."""
    text = "Ticket 1 asks for refund"
    (attempt,) = served.ask([("responses", {"input": text})])
    assert (attempt.answer is not None, attempt.confidence) == (True, 0.0)
    assert "logprobs" not in orjson.loads(engine_app.seen[-1].body)
    (attempt,) = served.ask([("completions", {"prompt": text})])
    assert attempt.confidence == pytest.approx(0.99, abs=1e-3)
    assert orjson.loads(engine_app.seen[-1].body)["logprobs"] == 0


def test_what_the_engine_refuses_is_no_answer(served: ServedModel) -> None:
    refused, image = served.ask([("chat.completions", {"messages": "no"}), ("other", {})])
    assert refused.answer is None
    assert image.answer is None


def test_a_model_that_is_not_served_is_told(engine: RunningServer, data: TaskData, tmp_path: Path) -> None:
    candidate = ZeroShot("huge", ServedModel(engine.base_url, "huge"))
    with pytest.raises(TrainingError, match="serves tiny, not 'huge'"):
        candidate.train(data, tmp_path, _nothing)


def test_an_engine_that_is_away_is_told(data: TaskData, tmp_path: Path) -> None:
    candidate = ZeroShot("tiny", ServedModel("http://127.0.0.1:9/v1", "tiny", timeout=2))
    with pytest.raises(TrainingError, match=r"127\.0\.0\.1:9/v1 does not list its models"):
        candidate.train(data, tmp_path, _nothing)


def test_a_bare_model_can_be_loaded_again(data: TaskData, served: ServedModel, tmp_path: Path) -> None:
    zero, few = ZeroShot("tiny", served), FewShot("tiny", served)
    trained = zero.train(data, tmp_path / "zero", _nothing)
    assert zero.load(tmp_path / "zero") == trained
    few.train(data, tmp_path / "few", _nothing)
    with pytest.raises(TrainingError, match="holds a trial of 'tiny', not zero-shot/tiny"):
        zero.load(tmp_path / "few")
    with pytest.raises(TrainingError, match="cannot be loaded"):
        few.load(tmp_path / "few")
    with pytest.raises(TrainingError, match=r"prompt\.json cannot be read"):
        zero.load(tmp_path / "gone")
