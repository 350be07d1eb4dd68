"""Whether a call is in the database as it was sent and answered."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from cli.context import open_store
from store.calls import Call, Calls, CallSummary, Filters
from store.errors import DatabaseError
from store.keyring import DIGEST, Sealer

_SECONDS: Final = 30.0
"""For a call to arrive in the database."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A call as its client knows it."""

    call_id: str
    request: bytes
    answer: bytes
    """Body of the same call without streaming."""
    streamed: bool


class Archive:
    """The stored calls of a proxy."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    @classmethod
    @contextmanager
    def opened(cls, configuration: Path) -> Iterator[Archive]:
        """The archive of a configuration file."""
        with open_store(configuration) as store:
            yield cls(Calls(store.engine, Sealer(store.ring), store.ring.active.derive(DIGEST)))

    def call(self, call_id: str, seconds: float = _SECONDS) -> Call | None:
        """A call, waited for until it has been shipped; None when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = self._calls.get(call_id)
            except DatabaseError:  # its tables may not be there yet
                found = None
            if found is not None or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def list(self, filters: Filters) -> Sequence[CallSummary]:
        """The stored calls that match, newest first; none while the database has no tables."""
        try:
            return self._calls.list(filters)
        except DatabaseError:
            return ()

    def missing(self, sent: Sent) -> str:
        """What is not in the database of a chat completions call, in words; empty when everything is."""
        found = self.call(sent.call_id)
        if found is None:
            return f"call {sent.call_id!r} is not in the database"
        lacks = ", ".join(_lacks(found, sent))
        return f"call {sent.call_id}: {lacks}" if lacks else ""


def _lacks(found: Call, sent: Sent) -> Iterator[str]:
    answer = orjson.loads(sent.answer)
    if found.summary.status != 200:
        yield f"status {found.summary.status}"
    if found.summary.stream != sent.streamed:
        yield f"stream {found.summary.stream}"
    if canonical(orjson.loads(found.request.data)) != canonical(orjson.loads(sent.request)):
        yield "another request"
    as_compared = said if sent.streamed else _whole
    if canonical(as_compared(orjson.loads(found.response.data))) != canonical(as_compared(answer)):
        yield "another response"
    usage = found.summary.usage
    if (usage.input + usage.cached_input + usage.cache_write, usage.output) != _tokens(answer):
        yield f"other token counts ({usage})"
    if found.summary.usage_source not in ("reported", "spliced"):
        yield f"token counts {found.summary.usage_source or 'not known'}"


def canonical(value: Any) -> bytes:
    """JSON that is the same for values that are equal as JSON; unlike `==` it tells 1 from 1.0 and from true."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _whole(body: Mapping[str, Any]) -> Any:
    return body


def said(body: Mapping[str, Any]) -> Any:
    """What an answer says: its output, or its choices less what only one way of answering mentions. A stream is silent
    about what there is not, such as a refusal or annotations."""
    if "output" in body:
        return body["output"]
    return [
        {key: value for key, value in _spoken(choice).items() if value not in (None, [])}
        | {"finish_reason": choice["finish_reason"]}
        for choice in body["choices"]
    ]


def _spoken(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    message: Mapping[str, Any] = choice.get("message") or {"text": choice.get("text")}
    return message


def _tokens(body: Mapping[str, Any]) -> tuple[int, int]:
    return body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]
