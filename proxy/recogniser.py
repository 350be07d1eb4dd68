"""A recogniser from its artifact: signature and hashes are verified before anything in it is read."""

from __future__ import annotations

from pathlib import Path

from router.recognition import Recogniser
from store.artifacts import ArtifactStore


def open_recogniser(artifacts: ArtifactStore, path: Path) -> Recogniser:
    """The recogniser of the artifact in a folder. Raises ArtifactError, and RecogniserError for what is none."""
    # numpy comes with these, which a proxy that has learned nothing yet does without.
    from router.encoders.light import light_encoder  # noqa: PLC0415
    from router.recogniser import FILE_NAME, learned_of  # noqa: PLC0415
    from router.trained import TrainedRecogniser  # noqa: PLC0415

    artifact = artifacts.open(path)
    learned = learned_of(artifact.read(FILE_NAME))
    return TrainedRecogniser(learned, light_encoder(learned.encoder, artifact.read))
