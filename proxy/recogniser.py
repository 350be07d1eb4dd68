"""A recogniser from its artifact: signature and hashes are verified before anything in it is read."""

from __future__ import annotations

from pathlib import Path

from router.encoder import Encoder
from router.recognition import Recogniser
from store.artifacts import Artifact, ArtifactStore


def open_recogniser(artifacts: ArtifactStore, path: Path) -> Recogniser:
    """The recogniser of the artifact in a folder. Raises ArtifactError, and RecogniserError for what is none."""
    # numpy comes with these, which a proxy that has learned nothing yet does without.
    from router.recogniser import FILE_NAME, learned_of  # noqa: PLC0415
    from router.trained import TrainedRecogniser  # noqa: PLC0415

    artifact = artifacts.open(path)
    learned = learned_of(artifact.read(FILE_NAME))
    return TrainedRecogniser(learned, _encoder(learned.encoder, artifact))


def _encoder(name: str, _artifact: Artifact) -> Encoder | None:
    """The encoder that sub-tasks were learned with; None where it is not known here, and they are not told apart."""
    from router.encoders.hashed_ngrams import HashedNgrams  # noqa: PLC0415

    kind, _, dimensions = name.rpartition("-")
    if kind == "hashed-ngrams" and dimensions.isdigit():
        return HashedNgrams(int(dimensions))
    return None
