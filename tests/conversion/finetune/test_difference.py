"""What full tuning changed, kept as an adapter: with room for all of it, the adapted base is the tuned model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")

import torch
from peft import PeftModel

from conversion.finetune.base_model import BaseModel
from conversion.finetune.candidate import TunedCandidate
from conversion.finetune.difference import save_difference
from conversion.finetune.training import Schedule, load_model
from tests.conversion.finetune.conftest import data_of, extractions

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)
TOKENS = torch.tensor([[5, 9, 30, 7, 7, 81]])


def _changed(base: Path) -> Any:
    """The base, its layers moved by something random of full rank."""
    model: Any = load_model(str(base))
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for layer in model.model.layers:
            for weights in filter(lambda each: each.dim() == 2, layer.parameters()):
                weights.add_(0.05 * torch.randn(weights.shape, generator=noise))
    return model.eval()


def _logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(TOKENS).logits
    return found


def test_with_room_for_all_of_it_nothing_is_lost(base: Path, tmp_path: Path) -> None:
    tuned = _changed(base)
    width = max(max(weights.shape) for weights in tuned.model.layers[0].parameters())
    assert save_difference(load_model(str(base)), tuned, width, tmp_path) == pytest.approx(0, abs=1e-5)
    adapted: Any = PeftModel.from_pretrained(load_model(str(base)), str(tmp_path))
    assert torch.allclose(_logits(adapted.eval()), _logits(tuned), atol=1e-4)
    before: Any = load_model(str(base))
    assert not torch.allclose(_logits(before.eval()), _logits(tuned), atol=1e-2)


def test_what_there_is_no_room_for_is_counted(base: Path, tmp_path: Path) -> None:
    tuned = _changed(base)
    assert 0.2 < save_difference(load_model(str(base)), tuned, 2, tmp_path) < 1
    assert save_difference(load_model(str(base)), load_model(str(base)), 2, tmp_path) == 0


def test_full_tuning_moves_layers_and_nothing_else(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    schedule = Schedule(batch=8, fewest_steps=6, fewest_epochs=2, rank=2)
    data = data_of(extractions(36))
    tuned = TunedCandidate(BaseModel("tiny", str(base), 512), "full", schedule).train(
        data, tmp_path, lambda done, of: None
    )
    model: Any = PeftModel.from_pretrained(load_model(str(base)), str(tuned.files))
    moved = [
        float(module.lora_B["default"].weight.abs().max())
        for module in model.modules()
        if hasattr(module, "lora_B")
    ]
    assert len(moved) == 7 * model.config.num_hidden_layers
    assert min(moved) > 0
    assert "raise learning.finetune.rank" in caplog.text
