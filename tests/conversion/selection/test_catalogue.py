"""The catalogue: every entry is sourced, memory is counted as stated, and a bad file is told exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversion.selection.catalogue import CatalogueError, catalogue
from conversion.selection.model import GIB, RUNTIME_GIB, SmallModel

OURS = list(catalogue().values())
VLLM_PARSERS = {
    "functiongemma", "gemma4", "granite4", "hermes", "lfm2", "llama3_json", "phi4_mini_json", "pythonic", "xlam",
}  # fmt: skip
"""Those of vLLM 0.32 (vllm/tool_parsers/__init__.py) that the catalogue names."""


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.name)
def test_entry_is_sourced_and_small(model: SmallModel) -> None:
    assert model.sources
    assert all(source.startswith("https://") for source in model.sources)
    assert 0 < model.parameters < 10
    assert model.tools is None or model.tools.parser in VLLM_PARSERS
    if model.attention is None or model.languages is None:
        told = " ".join(model.unverified)
        assert model.attention is not None or "attention" in told
        assert model.languages is not None or "languages" in told


def test_the_models_that_were_asked_for_are_there() -> None:
    names = set(catalogue())
    assert {f"qwen3-{size}" for size in ("0.6b", "1.7b", "4b", "8b")} <= names
    assert {"llama-3.2-1b", "llama-3.2-3b", "smollm3-3b", "phi-4-mini", "gemma-3-270m", "gemma-3-1b"} <= names
    assert {"gemma-3-4b", "granite-4.0-micro", "nemotron-nano-4b", "xlam-2-1b", "xlam-2-3b"} <= names


def test_memory_is_weights_and_cache_and_the_engine() -> None:
    model = catalogue()["qwen3-0.6b"]
    cache = (
        2 * 28 * 8 * 128 * 2 * 8192 * 4
    )  # keys and values x layers x heads x dimension x bytes x tokens x calls
    expected = 0.6e9 * 2 / GIB + cache / GIB + RUNTIME_GIB
    assert model.memory_gib("bf16", 8192, 4) == pytest.approx(expected)
    assert model.memory_gib("int4", 8192, 4) < model.memory_gib("bf16", 8192, 4)


def test_a_window_bounds_the_cache_of_its_layers() -> None:
    attention = catalogue()["gemma-3-4b"].attention
    assert attention is not None
    growth = attention.cache_bytes(20_000) - attention.cache_bytes(10_000)
    assert growth == 2 * attention.layers * attention.kv_heads * attention.head_dim * 2 * 10_000


def test_flags_serve_tools_and_turn_reasoning_off() -> None:
    flags = " ".join(catalogue()["qwen3-4b"].serve_flags(8192))
    assert "--max-model-len 8192 --enable-auto-tool-choice --tool-call-parser hermes" in flags
    assert '--default-chat-template-kwargs {"enable_thinking":false}' in flags
    template = "--chat-template examples/tool_chat_template_phi4_mini.jinja"
    assert template in " ".join(catalogue()["phi-4-mini"].serve_flags())


def test_own_models_are_added_and_replace_ours(tmp_path: Path) -> None:
    own = tmp_path / "models.yaml"
    own.write_text(
        "models:\n"
        "  - {name: house-1b, hub: /models/house, parameters: 1, licence: own, context: 4096}\n"
        "  - {name: qwen3-0.6b, hub: /models/qwen, parameters: 0.6, licence: apache-2.0, context: 8192}\n"
    )
    models = catalogue(own)
    assert models["house-1b"].hub == "/models/house"
    assert models["qwen3-0.6b"].context == 8192
    assert len(models) == len(OURS) + 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models: [", "is not YAML: line 1"),
        ("- 1", "write a list of models under `models:`"),
        ("model: []", "write a list of models under `models:`"),
        ("models: [{name: a, hub: b, parameters: 1, licence: c}]", "models[0] ('a'): Object missing required field"),
        (
            "models: [{name: a, hub: b, parameters: 1, licence: c, context: eight}]",
            "models[0].context ('a'): 'eight': Expected `int`",
        ),
        (
            "models: [{name: a, hub: b, parameters: -1, licence: c, context: 8}]",
            "models[0].parameters ('a'): -1: Expected `float` > 0",
        ),
        (
            "models: [{name: a, hub: b, parameters: 1, licence: c, context: 8, tool: {}}]",
            "models[0] ('a'): Object contains unknown field `tool`",
        ),
        (
            "models: [&a {name: a, hub: b, parameters: 1, licence: c, context: 8}, *a]",
            "models[1]: 'a' stands there twice",
        ),
    ],
)  # fmt: skip
def test_a_bad_file_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    own = tmp_path / "models.yaml"
    own.write_text(text)
    with pytest.raises(CatalogueError) as caught:
        catalogue(own)
    assert str(own) in str(caught.value)
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"gone\.yaml: cannot be read"):
        catalogue(tmp_path / "gone.yaml")
