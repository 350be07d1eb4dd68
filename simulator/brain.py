"""What answers: a Prompt goes in, an Answer comes out."""

from __future__ import annotations

from typing import Protocol

from serving.endpoints.answer import Answer
from serving.endpoints.prompt import Prompt


class Brain(Protocol):
    """Answers prompts; raises ApiError for one that it must refuse."""

    def answer(self, prompt: Prompt, index: int = 0) -> Answer:
        """The answer number `index` (of `n`) to a prompt."""
        ...
