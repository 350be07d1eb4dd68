"""A small model that an engine serves, asked as agents ask: over HTTP, with only `model` rewritten and, as the proxy does
where there is a threshold, the probabilities of tokens asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from conversion.candidate import Attempted, TrainingError
from router.decision import Endpoint
from wire.answer import answer_of
from wire.certainty import asking, certainty
from wire.tolerant import mapping, mappings
from wire.usage import read_usage

_PATHS: Final[Mapping[Endpoint, str]] = {
    "chat.completions": "/chat/completions",
    "completions": "/completions",
    "responses": "/responses",
    "messages": "/messages",
}
_LIMITS: Final[Mapping[Endpoint, tuple[str, ...]]] = {
    "chat.completions": ("max_tokens", "max_completion_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
_STREAM_KEYS: Final = ("stream", "stream_options")

Asked = tuple[Endpoint, Mapping[str, Any]]
"""An endpoint and a request body."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """Where a model is served."""

    base_url: str
    """Ends with `/v1`."""
    model: str
    """Its name there."""
    api_key: str = field(default="", repr=False)
    timeout: float = 120.0
    """Seconds for one answer."""
    concurrency: int = 8
    """Requests in flight."""
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """What turns its reasoning off."""

    def check(self) -> None:
        """Raises TrainingError where the engine is away or does not serve the model."""
        try:
            with self._client() as client:
                listed = client.get("/models")
                listed.raise_for_status()
                names = [str(each.get("id")) for each in mappings(mapping(listed.json()).get("data"))]
        except (httpx2.HTTPError, ValueError) as error:
            raise TrainingError(
                f"the engine at {self.base_url} does not list its models ({type(error).__name__}); start it, "
                "or give the base_url of one that runs"
            ) from None
        if self.model not in names:
            raise TrainingError(
                f"the engine at {self.base_url} serves {', '.join(names) or 'nothing'}, not {self.model!r}; "
                f"start it with this model"
            )

    def ask(self, requests: Sequence[Asked], longest: int = 0) -> Sequence[Attempted]:
        """Answers in order, of at most `longest` tokens where that is not 0; what the engine refuses or breaks off is an
        Attempted without answer."""
        with self._client() as client, ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(lambda asked: self._one(client, asked[0], asked[1], longest), requests))

    def _client(self) -> httpx2.Client:
        headers = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return httpx2.Client(base_url=self.base_url.rstrip("/"), headers=headers, timeout=self.timeout)

    def _one(
        self, client: httpx2.Client, endpoint: Endpoint, body: Mapping[str, Any], longest: int
    ) -> Attempted:
        path = _PATHS.get(endpoint)
        if path is None:
            return Attempted(None)
        try:
            response = client.post(path, json=_bounded(self._body(endpoint, body), endpoint, longest))
            answered = mapping(response.json()) if response.status_code == 200 else None
        except (httpx2.HTTPError, ValueError):
            return Attempted(None)
        if answered is None:
            return Attempted(None)
        usage = read_usage(endpoint, answered)
        return Attempted(
            answer_of(endpoint, answered),
            certainty(endpoint, answered) or 0.0,
            usage.total if usage else 0,
        )

    def _body(self, endpoint: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
        asked = {name: value for name, value in body.items() if name not in _STREAM_KEYS}
        asked["model"] = self.model
        if self.chat_template_kwargs and endpoint == "chat.completions":
            asked["chat_template_kwargs"] = dict(self.chat_template_kwargs)
        return asking(endpoint, asked)


def _bounded(body: dict[str, Any], endpoint: Endpoint, longest: int) -> dict[str, Any]:
    """The request with a limit on its answer, unless it has a lower one."""
    names = _LIMITS[endpoint]
    given = next((name for name in names if isinstance(body.get(name), int)), None)
    if not longest or (given is not None and body[given] <= longest):
        return body
    return {name: value for name, value in body.items() if name != given} | {names[0]: longest}
