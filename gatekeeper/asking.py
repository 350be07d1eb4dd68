"""Asking one model server once more, away from the data path: without streaming, and with patience."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx2
import orjson

from gatekeeper.targets import Target
from wire.shape import Endpoint

Fault = Literal["unreachable", "refused", "busy", "request", "broken", "timeout"]
"""Why there is no answer: nobody listens; the key is not taken, or the model is not there; told to wait; the request
itself is not accepted; the answer is no answer; it took too long."""

WAITED_FOR: Final[tuple[Fault, ...]] = ("unreachable", "refused", "busy")
"""Faults of the server, not of the model that was asked: the same trial is made again later."""

_BUSY: Final = (408, 409, 425, 429, 502, 503, 504)
_REFUSED: Final = (401, 402, 403)
_LARGEST_WAIT: Final = 3600.0
_CONFIDENCE: Final = "x-understudy-confidence"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    seconds: float = 0.0
    confidence: float | None = None
    """As the engine says of itself in a header."""
    fault: Fault | None = None
    status: int = 0
    wait: float = 0.0
    """Seconds that the server asked to be left alone."""


class Asker:
    """Sends requests over one client; of several URLs the next one each time."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._turns: dict[str, int] = {}

    async def ask(self, target: Target, endpoint: Endpoint, path: str, body: Mapping[str, Any]) -> Reply:
        """Ask and wait for the whole answer; never raises for anything that a server can do."""
        if not target.urls:
            return Reply(fault="unreachable")
        url = self._next(target) + path.removeprefix("/v1")
        limits = target.timeouts
        timeout = httpx2.Timeout(limits.idle, connect=limits.connect, read=limits.first_byte)
        began = time.perf_counter()
        try:
            response = await self._client.post(
                url, content=orjson.dumps(body), headers=_headers(target, endpoint), timeout=timeout
            )
        except httpx2.ConnectTimeout:
            return Reply(fault="unreachable")
        except httpx2.TimeoutException:
            return Reply(fault="timeout", seconds=time.perf_counter() - began)
        except (httpx2.ConnectError, httpx2.PoolTimeout):
            return Reply(fault="unreachable")
        except httpx2.HTTPError:
            return Reply(fault="broken")
        return _reply(response, time.perf_counter() - began)

    def _next(self, target: Target) -> str:
        turn = self._turns.get(target.name, 0)
        self._turns[target.name] = turn + 1
        return target.urls[turn % len(target.urls)]


def _headers(target: Target, endpoint: Endpoint) -> dict[str, str]:
    headers = {"content-type": "application/json", "accept": "application/json"}
    if target.api_key and endpoint == "messages":
        headers |= {"x-api-key": target.api_key, "anthropic-version": "2023-06-01"}
    elif target.api_key:
        headers["authorization"] = f"Bearer {target.api_key}"
    return headers | dict(target.headers)


def _reply(response: httpx2.Response, seconds: float) -> Reply:
    status = response.status_code
    if status >= 400:
        return Reply(fault=_fault(status), status=status, wait=_wait(response), seconds=seconds)
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return Reply(fault="broken", status=status, seconds=seconds)
    if not isinstance(body, dict):
        return Reply(fault="broken", status=status, seconds=seconds)
    return Reply(body, seconds, _number(response.headers.get(_CONFIDENCE)), status=status)


def _fault(status: int) -> Fault:
    if status in _REFUSED or status == 404:  # an engine says 404 while it has not loaded the model
        return "refused"
    if status in _BUSY:
        return "busy"
    return "request" if status < 500 else "broken"


def _wait(response: httpx2.Response) -> float:
    return min(max(_number(response.headers.get("retry-after")) or 0.0, 0.0), _LARGEST_WAIT)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
