"""The weights that a base is born with: heads that copy (Olsson et al., 2022), which training otherwise finds late.

Copying a name or a number takes two layers. Heads of the first note at every token which two tokens stood before it;
heads of the second look for the place whose notes are the present token and the one before it, and say what stands
there. Both are written down here instead of waited for, as mimetic initialisation does with simpler patterns (Trockman
and Kolter, 2023); everything is trained on from there."""

from __future__ import annotations

import math
from typing import Any, Final

import torch

_SPREAD: Final = 0.04
"""Standard deviation of embeddings."""
_SLOW: Final = 0.008
"""Radians per token below which a rotation does not disturb what is compared over some hundred tokens."""
_WEIGHTS: Final = (0.4, 0.3, 0.2, 0.1)
"""Of the fastest rotations in the note-taking head: together they tell one position from its neighbours."""
_NEIGHBOUR: Final = 6.0
"""By how much (in logits) the token before is preferred to the one beside it."""
_SAME: Final = 10.0
"""The logit of the same two tokens in the looking heads."""
_PRESENT: Final = 0.6
"""Share of a looking head's width that compares the present token; the rest compares the one before it."""
_LOUD: Final = 2.0
"""How strongly a note or a copy stands out against the token's own embedding."""
_LOOKING: Final = 3
"""Heads of the second layer that look and copy, each a part of the embedding; one at least stays free."""


@torch.no_grad()
def born(model: Any, seed: int) -> None:
    """Write the heads into a Llama of at least two layers, in place; the other weights stay as they are."""
    Birth(model, torch.Generator().manual_seed(seed)).write()


class Birth:
    """The directions of one model that its heads read and write."""

    def __init__(self, model: Any, random: torch.Generator) -> None:
        self._model, self._random = model, random
        self._hidden = model.config.hidden_size
        self._width = self._hidden // model.config.num_attention_heads
        half = self._width // 2
        theta = model.config.rope_parameters["rope_theta"]
        self._speeds = theta ** (-torch.arange(half) / half)
        self._slow = [pair for pair, speed in enumerate(self._speeds) if speed < _SLOW]
        axes = self._axes(self._hidden)
        told = 2 * len(self._slow)
        self._constant = axes[0]
        self._token, *self._notes = (axes[1 + part * told : 1 + (part + 1) * told] for part in range(3))
        self._unit = _SPREAD * math.sqrt(2)
        """Root mean square of an embedding, the constant included: what the first norm divides by."""

    def write(self) -> None:
        """All of it."""
        self._embed()
        layers = self._model.model.layers
        for back, note in enumerate(self._notes, 1):
            self._take_notes(layers[0].self_attn, back, note)
        for head in range(min(_LOOKING, self._model.config.num_attention_heads - 1)):
            self._look(layers[1].self_attn, slice(head * self._width, (head + 1) * self._width))

    def _embed(self) -> None:
        """Random embeddings that all hold one constant direction, as large as the rest: what a head that looks at
        positions alone can ask for."""
        embeddings = self._model.model.embed_tokens.weight
        embeddings.copy_(torch.randn(embeddings.shape, generator=self._random) * _SPREAD)
        embeddings.sub_((embeddings @ self._constant)[:, None] * self._constant)
        embeddings.add_(_SPREAD * math.sqrt(self._hidden) * self._constant)

    def _take_notes(self, attention: Any, back: int, note: torch.Tensor) -> None:
        """A head in which a constant query meets a constant key that is turned by some positions, so that the token as
        many places `back` answers; its identity is written where the looking heads read."""
        width, half = self._width, self._width // 2
        head = slice((back - 1) * width, back * width)
        query, key = torch.zeros(width), torch.zeros(width)
        for pair, weight in enumerate(_WEIGHTS):
            turn, height = back * float(self._speeds[pair]), math.sqrt(weight)
            query[pair] = height
            key[pair], key[pair + half] = height * math.cos(turn), height * math.sin(turn)
        speeds = self._speeds.tolist()
        beside = sum(weight * math.cos(speeds[pair]) for pair, weight in enumerate(_WEIGHTS))
        size = math.sqrt(_NEIGHBOUR * math.sqrt(width) / (1 - beside)) / math.sqrt(self._hidden / 2)
        attention.q_proj.weight[head] = torch.outer(query * size, self._constant)
        attention.k_proj.weight[head] = torch.outer(key * size, self._constant)
        told = len(self._token)
        attention.v_proj.weight[head] = 0.0
        attention.v_proj.weight[head][:told] = self._token
        attention.o_proj.weight[:, head] = 0.0
        attention.o_proj.weight[:, head][:, :told] = note.T * self._unit * _LOUD

    def _look(self, attention: Any, head: slice) -> None:
        """A head of the second layer: the query is the token and its first note, the key is both notes; it says a part of
        what it finds."""
        half = self._width // 2
        size = math.sqrt(_SAME * math.sqrt(self._width) / (1.5 * len(self._token) / 2))
        query, key = torch.zeros(self._width, self._hidden), torch.zeros(self._width, self._hidden)
        present = round(_PRESENT * len(self._slow))
        for place, pair in enumerate(self._slow):
            asked, found = (self._token, self._notes[0]) if place < present else self._notes
            for axis, row in ((2 * place, pair), (2 * place + 1, pair + half)):
                query[row], key[row] = asked[axis] * size, found[axis] * size
        attention.q_proj.weight[head], attention.k_proj.weight[head] = query, key
        part = self._axes(self._width)
        attention.v_proj.weight[head] = part
        attention.o_proj.weight[:, head] = part.T * self._unit * _LOUD

    def _axes(self, many: int) -> torch.Tensor:
        """Orthonormal directions of the residual stream, one a row."""
        columns: torch.Tensor = torch.linalg.qr(torch.randn(self._hidden, many, generator=self._random))[0]
        return columns.T
