"""Everything that the base model depends on, and a digest of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sizes and schedule; the defaults make the demo's base."""

    hidden: int = 192
    layers: int = 4
    heads: int = 3
    feed_forward: int = 384
    vocabulary: int = 2048
    tokenizer_chats: int = 3000
    """Chats that the vocabulary is learned from."""
    context: int = 2048
    rotation: float = 1e6
    """Base of the rotary position embedding: slow enough that heads compare tokens over a whole letter."""
    steps: int = 2400
    batch: int = 32
    longest: int = 448
    """Tokens; longer chats are left out of training."""
    rate: float = 2e-3
    """Learning rate of AdamW."""
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
            "forms.py",
            "letters.py",
            "phrases.py",
            "tokenizer.py",
            "training.py",
            "values.py",
        )
    ),
    ("simulator", "tickets.py"),
    ("simulator.desk", "wording.py"),
)
