"""One model of the catalogue: what it is, what it can, how it is served, and what memory that takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
import orjson

Precision = Literal["bf16", "int4"]

GIB: Final = 2**30
RUNTIME_GIB: Final = 1.5
"""Assumed for the engine itself: the device's context, kernels and activations of a small batch."""

_BYTES: Final[Mapping[Precision, float]] = {"bf16": 2.0, "int4": 0.56}
"""Bytes a parameter: int4 with a 16-bit scale for every 128 weights, and a tenth of the weights left in 8 bits."""
_KV_BYTES: Final = 2
"""Keys and values stay in bf16 whatever the weights are."""

Positive = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]


class Attention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the KV cache of one token takes: 2 x layers x kv_heads x head_dim numbers."""

    layers: Positive
    """Layers that keep keys and values of the whole context."""
    kv_heads: Positive
    head_dim: Positive
    windowed_layers: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Layers that keep only the last `window` tokens."""
    window: Annotated[int, msgspec.Meta(ge=0)] = 0

    def cache_bytes(self, tokens: int) -> int:
        """Bytes of the KV cache of one sequence."""
        kept = self.layers * tokens + self.windowed_layers * min(tokens, self.window)
        return 2 * self.kv_heads * self.head_dim * _KV_BYTES * kept


class Tools(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How vLLM reads the model's tool calls."""

    parser: Annotated[str, msgspec.Meta(min_length=1)]
    """Value of --tool-call-parser."""
    chat_template: str = ""
    """Value of --chat-template, where the model's own template does not do; a file among vLLM's examples."""


class SmallModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A candidate small language model."""

    name: Name
    hub: Annotated[str, msgspec.Meta(min_length=1)]
    """Id on the model hub, or the folder of a local model."""
    parameters: Annotated[float, msgspec.Meta(gt=0, le=200)]
    """Billions, embeddings included."""
    licence: Annotated[str, msgspec.Meta(min_length=1)]
    """SPDX id where there is one."""
    context: Positive
    """Tokens it reads and writes together."""
    attention: Attention | None = None
    """None when not known; the KV cache is then left out of its memory."""
    tools: Tools | None = None
    """None when vLLM cannot read its tool calls."""
    json_schema: bool = True
    """Whether answers may be bound to a schema: vLLM does so for every model it runs, by constrained decoding."""
    images: bool = False
    languages: tuple[str, ...] | Literal["many"] | None = None
    """ISO 639-1 codes; `many` for a hundred or so; None when not known."""
    chat_template_kwargs: Mapping[str, Any] = {}
    """What turns its reasoning off: an understudy answers what it was trained to, and thinking costs tokens."""
    flags: tuple[str, ...] = ()
    """Further flags of `vllm serve`."""
    notes: str = ""
    sources: tuple[str, ...] = ()
    """Pages that say so."""
    unverified: tuple[str, ...] = ()
    """What no source said, or sources say differently."""

    def weights_gib(self, precision: Precision) -> float:
        """Memory of its weights."""
        return self.parameters * 1e9 * _BYTES[precision] / GIB

    def memory_gib(self, precision: Precision, tokens: int, sequences: int) -> float:
        """Memory to serve `sequences` calls of `tokens` at once: weights + KV cache + what the engine itself needs."""
        cache = 0 if self.attention is None else self.attention.cache_bytes(tokens) * sequences
        return self.weights_gib(precision) + cache / GIB + RUNTIME_GIB

    def serve_flags(self, context: int | None = None) -> tuple[str, ...]:
        """Flags for `vllm serve`, tool calling and reasoning settled, its context cut to what is needed."""
        flags = [] if context is None else ["--max-model-len", str(min(context, self.context))]
        if self.tools is not None:
            flags += ["--enable-auto-tool-choice", "--tool-call-parser", self.tools.parser]
            if self.tools.chat_template:
                flags += ["--chat-template", f"examples/{self.tools.chat_template}"]
        if self.chat_template_kwargs:
            flags += ["--default-chat-template-kwargs", orjson.dumps(self.chat_template_kwargs).decode()]
        return (*flags, *self.flags)

    def speaks(self, language: str) -> bool | None:
        """Whether it knows a language (ISO 639-1); None when nobody says."""
        if self.languages is None or self.languages == "many":
            return None if self.languages is None else True
        return language in self.languages
