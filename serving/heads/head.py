"""A head: texts go in, answers of a closed set come out, each with how far to trust it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from router.encoder import Encoder
from serving.encoders.ladder import Encoders
from serving.heads.errors import HeadError
from serving.heads.head_file import Description, read_arrays, read_description
from serving.heads.model import HeadModel


@dataclass(frozen=True, slots=True)
class Prediction:
    """The likeliest answer to one text."""

    text: str
    tool: str
    """The tool that is called without arguments, instead of text; empty where the answer is text."""
    confidence: float
    """Probability that the LLM would answer the same, from 0 to 1."""


class Head:
    """A trained head over its encoder."""

    def __init__(self, description: Description, model: HeadModel, encoder: Encoder) -> None:
        if len(description.answers) != len(model.weights) or encoder.dimensions != model.weights.shape[1]:
            raise HeadError(
                f"{len(description.answers)} answers and an encoder of {encoder.dimensions} dimensions do not fit "
                f"weights of shape {model.weights.shape}; train the head anew"
            )
        self._description = description
        self._model = model
        self._encoder = encoder

    @classmethod
    def load(cls, read: Callable[[str], bytes], encoders: Encoders) -> Head:
        """A head from its files, which `read` gives by name. Raises HeadError, EncoderError and what `read` raises."""
        description = read_description(read)
        model = HeadModel.from_arrays(read_arrays(read))
        return cls(description, model, encoders.named(description.encoder, read))

    @property
    def encoder(self) -> str:
        """Name of its encoder."""
        return self._description.encoder

    @property
    def created(self) -> int:
        """When it was trained, in Unix seconds."""
        return self._description.created

    @property
    def unseen(self) -> Sequence[float]:
        """Confidences it had, at the end of its training, in answers to calls of kinds that it had never seen."""
        return self._description.unseen

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """The likeliest answers to texts, in order."""
        if not texts:
            return []
        labels, confidences = self._model.assess(self._encoder.encode(texts))
        answers = self._description.answers
        return [
            Prediction(answers[label].text, answers[label].tool, float(confidence))
            for label, confidence in zip(labels, confidences, strict=True)
        ]
