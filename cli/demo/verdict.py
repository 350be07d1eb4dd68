"""Whether the understudies' answers were as good as the LLM's: each is asked of the LLM once more and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import orjson

from cli.context import open_store
from cli.demo.stage import Stage
from router.gate.scorers.by_kind import Kind, scorer_for
from store.calls import Call, Calls, Filters
from store.keyring import DIGEST, Sealer
from wire.answer import answer_of

_PAGE: Final = 200
_ASKING: Final = 8
_STREAMING: Final = ("stream", "stream_options")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the routable calls since some moment."""

    calls: int
    replaced: int
    agreed: int
    """Of the replaced ones, those that the LLM answers as well."""

    @property
    def rate(self) -> float:
        return self.replaced / self.calls if self.calls else 0.0

    @property
    def agreement(self) -> float | None:
        """None where nothing was replaced: then there is nothing that could agree."""
        return self.agreed / self.replaced if self.replaced else None

    @property
    def line(self) -> str:
        """The demonstration's last line."""
        agreement = "-" if self.agreement is None else f"{self.agreement:.1%}"
        return f"replacement rate {self.rate:.1%} of {self.calls:,} calls, agreement {agreement}"


def verdict(stage: Stage, since: int, kinds: Mapping[str, Kind]) -> Verdict:
    """Judge the calls that began from `since` (Unix microseconds) on; `kinds` says how a task's answers are compared."""
    calls = replaced = 0
    with open_store(stage.configuration) as store, httpx2.Client(base_url=stage.llm.url, timeout=60) as llm:
        read = Calls(store.engine, Sealer(store.ring), store.ring.active.derive(DIGEST))

        def agrees(call: Call) -> bool:
            return _agrees(call, llm, kinds.get(call.summary.task, "text"))

        agreed = 0
        with ThreadPoolExecutor(_ASKING) as pool:
            for page in _pages(read, since):
                calls += sum(call.summary.endpoint != "other" for call in page)
                understudies = [call for call in page if call.summary.route == "slm"]
                replaced += len(understudies)
                agreed += sum(pool.map(agrees, understudies))
    return Verdict(calls, replaced, agreed)


def _pages(read: Calls, since: int) -> Iterator[list[Call]]:
    before = None
    while True:
        page = list(read.read(Filters(since=since, before=before, limit=_PAGE)))
        if page:
            yield page
        if len(page) < _PAGE:
            return
        before = page[-1].summary.id


def _agrees(call: Call, llm: httpx2.Client, kind: Kind) -> bool:
    request: dict[str, Any] = orjson.loads(call.request.data)
    asked = {name: value for name, value in request.items() if name not in _STREAMING}
    answer = llm.post("/v1/chat/completions", json=asked)
    answer.raise_for_status()
    endpoint = call.summary.endpoint
    score = scorer_for(kind, request).score(
        answer_of(endpoint, answer.json()), answer_of(endpoint, orjson.loads(call.response.data))
    )
    return score.agrees
