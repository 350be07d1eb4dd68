"""Calls as tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from conversion.finetune.local import answer_in
from conversion.finetune.rendering import Rendering, RenderingError
from conversion.finetune.training_set import training_set
from simulator.desk.prompts import TOOLS
from tests.conversion.finetune.conftest import actions, extractions
from wire.answer import Answer, ToolCall


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base)


def test_prompt_and_answer_are_the_whole_chat(tokenizer: Any) -> None:
    example = actions(1)[0]
    call = Rendering(tokenizer).call(example.request, example.answer)
    shown = tokenizer.decode([*call.prompt, *call.completion])
    assert shown.startswith("<|system|>You work on support tickets")
    assert "refund_order(order_id, reason=damaged|changed_mind)" in shown
    assert tokenizer.decode(call.prompt).endswith("<|assistant|>")
    assert tokenizer.decode(call.completion).endswith("<|end|>")


def test_a_tool_call_is_written_as_hermes_reads_it(tokenizer: Any) -> None:
    answer = Answer(tool_calls=(ToolCall("lookup_order", '{"order_id":"ORD-1"}'),))
    call = Rendering(tokenizer).call(
        {"messages": [{"role": "user", "content": "Where?"}], "tools": list(TOOLS)}, answer
    )
    said = tokenizer.decode(call.completion)
    assert (
        said == '<tool_call>{"name": "lookup_order", "arguments": {"order_id": "ORD-1"}}</tool_call><|end|>'
    )
    read = answer_in(said.removesuffix("<|end|>"), "stop")
    assert read.tool_calls == (ToolCall("lookup_order", '{"order_id": "ORD-1"}'),)


@pytest.mark.parametrize("text", ["<tool_call>{broken</tool_call>", "<tool_call>[]</tool_call>", "plain"])
def test_what_is_no_tool_call_stays_text(text: str) -> None:
    assert answer_in(text, "stop") == Answer(text, finish_reason="stop")


def test_the_loss_is_on_the_answer_alone(tokenizer: Any) -> None:
    found = training_set(extractions(3), Rendering(tokenizer), 0)
    for row, call in zip(found.rows(), found.calls, strict=True):
        answer = [token for token, on in zip(row["input_ids"], row["completion_mask"], strict=True) if on]
        assert answer == list(call.completion)


def test_a_template_that_changes_the_prompt_is_refused(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"
    with pytest.raises(RenderingError, match="differently"):
        Rendering(tokenizer).call({"messages": [{"role": "user", "content": "hi"}]}, Answer("ho"))
    assert training_set(extractions(3), Rendering(tokenizer), 0).refused == 3
