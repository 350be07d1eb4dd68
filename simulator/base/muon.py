"""Muon (Jordan et al., 2024): momentum, made orthogonal. torch's own works in bfloat16, which CPUs without it emulate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import torch

_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
_ITERATIONS: Final = 5


class Muon(torch.optim.Optimizer):
    """For matrices alone; `rate` is the learning rate at the root mean square of AdamW's updates."""

    def __init__(self, matrices: Iterable[torch.nn.Parameter], rate: float, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": rate, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every matrix against its orthogonalised momentum."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for matrix in group["params"]:
                by_shape.setdefault(matrix.shape, []).append(matrix)
            for matrices in by_shape.values():
                self._move(matrices, group["lr"], group["momentum"])

    def _move(self, matrices: list[torch.nn.Parameter], rate: float, momentum: float) -> None:
        directions = torch.stack([self._direction(matrix, momentum) for matrix in matrices])
        scale = rate * 0.2 * max(matrices[0].shape) ** 0.5
        for matrix, update in zip(matrices, _orthogonal(directions), strict=True):
            matrix.add_(update, alpha=-scale)

    def _direction(self, matrix: torch.nn.Parameter, momentum: float) -> torch.Tensor:
        assert matrix.grad is not None
        kept: torch.Tensor = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
        kept.lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(kept, momentum)


def _orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """The nearest orthogonal matrices, roughly: a quintic Newton-Schulz iteration. Shape (matrices, rows, columns)."""
    tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.mT if tall else matrices
    found = found / (found.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = found @ found.mT
        found = a * found + (b * gram + c * gram @ gram) @ found
    result: torch.Tensor = found.mT if tall else found
    return result
