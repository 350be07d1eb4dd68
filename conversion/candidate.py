"""The seam for understudies in the making: what may be tried for a task, and what comes out of training it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from conversion.example import Example
from conversion.task import TaskData
from wire.answer import Answer

EngineKind = Literal["heads", "vllm"]
Progress = Callable[[int, int], None]
"""Called with steps done and steps in all."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """A trained candidate's answer to one example."""

    answer: Answer | None
    """None when it could not answer."""
    confidence: float = 1.0
    """From 0 to 1; what the threshold of selective answering is compared with. 0 where none can be told: the proxy takes
    such an answer only where there is no threshold."""
    tokens: int = 0
    """Tokens that it read and wrote for this; 0 when it does not say, and the LLM's are counted then."""


class Trained(Protocol):
    """A candidate after training, ready to be tested and, when it is good enough, served."""

    @property
    def files(self) -> Path:
        """The folder with what its engine loads."""
        ...

    @property
    def unseen(self) -> Sequence[float]:
        """Its confidences in answers to calls of kinds that it never saw; empty where nothing is known of them."""
        ...

    def answer(self, examples: Sequence[Example]) -> Sequence[Attempted]:
        """Answers to examples, in order, as its engine would give them."""
        ...


class Candidate(Protocol):
    """A way to make an understudy."""

    @property
    def name(self) -> str:
        """Such as `heads/minilm-l6-v2` or `lora/qwen3-0.6b`; stands in reports."""
        ...

    @property
    def engine(self) -> EngineKind: ...

    @property
    def dollars_per_million(self) -> float:
        """Cost of a million tokens it reads or writes, at its real utilisation; ranks candidates that are equally good."""
        ...

    def unsuited(self, data: TaskData) -> str:
        """Why it cannot be tried on a task, in a sentence for people; empty when it can."""
        ...

    def train(self, data: TaskData, folder: Path, progress: Progress) -> Trained:
        """Train on `data.training` and `data.calibration`, keeping its files in `folder`; an interrupted training goes
        on from there. Raises TrainingError with what is wrong and the remedy."""
        ...

    def load(self, folder: Path) -> Trained:
        """What was trained earlier, from its files, such as those of a deployed artifact. Raises TrainingError when
        they are not of this candidate or cannot be read."""
        ...


class TrainingError(Exception):
    """Training could not be done; the message names the cause and the remedy."""
