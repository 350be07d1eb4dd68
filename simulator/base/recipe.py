"""Everything that the base model depends on, and a digest of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sizes and schedule; the defaults make the demo's base."""

    hidden: int = 128
    layers: int = 3
    heads: int = 4
    feed_forward: int = 256
    vocabulary: int = 2048
    tokenizer_chats: int = 3000
    """Chats that the vocabulary is learned from."""
    context: int = 2048
    rotation: float = 1e6
    """Base of the rotary position embedding: slow enough that heads compare tokens over a whole letter."""
    steps: int = 640
    batch: int = 32
    repeat_steps: int = 60
    """Steps at the start, on saying something again."""
    brief_steps: int = 140
    """Steps after these, on short letters."""
    longest: int = 448
    """Tokens; longer chats are left out of training."""
    matrix_rate: float = 0.01
    """Learning rate of Muon, which takes the matrices."""
    vector_rate: float = 0.003
    """Learning rate of AdamW, which takes embeddings and norms."""
    seed: int = 0

    def digest(self) -> str:
        """16 hex digits that change with any of this, and with the code that writes the chats."""
        found = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        for file in _SOURCES:
            found.update(resources.files(file[0]).joinpath(file[1]).read_bytes())
        return found.hexdigest()[:16]


_SOURCES = (
    *(
        ("simulator.base", name)
        for name in (
            "birth.py",
            "chat_template.jinja",
            "corpus.py",
            "letters.py",
            "phrases.py",
            "tokenizer.py",
            "training.py",
        )
    ),
    ("simulator", "tickets.py"),
    ("simulator.desk", "wording.py"),
)
