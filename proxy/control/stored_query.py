"""A stored call as the router saw it."""

from __future__ import annotations

import orjson

from router.decision import Query
from store.calls import Call


def query_of(call: Call) -> Query | None:
    """What could be known of a call before it was answered; None when its content was not kept."""
    if call.request.kind != "json":
        return None
    headers = {"x-understudy-session": call.session_name} if call.session_name else {}
    if call.summary.task:
        headers["x-understudy-task"] = call.summary.task
    return Query(
        call.summary.endpoint,
        orjson.loads(call.request.data),
        call.summary.request_size,
        headers,
        call.summary.key,
    )
