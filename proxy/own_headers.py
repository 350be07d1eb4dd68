"""The `x-understudy-*` header lines of an answer: what became of the call, for whoever looks."""

from __future__ import annotations

from functools import lru_cache

from proxy import header_rules
from proxy.call import Call
from router.decision import Route
from router.sentence import sentence


def for_call(call: Call) -> bytes:
    """Our header lines, each with its line end. They say what is known when the answer's head leaves."""
    decision = call.decision
    varying = (
        f"x-understudy-call-id: {call.id_text}\r\n"
        f"x-understudy-overhead-ms: {call.overhead_ns() / 1e6:.3f}\r\n"
    )
    lines = varying.encode() + _of_route(call.route, call.served_model or call.requested_model, call.config)
    if decision is None:
        return lines
    return lines + _of_decision(
        decision.rule,
        decision.reason,
        decision.task,
        call.route,
        call.understudy,
        call.confidence,
        call.fallback,
    )


@lru_cache(maxsize=256)
def _of_route(route: str, model: str, config: str) -> bytes:
    return b"x-understudy-route: %b\r\nx-understudy-model: %b\r\nx-understudy-config: %b\r\n" % (
        route.encode(),
        header_rules.safe_value(model),
        config.encode(),
    )


@lru_cache(maxsize=256)
def _of_decision(
    rule: str, reason: str, task: str, route: Route, understudy: str, confidence: float | None, fallback: str
) -> bytes:
    told = sentence(
        route, rule, reason, task=task, understudy=understudy, confidence=confidence, fallback=fallback
    )
    lines = [b"x-understudy-rule: " + header_rules.safe_value(rule)]
    if task:
        lines.append(b"x-understudy-task: " + header_rules.safe_value(task))
    lines.append(b"x-understudy-reason: " + header_rules.safe_value(told))
    if fallback:
        lines.append(b"x-understudy-fallback: " + fallback.encode())
    return b"\r\n".join([*lines, b""])
