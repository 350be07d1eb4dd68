"""Candidates that are not trained: a model as it is, and a model with examples in its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from conversion.candidate import Attempted, EngineKind, Progress, TrainingError
from conversion.example import Example
from conversion.selection.served import ServedModel
from conversion.selection.shots import choose, shown, usable
from conversion.task import TaskData

FILE_NAME: Final = "prompt.json"
"""What was tried: the model and the ids of the calls that were shown, no content."""
_ROOM: Final = 64


@dataclass(frozen=True, slots=True)
class PromptedModel:
    """A served model with its shots; a Trained."""

    files: Path
    served: ServedModel
    shots: tuple[Example, ...] = ()
    longest: int = 0
    """Tokens after which an answer cannot agree any more, and is broken off; 0 lets it talk."""

    @property
    def unseen(self) -> Sequence[float]:
        """Nothing is known of such calls."""
        return ()

    def answer(self, examples: Sequence[Example]) -> Sequence[Attempted]:
        """Answers to examples, in order, as the engine gives them."""
        return self.served.ask(
            [(each.endpoint, shown(each.request, each, self.shots) if self.shots else each.request)
             for each in examples],
            self.longest,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """The bare model, as it is served; a Candidate."""

    model: str
    """Its name in the catalogue."""
    served: ServedModel
    dollars_per_million: float = 0.0

    @property
    def name(self) -> str:
        """Stands in reports."""
        return f"zero-shot/{self.model}"

    @property
    def engine(self) -> EngineKind:
        """Generative models are served by vLLM."""
        return "vllm"

    def unsuited(self, data: TaskData) -> str:
        """Every task can be tried."""
        return ""

    def train(self, data: TaskData, folder: Path, progress: Progress) -> PromptedModel:
        """Nothing is trained; raises TrainingError where the engine does not serve the model."""
        return _prompted(self.served, (), data, folder, progress)

    def load(self, folder: Path) -> PromptedModel:
        """The same again; raises TrainingError where the folder is of another model."""
        try:
            told = orjson.loads((folder / FILE_NAME).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            raise TrainingError(f"{folder / FILE_NAME} cannot be read; try {self.name} again") from None
        if told["model"] != self.served.model or told["shots"]:
            raise TrainingError(f"{folder} holds a trial of {told['model']!r}, not {self.name}; try it again")
        return PromptedModel(folder, self.served, longest=told["longest"])


@dataclass(frozen=True, slots=True)
class FewShot:
    """The model with training calls in its prompt; a Candidate.

    A trial tells whether training is worth its while. It cannot be deployed: to an understudy the proxy sends the
    agent's own request, and rewrites nothing but `model`."""

    model: str
    served: ServedModel
    count: int = 4
    """Examples that are shown."""
    dollars_per_million: float = 0.0

    @property
    def name(self) -> str:
        """Stands in reports."""
        return f"few-shot/{self.model}"

    @property
    def engine(self) -> EngineKind:
        """Generative models are served by vLLM."""
        return "vllm"

    def unsuited(self, data: TaskData) -> str:
        """Why no examples can be shown."""
        if not any(map(usable, data.training)):
            return (
                "none of its training calls is one question of the user and one answer, so none can be shown"
            )
        return ""

    def train(self, data: TaskData, folder: Path, progress: Progress) -> PromptedModel:
        """Choose the examples; raises TrainingError where the engine does not serve the model."""
        return _prompted(self.served, choose(data.training, self.count), data, folder, progress)

    def load(self, folder: Path) -> PromptedModel:
        """Always raises TrainingError: its examples are content and are not kept in the folder."""
        raise TrainingError(f"{self.name} is tried to compare with and cannot be loaded; try it again")


def _prompted(
    served: ServedModel, shots: tuple[Example, ...], data: TaskData, folder: Path, progress: Progress
) -> PromptedModel:
    served.check()
    folder.mkdir(parents=True, exist_ok=True)
    longest = _longest(data.training)
    told = {"model": served.model, "base_url": served.base_url, "shots": [shot.call_id for shot in shots]}
    (folder / FILE_NAME).write_bytes(orjson.dumps(told | {"longest": longest}, option=orjson.OPT_INDENT_2))
    progress(1, 1)
    return PromptedModel(folder, served, shots, longest)


def _longest(examples: Sequence[Example]) -> int:
    """Twice what the LLM needed at most, and room for another tokenizer; 0 where nobody counted."""
    most = max((example.output_tokens for example in examples), default=0)
    return 2 * most + _ROOM if most else 0
