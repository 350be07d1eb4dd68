"""Where examples come from: the log, read page by page, the newest calls first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgspec

from conversion.example import Example
from router.decision import Query
from router.limits import call_limit
from router.read import Reading
from store.calls import Call, Calls, Filters
from store.errors import SealError
from wire.answer import Answer, answer_of
from wire.check import AnswerChecker

Unfit = Literal[
    "replaced",
    "not routable",
    "failed",
    "incomplete",
    "content not stored",
    "unreadable",
    "beyond small models",
    "truncated",
    "refused",
    "empty",
    "schema broken",
]
"""Why a call cannot be learned from."""

_PAGE: Final = 200
_CAUSES: Final[Mapping[str, Unfit]] = {
    "empty": "empty",
    "refusal": "refused",
    "truncated": "truncated",
    "schema": "schema broken",
    "tool": "schema broken",
}
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of the log is read; times are Unix microseconds, None is without end."""

    since: int | None = None
    until: int | None = None
    limit: int = 100_000
    """Calls read at most, the newest ones."""


Audit = Callable[[str, str], Answer | None]
"""What the LLM answered to a replaced call, by understudy and call; None when it was not asked."""


def _never(understudy: str, call_id: str) -> Answer | None:
    return None


def read(
    calls: Calls, span: Span, known: Collection[str] = (), audit: Audit = _never
) -> Iterator[Example | Unfit]:
    """Each call of the span, the newest first: an example, or why it is none. Holds one page in memory.

    `known` are ids of tasks that were recognised before: a call that carries one was not labelled by its agent.
    Raises DatabaseError."""
    checker = AnswerChecker()
    for call in _calls(calls, span):
        yield _example(call, checker, known, audit) if isinstance(call, Call) else call


def _example(call: Call, checker: AnswerChecker, known: Collection[str], audit: Audit) -> Example | Unfit:
    """A call as an example, or why it cannot be learned from."""
    summary = call.summary
    for unfit, holds in _OUTSIDE.items():
        if holds(call):
            return unfit
    try:
        request, response = _decode(call.request.data), _decode(call.response.data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return "unreadable"
    if call_limit(Reading(Query(summary.endpoint, request, summary.request_size))):
        return "beyond small models"
    answer: Answer | None
    if summary.route == "slm":
        answer = audit(summary.understudy, summary.id)
        if answer is None:
            return "replaced"
    elif cause := checker.check(summary.endpoint, request, response):
        return _CAUSES[cause]
    else:
        answer = answer_of(summary.endpoint, response)
    if answer.finish_reason not in ("stop", "tool_calls", "function_call"):
        return "truncated"
    return Example(
        call_id=summary.id,
        session=summary.session,
        started=summary.started,
        endpoint=summary.endpoint,
        request=request,
        answer=answer,
        model=summary.served_model or summary.model,
        label="" if summary.task in known else summary.task,
        input_tokens=summary.usage.total - summary.usage.output,
        output_tokens=summary.usage.output,
        cost=summary.cost or 0,
    )


_OUTSIDE: Final[Mapping[Unfit, Callable[[Call], bool]]] = {
    "not routable": lambda call: call.summary.endpoint == "other",
    "failed": lambda call: call.summary.status != 200 or bool(call.summary.error),
    "incomplete": lambda call: call.summary.truncated,
    "content not stored": lambda call: "none" in (call.request.kind, call.response.kind),
    "unreadable": lambda call: (call.request.kind, call.response.kind) != ("json", "json"),
}


def _calls(calls: Calls, span: Span) -> Iterator[Call | Unfit]:
    filters = Filters(since=span.since, until=span.until)
    left = span.limit
    while left > 0:
        filters = replace(filters, limit=min(_PAGE, left))
        page = _page(calls, filters)
        yield from (call if isinstance(call, Call) else "unreadable" for call in page)
        if len(page) < filters.limit:
            return
        left -= len(page)
        last = page[-1]
        filters = replace(filters, before=last.summary.id if isinstance(last, Call) else last)


def _page(calls: Calls, filters: Filters) -> Sequence[Call | str]:
    """A page of calls; one that cannot be opened stands as its id, and costs only itself."""
    try:
        return calls.read(filters)
    except SealError:
        return [_one(calls, summary.id) for summary in calls.list(filters)]


def _one(calls: Calls, call_id: str) -> Call | str:
    try:
        return calls.get(call_id) or call_id
    except SealError:
        return call_id
