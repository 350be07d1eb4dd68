"""Whether calls become the tokens in training that vLLM makes of them when it serves (paper, S5).

A model tuned on one chat template and served with another is asked in a language that it did not learn; nothing fails,
its answers are only worse. So some calls are rendered by both before anything is trained."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from conversion.candidate import TrainingError
from conversion.example import Example
from conversion.finetune.base_model import BaseModel
from conversion.finetune.rendering import Rendering, RenderingError, Tokenizer
from serving.vllm.client import VllmClient
from serving.vllm.errors import EngineAway, EngineRefused

_LOG: Final = logging.getLogger(__name__)
_COMPARED: Final = 8
"""Calls that are rendered by both, spread over the examples."""


def rendering_for(base: BaseModel, tokenizer: Tokenizer, examples: Sequence[Example]) -> Rendering:
    """A rendering that makes the tokens of the base's server; the base's own options count where no server answers.

    Raises TrainingError when the server makes others, with the options and without."""
    candidates: list[Mapping[str, Any]] = [dict(base.chat_template_kwargs or {})]
    if candidates[0]:
        candidates.append({})  # the server may have been started without them
    renderings = [Rendering(tokenizer, options) for options in candidates]
    compared = examples[:: max(1, len(examples) // _COMPARED)][:_COMPARED]
    for server in base.servers:
        try:
            return _agreeing(base, server, renderings, compared)
        except EngineAway as error:
            _LOG.warning("its chat template is not compared with vLLM's: %s", error)
    return renderings[0]


def _agreeing(
    base: BaseModel, server: VllmClient, renderings: Sequence[Rendering], examples: Sequence[Example]
) -> Rendering:
    wrong = {}
    for rendering in renderings:
        differing = sum(not _same(base, server, rendering, example) for example in examples)
        if not differing:
            return rendering
        wrong[differing] = rendering
    raise TrainingError(
        f"{server.url} makes other tokens than the chat template in {base.folder!r} of {min(wrong)} of {len(examples)} "
        "calls: start it without --chat-template, or with the template of that folder"
    )


def _same(base: BaseModel, server: VllmClient, rendering: Rendering, example: Example) -> bool:
    """Whether both make the same of a call, or neither takes it: then it is in no training set either."""
    try:
        ours: Sequence[int] | None = list(rendering.tokens(example.request))
    except RenderingError:
        ours = None
    try:
        theirs: Sequence[int] | None = list(
            server.tokens({**example.request, "model": base.served_as or base.name})
        )
    except EngineRefused as error:
        if error.status == 404:  # it serves no /tokenize, as behind some gateways
            return True
        theirs = None
    return ours == theirs or theirs is None
