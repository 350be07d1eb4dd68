"""The scorer that fits a task's kind of answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from router.gate.scorers.free_text import Similarity, TextScorer, TokenF1
from router.gate.scorers.json_values import JsonScorer
from router.gate.scorers.labels import LabelScorer
from router.gate.scorers.score import Scorer
from router.gate.scorers.tool_calls import ToolCallScorer, schemas_of

Kind = Literal["label", "json", "tool_call", "text"]


def scorer_for(kind: Kind, request: Mapping[str, Any], likeness: Similarity | None = None) -> Scorer:
    """A scorer for answers to one request; `likeness` is how free text is compared, words in common by default.

    Tool calls are compared first whatever the kind, since an LLM may call one where it mostly speaks."""
    return ToolCallScorer(schemas_of(request), _content_scorer(kind, likeness or TokenF1()))


def _content_scorer(kind: Kind, likeness: Similarity) -> Scorer:
    match kind:
        case "label":
            return LabelScorer()
        case "json":
            return JsonScorer()
        case "tool_call" | "text":
            return TextScorer(likeness)
