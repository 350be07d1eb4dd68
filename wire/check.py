"""Whether an understudy's answer can be used at all: is it whole, is it JSON, does it keep to the schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from wire.shape import Endpoint

Cause = Literal["empty", "refusal", "truncated", "schema", "tool"]


class AnswerChecker:
    """Checks answers against what their requests demanded; compiled schemas are kept, the least used dropped."""

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity

    def check(
        self, endpoint: Endpoint, request: Mapping[str, Any], response: Mapping[str, Any]
    ) -> Cause | None:
        """None when the answer can be used, else why not. A bad schema in the request is not held against it."""
        raise NotImplementedError
