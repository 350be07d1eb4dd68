"""A base model of a few thousand weights, made by the demonstration's own recipe."""

from __future__ import annotations

from pathlib import Path

from simulator.base.recipe import Recipe
from simulator.base.training import train


def tiny_base(folder: Path, *, steps: int, batch: int) -> Path:
    """Train it into a folder, and return that."""
    recipe = Recipe(
        hidden=64,
        heads=2,
        layers=2,
        feed_forward=128,
        vocabulary=512,
        tokenizer_chats=200,
        steps=steps,
        batch=batch,
    )
    train(folder, lambda done, of: None, recipe)
    return folder
