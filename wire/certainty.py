"""How sure a generative model was of an answer: as sure as of the token that it was least sure of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from wire.shape import Endpoint
from wire.tolerant import mapping, mappings, sequence

ASKING: Final[Mapping[Endpoint, object]] = {"chat.completions": True, "completions": 0}
"""What `logprobs` has to be for the probability of each token said, and of no other; the remaining endpoints give none."""

_ROUNDING: Final = 1e-3
"""How far above 0 the logarithm of a probability may come to lie."""
_LEAST: Final = -9999.0
"""vLLM's word for a probability of nothing; JSON may hold integers that are too small for a float."""


def asks(endpoint: Endpoint, body: Mapping[str, Any]) -> bool:
    """Whether a request asks for the probabilities of tokens itself."""
    given = body.get("logprobs")
    return given is not None if endpoint == "completions" else bool(given)


def asking(endpoint: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    """The request with the probabilities asked for, where its endpoint has them; what it asks for itself stays."""
    if endpoint not in ASKING or asks(endpoint, body):
        return dict(body)
    return {**body, "logprobs": ASKING[endpoint]}


def certainty(endpoint: Endpoint, response: Mapping[str, Any]) -> float | None:
    """The smallest probability, from 0 to 1, that the model gave to any token it said; None where that is not told.

    `response` is a body, or what the chunks of a stream add up to. Seen of vLLM 0.32.0: every token of the answer has its
    probability, whole and streamed; the one that ends the turn, those of reasoning, and those that its `hermes` parser
    reads as tool calls (`auto`, `required` and named) among them. They are the probabilities before temperature
    (`--logprobs-mode raw_logprobs`, the default) but after a grammar has ruled tokens out: one that a schema forces has
    probability 1. `/v1/responses` and `/v1/messages` tell none."""
    found: list[float] = []
    choices = mappings(response.get("choices")) if endpoint in ASKING else []
    for choice in choices:
        logarithms = list(_logarithms(mapping(choice.get("logprobs"))))
        if not logarithms or not all(map(_is_logarithm, logarithms)):
            return None
        found += logarithms
    return math.exp(max(min(0.0, *found), _LEAST)) if found else None


def _logarithms(logprobs: Mapping[str, Any]) -> Iterator[Any]:
    """Whatever stands in the place of each token's number."""
    for name in ("content", "refusal"):
        for token in mappings(logprobs.get(name)):
            yield token.get("logprob")
    yield from sequence(logprobs.get("token_logprobs"))


def _is_logarithm(value: object) -> bool:
    """False for NaN as well."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value <= _ROUNDING
