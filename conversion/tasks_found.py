"""The clustering of `conversion.cluster`, behind the seam that the pipeline knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conversion.candidate import Progress
from conversion.cluster import clustering
from conversion.cluster.cluster import cluster, known_tasks
from conversion.cluster.extra import ExtraMissing
from conversion.cluster.naming import Namer
from conversion.example import Example
from conversion.run import ConversionError
from conversion.task import Task
from router.encoder import Encoder
from router.encoders.light import WEIGHTS, light_encoder
from router.encoders.static import StaticEncoder
from router.gate.states import Change
from router.recogniser import FILE_NAME, RecogniserError, encode, learned_of
from router.trained import TrainedRecogniser
from store.artifacts import Artifact
from store.errors import ArtifactError


@dataclass(frozen=True, slots=True)
class Found:
    """Tasks, the task of each example, and the recogniser's bytes."""

    tasks: Sequence[Task]
    assigned: Sequence[str | None]
    changes: Mapping[str, Change]
    recogniser: bytes
    weights: bytes = b""
    """Of the encoder that tells sub-tasks apart, where it is one that has to be stored."""

    def save(self, folder: Path) -> None:
        """Write the recogniser as workers load it."""
        (folder / FILE_NAME).write_bytes(self.recogniser)
        if self.weights:
            (folder / WEIGHTS).write_bytes(self.weights)


@dataclass(frozen=True, slots=True)
class FindTasks:
    """Finds tasks (`conversion.clustering.Cluster`)."""

    encoder: Encoder
    """One that the proxy has too."""
    seed: int = 0
    namer: Namer | None = None

    def __call__(self, examples: Sequence[Example], in_force: Artifact | None, progress: Progress) -> Found:
        """Raises ConversionError where an extra is missing."""
        progress(0, 2)
        try:
            found = cluster(
                examples,
                encoder=self.encoder,
                previous=self._known(examples, in_force),
                seed=self.seed,
                namer=self.namer,
            )
        except ExtraMissing as error:
            raise ConversionError(str(error)) from error
        progress(2, 2)
        return _found(examples, found, self.encoder)

    def _known(
        self, examples: Sequence[Example], in_force: Artifact | None
    ) -> Sequence[clustering.KnownTask]:
        if in_force is None:
            return ()
        try:
            learned = learned_of(in_force.read(FILE_NAME))
            recogniser = TrainedRecogniser(learned, light_encoder(learned.encoder, in_force.read))
        except (ArtifactError, RecogniserError, ValueError):
            return ()
        return known_tasks(recogniser, examples)


def _found(examples: Sequence[Example], found: clustering.Clustering, encoder: Encoder) -> Found:
    learned = found.recogniser.learned
    weights = b""
    if isinstance(encoder, StaticEncoder) and learned.encoder == encoder.name:
        weights = encoder.to_bytes()
    return Found(
        tasks=found.tasks,
        assigned=[found.assignment.get(example.call_id) or None for example in examples],
        changes=found.changes,
        recogniser=encode(learned),
        weights=weights,
    )
