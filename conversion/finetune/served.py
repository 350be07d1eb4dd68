"""Answers of a tuned adapter as vLLM gives them: loaded under a name of its own for as long as it is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from conversion.candidate import Attempted
from conversion.example import Example
from serving.vllm.client import VllmClient
from serving.vllm.errors import EngineError, EngineRefused
from wire.answer import answer_of
from wire.certainty import asking, certainty
from wire.tolerant import count, mapping

_AT_A_TIME: Final = 8
_OURS: Final = ("model", "stream", "stream_options", "store", "metadata", "service_tier", "user")
"""What is set anew, or means nothing to an engine."""


class ServedAnswers:
    """Asks one server. Raises EngineAway when it is away or goes away, EngineRefused when it does not take the adapter."""

    def __init__(self, server: VllmClient, files: Path) -> None:
        self._server = server
        self._files = files.resolve()
        self._name = "trial-" + hashlib.sha256(str(self._files).encode()).hexdigest()[:12]

    def answer(self, examples: Sequence[Example]) -> Sequence[Attempted]:
        """Answers in order; what the server refuses is no answer."""
        with self._loaded(), ThreadPoolExecutor(_AT_A_TIME) as pool:
            return list(pool.map(self._one, examples))

    @contextmanager
    def _loaded(self) -> Iterator[None]:
        self._server.load_adapter(self._name, self._files)
        try:
            yield
        finally:
            with suppress(EngineError):  # it forgets adapters when it restarts, anyway
                self._server.unload_adapter(self._name)

    def _one(self, example: Example) -> Attempted:
        try:
            response = self._server.complete("/chat/completions", self._request(example.request))
        except EngineRefused as error:
            if error.status == 404:  # it was restarted, and knows the adapter no more
                raise
            return Attempted(None)
        usage = mapping(response.get("usage"))
        return Attempted(
            answer_of("chat.completions", response),
            certainty("chat.completions", response) or 0.0,
            count(usage.get("total_tokens")) or 0,
        )

    def _request(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        kept = {name: value for name, value in request.items() if name not in _OURS}
        return asking("chat.completions", kept | {"model": self._name})
