"""What the calls of one task ask of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from conversion.example import Example
from conversion.task import TaskData
from wire import shape

_BYTES_PER_TOKEN: Final = 3
"""Fewer than the router's rough measure: a context that is too short fails calls."""
_COVERED: Final = 0.99
"""Share of calls whose length must fit; the router sends longer ones upstream."""
_HEADROOM: Final = 1.2


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model must be able to do for a task."""

    context: int
    """Tokens of prompt and answer that 99% of the calls stay under, with a fifth to spare."""
    tools: bool = False
    json_schema: bool = False
    images: bool = False

    @classmethod
    def of(cls, data: TaskData) -> Needs:
        """Read from all examples of a task; raises ValueError when there is none."""
        examples = (*data.training, *data.calibration, *data.held_out)
        if not examples:
            raise ValueError(f"task {data.task.id!r} has no examples; curate more of the log first")
        return cls(
            context=_context(examples),
            tools=any(shape.tool_names(each.endpoint, each.request) for each in examples),
            json_schema=any(
                shape.response_format_kind(each.endpoint, each.request) != "text" for each in examples
            ),
            images=any(shape.has_images(each.endpoint, each.request) for each in examples),
        )

    @property
    def sentence(self) -> str:
        """For people."""
        abilities = {"tool calls": self.tools, "a JSON schema": self.json_schema, "images": self.images}
        asked = [name for name, wanted in abilities.items() if wanted]
        return f"{self.context:,} tokens of context" + "".join(f", {name}" for name in asked)


def _context(examples: Sequence[Example]) -> int:
    lengths = sorted(map(_tokens, examples))
    place = min(len(lengths) - 1, math.ceil(_COVERED * len(lengths)) - 1)
    return math.ceil(lengths[place] * _HEADROOM)


def _tokens(example: Example) -> int:
    """As the provider counted them, or estimated: tokenizers differ by less than the headroom."""
    counted = example.input_tokens + example.output_tokens
    written = len(example.answer.text) + sum(len(call.arguments) for call in example.answer.tool_calls)
    return max(counted, (len(orjson.dumps(example.request)) + written) // _BYTES_PER_TOKEN)
