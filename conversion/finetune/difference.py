"""What tuning changed of a model's layers, as an adapter: a fully tuned model is served beside its base, as adapters are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig


def adapter_config(rank: int, alpha: int) -> LoraConfig:
    """Of adapters for all linear layers, whose output is scaled by alpha / rank."""
    from peft import LoraConfig  # noqa: PLC0415  (an extra)

    return LoraConfig(r=rank, lora_alpha=alpha, target_modules="all-linear", task_type="CAUSAL_LM")


def save_difference(base: Any, tuned: Any, rank: int, folder: Path) -> float:
    """Write what `tuned` has in its linear layers more than `base` as an adapter of a rank, which is exact where no layer is
    wider than it. Both are models of transformers, alike in all other weights. Returns the share of the change (of its
    squared Frobenius norm) that the rank has no room for."""
    import torch  # noqa: PLC0415  (an extra)
    from peft import get_peft_model  # noqa: PLC0415  (an extra)

    after = dict(tuned.named_parameters())
    adapted: Any = get_peft_model(base, adapter_config(rank, rank))
    whole = kept = 0.0
    with torch.no_grad():
        for name, module in adapted.base_model.model.named_modules():
            if hasattr(module, "lora_A"):
                change = (after[f"{name}.weight"] - module.base_layer.weight).float()
                down, up = _factors(change, rank)
                module.lora_A["default"].weight.copy_(down)
                module.lora_B["default"].weight.copy_(up)
                whole += float(change.square().sum())
                kept += float((up @ down).square().sum())
    adapted.save_pretrained(str(folder))
    return max(0.0, 1 - kept / whole) if whole else 0.0


def _factors(change: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The best two matrices of a rank for a change of (outputs, inputs): (rank, inputs) and (outputs, rank)."""
    import torch  # noqa: PLC0415  (an extra)

    left, sizes, right = torch.linalg.svd(change, full_matrices=False)
    found = min(rank, len(sizes))
    roots = sizes[:found].sqrt()
    down, up = change.new_zeros(rank, change.shape[1]), change.new_zeros(change.shape[0], rank)
    down[:found] = roots[:, None] * right[:found]
    up[:, :found] = left[:, :found] * roots
    return down, up
