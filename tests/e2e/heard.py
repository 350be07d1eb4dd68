"""What client programs say they heard, and what the log says of it."""

from __future__ import annotations

from typing import Any

import orjson

from benchmarks.stored import canonical
from store.calls import CallSummary
from tests.e2e.house import House, eventually

ANSWER = "The tool answered: 21 degrees in Paris"


def check_heard(conversations: list[dict[str, Any]]) -> None:
    """Every conversation called its tool once, and streamed where it was to."""
    for heard in conversations:
        assert (heard["tools"], heard["text"]) == (["Paris"], ANSWER)
        assert (heard["pieces"] > 1) == ("streamed" in heard["how"])


def check_log(house: House, session: str, expected: int, others: int = 0) -> None:
    """The calls of the session are logged, their requests equal as JSON to what was sent without the proxy; `others`
    of them on endpoints that no small model answers."""

    def shipped() -> list[CallSummary]:
        calls = house.in_session(f"through-{session}")
        return calls if len(calls) >= expected + others else []

    calls = eventually(shipped, f"{expected} calls in the database")
    assert len(calls) == expected + others
    kept = []
    for summary in calls:
        if summary.endpoint == "other":
            continue
        assert (summary.status, summary.error, summary.truncated) == (200, "", False)
        assert summary.usage_source in ("reported", "spliced")
        assert summary.usage.input > 0
        assert summary.usage.output > 0
        found = house.archive.call(summary.id)
        assert found is not None
        kept.append(canonical(orjson.loads(found.request.data)))
    sent = [canonical(orjson.loads(seen.body)) for seen in house.seen(f"straight-{session}") if seen.body]
    assert len(kept) == expected
    assert sorted(kept) == sorted(sent)
