"""The `x-understudy-*` header lines of an answer: what became of the call, for whoever looks."""

from __future__ import annotations

from functools import lru_cache

from proxy import header_rules
from proxy.call import Call
from router.decision import Decision, Route
from router.sentence import sentence


def for_call(call: Call) -> bytes:
    """Our header lines, each with its line end. They say what is known when the answer's head leaves."""
    lines = (
        f"x-understudy-call-id: {call.id_text}\r\n"
        f"x-understudy-overhead-ms: {call.overhead_ns() / 1e6:.3f}\r\n"
    ).encode()
    lines += _of_route(call.route, call.served_model or call.requested_model, call.config)
    if call.decision is not None:
        lines += _of_decision(call.decision.rule, call.decision.task)
        lines += _reason(call.decision, call.route, call.understudy, call.confidence, call.fallback)
    if call.fallback:
        lines += b"x-understudy-fallback: %b\r\n" % call.fallback.encode()
    return lines


@lru_cache(maxsize=256)
def _of_route(route: str, model: str, config: str) -> bytes:
    return b"x-understudy-route: %b\r\nx-understudy-model: %b\r\nx-understudy-config: %b\r\n" % (
        route.encode(),
        header_rules.safe_value(model),
        config.encode(),
    )


@lru_cache(maxsize=256)
def _of_decision(rule: str, task: str) -> bytes:
    lines = b"x-understudy-rule: %b\r\n" % header_rules.safe_value(rule)
    return lines + b"x-understudy-task: %b\r\n" % header_rules.safe_value(task) if task else lines


@lru_cache(maxsize=256)
def _reason(
    decision: Decision, route: Route, understudy: str, confidence: float | None, fallback: str
) -> bytes:
    told = sentence(
        route,
        decision.rule,
        decision.reason,
        task=decision.task,
        understudy=understudy,
        confidence=confidence,
        fallback=fallback,
    )
    return b"x-understudy-reason: %b\r\n" % header_rules.safe_value(told)
