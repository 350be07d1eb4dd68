"""Stored calls as JSON: bodies are put in as they are stored, so that they equal what was sent."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

import msgspec
import orjson

from router.sentence import sentence
from store.calls import Call, CallSummary, StoredBody
from store.prices import NANO


def summary_page(call: CallSummary) -> dict[str, Any]:
    """A call without its content. Times are seconds, durations milliseconds, money dollars."""
    page = asdict(call)
    page["started"] = call.started / 1e6
    for name in ("duration", "first_byte", "overhead"):
        value = page.pop(name)
        page[f"{name}_ms"] = None if value is None else value / 1000
    for name in ("cost", "list_cost", "cost_avoided"):
        page[name] = None if page[name] is None else page[name] / NANO
    return page


def explanation(call: Call) -> str:
    """The call's route in one sentence, as in its x-understudy-reason header."""
    told = call.summary
    return sentence(
        told.route,
        told.rule,
        call.circumstances.reason,
        task=told.task,
        understudy=told.understudy,
        confidence=told.confidence,
        fallback=told.fallback,
    )


def call_page(call: Call) -> bytes:
    """A call with its content, as JSON."""
    page = summary_page(call.summary)
    page["explanation"] = explanation(call)
    page |= msgspec.to_builtins(msgspec.structs.asdict(call.circumstances))
    page["attempts"] = [msgspec.structs.asdict(attempt) for attempt in call.attempts]
    page["upstream_request_id"] = call.upstream_request_id
    page["session_name"] = call.session_name
    page["request_body"] = _body(call.request)
    page["response_body"] = _body(call.response)
    return orjson.dumps(page)


def _body(body: StoredBody) -> Any:
    """JSON as it is; other text as a string; other bytes as `{"base64": …}`; null when nothing was kept."""
    if body.kind == "none":
        return None
    if body.kind == "json":
        return orjson.Fragment(body.data)
    try:
        return body.data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body.data).decode()}
