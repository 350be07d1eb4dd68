"""A tuned base model as a candidate."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from conversion.candidate import Attempted, EngineKind, Progress, TrainingError
from conversion.example import Example
from conversion.finetune.base_model import BaseModel
from conversion.finetune.local import LocalAnswers
from conversion.finetune.served import ServedAnswers
from conversion.finetune.template import rendering_for
from conversion.finetune.training import EXTRA, TUNED, Method, Schedule, load_tokenizer, train
from conversion.finetune.training_set import TrainingSet, training_set
from conversion.generative import not_generated
from conversion.task import TaskData
from serving.vllm.errors import EngineError

_LOG: Final = logging.getLogger(__name__)
_NEEDED: Final = ("torch", "transformers", "peft", "trl", "datasets")
_FEWEST: Final = 20


def method_here() -> Method:
    """QLoRA where a GPU and bitsandbytes are there; LoRA elsewhere."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("bitsandbytes") is None:
        return "lora"
    import torch  # noqa: PLC0415  (an extra)

    return "qlora" if torch.cuda.is_available() else "lora"


@dataclass(frozen=True, slots=True)
class TunedCandidate:
    """A base model, tuned to one task's answers."""

    base: BaseModel
    method: Method = "lora"
    schedule: Schedule = field(default_factory=Schedule)

    @property
    def name(self) -> str:
        """`lora/` and the base model; `qlora/`, `full/` where that is how it is tuned."""
        return f"{self.method}/{self.base.name}"

    @property
    def engine(self) -> EngineKind:
        """vLLM."""
        return "vllm"

    @property
    def dollars_per_million(self) -> float:
        """As the base model says."""
        return self.base.dollars_per_million

    def unsuited(self, data: TaskData) -> str:
        """Why it cannot be tried on a task."""
        if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
            return f"{', '.join(missing)} not installed; {EXTRA}"
        if reason := not_generated(data):
            return reason
        if other := {example.endpoint for example in data.training} - {"chat.completions"}:
            return f"its calls come to {', '.join(sorted(other))}; adapters are trained for chat completions"
        if len(data.training) < _FEWEST:
            return f"it has {len(data.training)} examples to train on; {_FEWEST} are needed"
        return ""

    def train(self, data: TaskData, folder: Path, progress: Progress) -> Tuned:
        """Tune on the training examples; goes on from the last checkpoint in `folder`."""
        if reason := self.unsuited(data):
            raise TrainingError(f"{self.name} cannot be trained for the task {data.task.id!r}: {reason}")
        rendering = rendering_for(self.base, load_tokenizer(self.base.folder), data.training)
        training = training_set(data.training, rendering, self.base.context)
        self._check(training, data)
        calibration = training_set(data.calibration, rendering, self.base.context)
        files = train(self.base.folder, self.method, training, calibration, self.schedule, folder, progress)
        return Tuned(self.base, files)

    def load(self, folder: Path) -> Tuned:
        """What was tuned, from the folder of its training or of its artifact."""
        files = folder / TUNED if (folder / TUNED).is_dir() else folder
        if not (files / "adapter_config.json").is_file():
            raise TrainingError(
                f"{str(folder)!r} holds no {self.name}: there is no adapter_config.json; train it again"
            )
        return Tuned(self.base, files)

    def _check(self, training: TrainingSet, data: TaskData) -> None:
        left_out = training.too_long + training.refused
        if left_out:
            _LOG.warning(
                "task %s: %d of %d examples left out of training: %d longer than %d tokens, %d not shown by the chat template",
                *(
                    data.task.id,
                    left_out,
                    len(data.training),
                    training.too_long,
                    self.base.context,
                    training.refused,
                ),
            )
        if len(training.calls) < _FEWEST:
            raise TrainingError(
                f"only {len(training.calls)} of {len(data.training)} examples of the task {data.task.id!r} can be "
                f"trained on: {training.too_long} do not fit into {self.base.context} tokens, {training.refused} are "
                "refused by the chat template; start the engine with a longer --context, or choose another base model"
            )


@dataclass(slots=True)
class Tuned:
    """A base model after tuning; answers through vLLM where a server of the base answers, else through transformers."""

    base: BaseModel
    files: Path
    _local: LocalAnswers | None = None

    @property
    def unseen(self) -> Sequence[float]:
        """Nothing is known of such calls."""
        return ()

    def answer(self, examples: Sequence[Example]) -> Sequence[Attempted]:
        """Answers to examples, in order. Raises TrainingError when there is neither."""
        for server in self.base.servers:
            try:
                return ServedAnswers(server, self.files).answer(examples)
            except EngineError as error:
                _LOG.warning("answers are not taken from vLLM: %s", error)
        if self._local is None:
            self._local = LocalAnswers(self.base.folder, self.files, self.base.chat_template_kwargs)
        return self._local.answer(examples)
