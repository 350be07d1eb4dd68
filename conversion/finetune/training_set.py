"""What a model is tuned on: calls as tokens, the answer's marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conversion.example import Example
from conversion.finetune.rendering import Rendered, Rendering, RenderingError


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rendered calls, and how many were left out."""

    calls: Sequence[Rendered]
    too_long: int = 0
    """Calls that do not fit into the context; none is cut."""
    refused: int = 0
    """Calls that the chat template does not show."""

    @property
    def longest(self) -> int:
        """Tokens of the longest call."""
        return max((len(call.prompt) + len(call.completion) for call in self.calls), default=0)

    def rows(self) -> list[dict[str, list[int]]]:
        """As TRL takes them: all tokens, and which of them the loss is on."""
        return [
            {
                "input_ids": [*call.prompt, *call.completion],
                "completion_mask": [0] * len(call.prompt) + [1] * len(call.completion),
            }
            for call in self.calls
        ]


def training_set(examples: Iterable[Example], rendering: Rendering, context: int) -> TrainingSet:
    """Render the examples that fit into a context; 0 takes them all."""
    calls, too_long, refused = [], 0, 0
    for example in examples:
        try:
            call = rendering.call(example.request, example.answer)
        except RenderingError:
            refused += 1
            continue
        if context and len(call.prompt) + len(call.completion) > context:
            too_long += 1
        else:
            calls.append(call)
    return TrainingSet(calls, too_long, refused)
