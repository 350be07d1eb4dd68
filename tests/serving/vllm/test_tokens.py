"""A call becomes the same tokens in training as in vLLM, whatever its messages hold; where it would not, nothing is trained."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from conversion.candidate import TrainingError
from conversion.finetune.base_model import BaseModel, bases
from conversion.finetune.candidate import TunedCandidate
from conversion.finetune.rendering import Rendering
from conversion.finetune.template import rendering_for
from serving.vllm.client import VllmClient
from simulator.desk.prompts import SYSTEM, TOOLS
from tests.conversion.finetune.conftest import actions, data_of, extractions
from tests.serving.vllm.conftest import free_port

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

_USER = {"role": "user", "content": "Where is ORD-12345?"}
_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "lookup_order", "arguments": '{"order_id": "ORD-12345"}'},
}
_RESULT = {"role": "tool", "tool_call_id": "call_1", "content": '{"state": "shipped"}'}
CALLS: dict[str, dict[str, Any]] = {
    "one message": {"messages": [_USER]},
    "instructions": {"messages": [{"role": "system", "content": SYSTEM["extract"]}, _USER]},
    "empty instructions": {"messages": [{"role": "system", "content": ""}, _USER]},
    "tools": {"messages": [{"role": "system", "content": SYSTEM["act"]}, _USER], "tools": list(TOOLS)},
    "a strict tool": {
        "messages": [_USER],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}, "strict": True}}],
    },
    "a tool without parameters": {"messages": [_USER], "tools": [{"type": "function", "function": {"name": "look"}}]},
    "a tool that was called": {
        "messages": [_USER, {"role": "assistant", "content": None, "tool_calls": [_CALL]}, _RESULT],
        "tools": list(TOOLS),
    },
    "a call without arguments": {
        "messages": [
            _USER,
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": ""}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "done"},
        ],
        "tools": list(TOOLS),
    },
    "parts of text": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Where is it?"}, {"type": "text", "text": "Soon."}]}
        ]
    },
    "names": {"messages": [{**_USER, "name": "Anna"}]},
    "a conversation": {"messages": [_USER, {"role": "assistant", "content": "On its way."}, _USER]},
    "other writing": {"messages": [{"role": "user", "content": "Où est «ça»? 我的订单 🚚\t\n  <|end|>"}]},
    "space around": {"messages": [{"role": "user", "content": "  \n Where?  \n"}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base)


@pytest.fixture
def served(server: VllmClient, base: Path) -> BaseModel:
    """The base as a conversion finds it."""
    found, missing = bases({"gpu": [server]})
    assert not missing
    [model] = found
    assert (model.name, model.folder, model.engine, model.served_as) == ("base", str(base), "gpu", "base")
    return model


@pytest.mark.parametrize("call", CALLS)
def test_vllm_makes_the_same_tokens(call: str, server: VllmClient, tokenizer: Any) -> None:
    ours = list(Rendering(tokenizer).tokens(CALLS[call]))
    assert ours == list(server.tokens({**CALLS[call], "model": "base"}))


def test_calls_of_the_log_are_compared_before_training(served: BaseModel, tokenizer: Any) -> None:
    for examples in (extractions(20), actions(20)):
        assert rendering_for(served, tokenizer, examples).tokens(examples[0].request)


def test_another_template_is_refused_before_anything_is_trained(
    served: BaseModel, base: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(base, other)
    template = other / "chat_template.jinja"
    template.write_text("Be brief. " + template.read_text())
    candidate = TunedCandidate(replace(served, folder=str(other)))
    with pytest.raises(
        TrainingError, match=r"makes other tokens than the chat template in .* of 8 of 8 calls"
    ):
        candidate.train(data_of(extractions(36)), tmp_path / "work", lambda done, of: None)
    assert not (tmp_path / "work").exists()


def test_options_that_the_server_does_not_have_are_left_out(
    served: BaseModel, base: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(base, other)
    template = other / "chat_template.jinja"
    template.write_text("{% if quiet %}Say little. {% endif %}" + template.read_text())
    tokenizer: Any = AutoTokenizer.from_pretrained(other)
    examples = extractions(8)
    found = rendering_for(replace(served, chat_template_kwargs={"quiet": True}), tokenizer, examples)
    assert not found.prompt(examples[0].request).startswith("Say little.")


def test_a_server_that_is_away_is_told(base: Path, tokenizer: Any, caplog: pytest.LogCaptureFixture) -> None:
    with VllmClient(f"http://127.0.0.1:{free_port()}") as gone, caplog.at_level(logging.WARNING):
        rendering_for(BaseModel("base", str(base), servers=(gone,)), tokenizer, extractions(4))
    assert "is not compared with vLLM's" in caplog.text
