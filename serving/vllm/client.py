"""One vLLM server, spoken to over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from serving.vllm.errors import EngineAway, EngineRefused

_QUICK: Final = 5.0
_LOADING: Final = 120.0
"""Seconds that reading an adapter's weights may take."""
_ANSWERING: Final = 300.0


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A name that the server answers to."""

    name: str
    adapter: bool
    """Whether it is an adapter loaded on the base model."""
    folder: str
    """Where its files are, on the server's machine."""
    context: int = 0
    """Tokens that a call may read and write together; 0 when it does not say."""


class VllmClient:
    """A server by its `/v1` URL; every method raises EngineAway or EngineRefused."""

    def __init__(self, base_url: str, api_key: str = "") -> None:
        self.url: Final = base_url.removesuffix("/").removesuffix("/v1")
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=_QUICK)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections up."""
        self._http.close()

    def healthy(self) -> bool:
        """Whether it says that it can answer."""
        try:
            self._ask("GET", "/health")
        except (EngineAway, EngineRefused):
            return False
        return True

    def version(self) -> str:
        """vLLM's version."""
        return str(_object(self._ask("GET", "/version"), self.url).get("version", ""))

    def models(self) -> Mapping[str, ServedModel]:
        """What it serves, by name."""
        listed = _object(self._ask("GET", "/v1/models"), self.url).get("data") or ()
        return {
            model["id"]: ServedModel(
                name=model["id"],
                adapter=model.get("parent") is not None,
                folder=model.get("root") or "",
                context=model.get("max_model_len") or 0,
            )
            for model in listed
        }

    def load_adapter(self, name: str, folder: Path) -> None:
        """Load an adapter from a folder on the server's machine, or put it in the place of the one of this name."""
        body = {"lora_name": name, "lora_path": str(folder), "load_inplace": True}
        self._ask("POST", "/v1/load_lora_adapter", body, _LOADING)

    def unload_adapter(self, name: str) -> None:
        """Give an adapter up; calls for it are refused from now on."""
        self._ask("POST", "/v1/unload_lora_adapter", {"lora_name": name})

    def metrics(self) -> str:
        """Its metrics, in Prometheus' text format."""
        return self._ask("GET", "/metrics").text

    def tokens(self, request: Mapping[str, Any]) -> Sequence[int]:
        """The tokens that a chat completion request becomes, by the chat template that is in force there."""
        kept = {name: request[name] for name in ("model", "messages", "tools") if name in request}
        tokens: Sequence[int] = _object(self._ask("POST", "/tokenize", kept), self.url)["tokens"]
        return tokens

    def complete(self, path: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The response to a request below `/v1`, such as `/chat/completions`."""
        return _object(self._ask("POST", f"/v1{path}", dict(request), _ANSWERING), self.url)

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, seconds: float = _QUICK
    ) -> httpx2.Response:
        try:
            response = self._http.request(method, path, json=body, timeout=seconds)
        except httpx2.TimeoutException:
            raise EngineAway(f"{self.url}: no answer to {path} within {seconds:.0f} s") from None
        except httpx2.HTTPError as error:
            raise EngineAway(
                f"{self.url}: cannot be reached for {path}: {str(error) or type(error).__name__}"
            ) from None
        if response.is_error:
            raise EngineRefused(
                f"{self.url}: {path} was answered {response.status_code}: {_reason(response)}",
                response.status_code,
            )
        return response


def _reason(response: httpx2.Response) -> str:
    """The error's message, in vLLM's words; the beginning of the body where it has none."""
    try:
        return str(response.json()["error"]["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return response.text[:200] or "nothing more"


def _object(response: httpx2.Response, url: str) -> Mapping[str, Any]:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise EngineRefused(
            f"{url}: the answer is no JSON object; is this a vLLM server?", response.status_code
        )
    return found
