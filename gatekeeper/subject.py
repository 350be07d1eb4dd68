"""A stored call, made ready to be asked again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from router.decision import Query
from router.limits import call_limit
from router.read import Reading
from store.calls import Call, StoredBody
from wire.answer import Answer, answer_of
from wire.shape import Endpoint

_STREAMING: Final = ("stream", "stream_options")


class Unusable(Exception):
    """A call that cannot be asked again; the message says why, without content."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked, and what the agent was told."""

    call_id: str
    endpoint: Endpoint
    path: str
    """Below the server root, such as `/v1/chat/completions`."""
    request: Mapping[str, Any] = field(repr=False)
    answer: Answer = field(repr=False)
    """The one that the agent received."""
    model: str
    """As the agent asked."""
    confidence: float | None
    """Of the understudy, where it answered and said so."""

    @classmethod
    def of(cls, call: Call | None) -> Subject:
        """Read a call; raises Unusable."""
        if call is None:
            raise Unusable("the call is not stored any more")
        summary = call.summary
        if summary.status != 200 or summary.truncated or summary.endpoint == "other":
            raise Unusable("the call did not end well")
        request, response = _object(call.request), _object(call.response)
        limit = call_limit(Reading(Query(summary.endpoint, request, summary.request_size)))
        if limit:
            raise Unusable(limit)
        return cls(
            summary.id,
            summary.endpoint,
            call.circumstances.path,
            request,
            answer_of(summary.endpoint, response),
            summary.model,
            summary.confidence,
        )

    def body(self, model: str) -> dict[str, Any]:
        """The request for a model, with its whole answer at once."""
        kept = {name: value for name, value in self.request.items() if name not in _STREAMING}
        return kept | {"model": model}

    def digest(self, key: bytes) -> bytes:
        """A keyed hash: requests that ask the same of the same model have the same one."""
        canonical = orjson.dumps(self.body(self.model), option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(canonical, key=key, digest_size=16).digest()


def _object(body: StoredBody) -> dict[str, Any]:
    if body.kind == "none":
        raise Unusable("its content was not stored")
    try:
        value = orjson.loads(body.data) if body.kind == "json" else None
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Unusable("its content is no JSON object")
    return value
