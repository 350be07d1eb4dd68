"""Heads made on the spot, without training: each answer is known by its one example."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from router.encoders.hashed_ngrams import HashedNgrams
from serving.heads.head_file import (
    ARRAYS,
    DESCRIPTION,
    FORMAT,
    Description,
    Spoken,
    array_bytes,
    description_bytes,
)
from serving.heads.model import FEATURES, HeadModel
from serving.publication import HEADS, Deployment
from store.artifacts import Artifact, ArtifactStore

DIMENSIONS = 256

TICKETS = {"where is my refund": Spoken("refund"), "the parcel never arrived": Spoken("delivery")}
URGENCY = {"it burns": Spoken('{"urgent":true}'), "no hurry": Spoken('{"urgent":false}')}
TOOLS = {"close it": Spoken(tool="close_ticket"), "hand it on": Spoken(tool="escalate")}


def files(examples: Mapping[str, Spoken]) -> dict[str, bytes]:
    """The files of a head that knows these texts."""
    encoder = HashedNgrams(DIMENSIONS)
    vectors = encoder.encode(list(examples))
    answers = len(vectors)
    trust = np.zeros(len(FEATURES), np.float32)
    trust[FEATURES.index("alike")] = 8.0
    model = HeadModel(
        centre=np.zeros(DIMENSIONS, np.float32),
        weights=vectors * 10,
        bias=np.zeros(answers, np.float32),
        prototypes=vectors,
        owners=np.arange(answers, dtype=np.int32),
        typical=np.ones(answers, np.float32),
        trust=trust,
        trust_bias=np.array([-4.0], np.float32),
    )
    description = Description(FORMAT, encoder.name, DIMENSIONS, tuple(examples.values()), 1_700_000_000)
    return {DESCRIPTION: description_bytes(description), ARRAYS: array_bytes(model.to_arrays())}


def stored(artifacts: ArtifactStore, name: str, examples: Mapping[str, Spoken]) -> Artifact:
    """The head as a signed artifact."""
    with artifacts.create("head", name) as draft:
        for file, content in files(examples).items():
            draft.write(file, content)
        return draft.commit({})


def deployed(model: str, files_at: str, state: str = "live", engine: str = HEADS) -> Deployment:
    """A deployment of a head."""
    return Deployment(model, "support/ticket-label", "label", state, engine, model, files_at, 1.0)  # type: ignore[arg-type]
