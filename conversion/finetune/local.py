"""Answers of a tuned model by transformers, for where no server of its base is at hand: slower, and not bound to schemas.

So its confidence is at most the one that vLLM tells of the same tokens where a schema binds them: there what the grammar
rules out is gone before the probabilities are taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from conversion.candidate import Attempted, TrainingError
from conversion.example import Example
from conversion.finetune.rendering import Rendering, RenderingError
from conversion.finetune.training import load_model, load_tokenizer
from wire.answer import Answer, ToolCall

_BATCH: Final = 16
_MOST_TOKENS: Final = 1024
_TOOL_CALL: Final = re.compile(r"<tool_call>(.*?)(?:</tool_call>|$)", re.DOTALL)


class LocalAnswers:
    """Generates greedily with a tuned model; tool calls are read as vLLM's `hermes` parser reads them."""

    def __init__(self, base: str, files: Path, options: Mapping[str, Any] | None) -> None:
        self._tokenizer = load_tokenizer(base)
        self._rendering = Rendering(self._tokenizer, options)
        self._model = _tuned(base, files)

    def answer(self, examples: Sequence[Example]) -> Sequence[Attempted]:
        """Answers in order; what the chat template refuses is no answer."""
        found: dict[int, Attempted] = {}
        for batch in self._batches(examples):
            for (place, _, _), attempted in zip(batch, self._generated(batch), strict=True):
                found[place] = attempted
        return [found.get(place, Attempted(None)) for place in range(len(examples))]

    def _batches(self, examples: Sequence[Example]) -> Iterator[Sequence[tuple[int, Sequence[int], int]]]:
        """Place, prompt and token limit of each example, alike in length."""
        prompts = []
        for place, example in enumerate(examples):
            try:
                prompts.append((place, self._rendering.tokens(example.request), _limit(example.request)))
            except RenderingError:
                continue
        prompts.sort(key=lambda each: len(each[1]))
        for start in range(0, len(prompts), _BATCH):
            yield prompts[start : start + _BATCH]

    def _generated(self, batch: Sequence[tuple[int, Sequence[int], int]]) -> Iterator[Attempted]:
        import torch  # noqa: PLC0415  (an extra)

        tokenizer: Any = self._tokenizer
        width = max(len(prompt) for _, prompt, _ in batch)
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        rows = [[pad] * (width - len(prompt)) + list(prompt) for _, prompt, _ in batch]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for _, prompt, _ in batch]
        watched = _Probabilities()
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=torch.tensor(rows, device=self._model.device),
                attention_mask=torch.tensor(mask, device=self._model.device),
                max_new_tokens=max(limit for _, _, limit in batch),
                do_sample=False,
                pad_token_id=pad,
                logits_processor=[watched],
            )
        told = torch.stack(watched.steps, dim=1).tolist()
        for (_, prompt, limit), row, sure in zip(batch, output.tolist(), told, strict=True):
            yield _attempted(tokenizer, row[width:][:limit], sure, len(prompt))


class _Probabilities:
    """Stands in generation where the scores of each step pass, and keeps one number a row: the probability of the
    likeliest token, which greedy decoding says."""

    def __init__(self) -> None:
        self.steps: list[Any] = []
        """Tensors of (batch,), one a step."""

    def __call__(self, said: Any, scores: Any) -> Any:
        """Take note of scores of (batch, vocabulary), and hand them on."""
        exact = scores.float()
        self.steps.append((exact.amax(-1) - exact.logsumexp(-1)).exp().cpu())
        return scores


def _attempted(tokenizer: Any, said: Sequence[int], sure: Sequence[float], prompt: int) -> Attempted:
    """`sure` has the probability of each token said; the one that ends the turn counts, the padding after it does not."""
    ends = {tokenizer.eos_token_id, tokenizer.pad_token_id}
    length = next((place for place, token in enumerate(said) if token in ends), len(said))
    text = tokenizer.decode(said[:length], skip_special_tokens=True)
    finish = "stop" if length < len(said) else "length"
    told = min(length + 1, len(said))  # the end of its turn is a token too, as vLLM counts
    return Attempted(answer_in(text, finish), min(sure[:told]), prompt + told)


def answer_in(text: str, finish: str) -> Answer:
    """What a model said, its tool calls told apart from its text; broken tool calls stay text, as with vLLM."""
    try:
        parsed = [json.loads(found) for found in _TOOL_CALL.findall(text)]
        calls = tuple(
            ToolCall(each["name"], json.dumps(each["arguments"], ensure_ascii=False)) for each in parsed
        )
    except (ValueError, TypeError, KeyError):
        return Answer(text, finish_reason=finish)
    if not calls:
        return Answer(text, finish_reason=finish)
    return Answer(text.partition("<tool_call>")[0], calls, "tool_calls")


def _limit(request: Mapping[str, Any]) -> int:
    asked = request.get("max_completion_tokens") or request.get("max_tokens")
    return min(asked, _MOST_TOKENS) if isinstance(asked, int) and asked > 0 else _MOST_TOKENS


def _tuned(base: str, files: Path) -> Any:
    from peft import PeftModel  # noqa: PLC0415  (an extra)

    try:
        return PeftModel.from_pretrained(load_model(base), str(files)).eval()
    except (OSError, ValueError, KeyError) as error:
        said = str(error).partition("\n")[0][:200]
        raise TrainingError(f"{str(files)!r} is no adapter of {base!r}: {said}") from None
