"""A call's whole story: who calls, what is it, where does it go, what comes back, and how it is remembered.

serve ── authenticate ── read ── decide ──┬── understudy (held, checked) ──┐
                                          └── upstream <── falls back ─────┤
                                                                relay ── record ── last byte
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Protocol

import orjson

from proxy import headers as header_rules
from proxy.agent import Agent, Receive, Scope, Send
from proxy.auth import Authenticator
from proxy.call import Call
from proxy.errors import BrokenAnswer, ClientLeft, Refusal
from proxy.relay import Relay, filter_for
from proxy.sending import Sent, UpstreamClient, streamed
from proxy.snapshot import Snapshot
from proxy.targets import Upstream
from proxy.transport.base import Headers, Request
from proxy.understudy import Declined, UnderstudyClient
from router.decision import Decision, Query
from store.record import CLIENT_LEFT, Endpoint, Record
from wire.errors import error_body
from wire.shape import endpoint_of
from wire.usage_splice import inject

log = logging.getLogger("understudy.forward")

_USAGE_ENDPOINTS: Final = ("chat.completions", "completions")
_TEXTUAL: Final = ("application/json", "text/", "application/x-ndjson")
_NOT_ROUTABLE: Final = Decision("upstream", "no small model answers this endpoint")
_TOO_LARGE: Final = Decision("upstream", "the body is larger than server.buffer_limit")


class Appends(Protocol):
    """The journal, as the data path sees it."""

    def append(self, record: Record) -> bool: ...


class Forwarder:
    """The data path as an ASGI callable for `/v1/*`."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        auth: Authenticator,
        upstreams: UpstreamClient,
        understudies: UnderstudyClient,
        journal: Appends,
    ) -> None:
        self._snapshot = snapshot
        self._auth = auth
        self._upstreams = upstreams
        self._understudies = understudies
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = self._snapshot()
        agent = Agent(receive, send)
        call = _begin(scope, now)
        try:
            await self._serve(call, agent, now)
        except ClientLeft:
            self._left(call)
        except Refusal as refusal:
            await self._refuse(call, agent, refusal)
        except BrokenAnswer:
            log.warning("call %s: the answer broke off; the connection is cut", call.id_text)
        except asyncio.CancelledError:
            self._left(call)
            if not agent.left:
                raise
            _forgive()
        finally:
            agent.unwatch()
            self._record(call)

    async def _serve(self, call: Call, agent: Agent, now: Snapshot) -> None:
        call.key = self._auth.caller(call.headers).key
        if "/../" in call.path or "/./" in call.path:
            raise Refusal(404, "The path contains dot segments; send it without them.", code="invalid_path")
        if call.endpoint == "other":
            whole = header_rules.first(call.headers, b"content-type").startswith("application/json")
            await (self._pass_whole if whole else self._pass_through)(call, agent, now)
            return
        call.waits()
        body, complete = await agent.read_body(now.buffer_limit)
        call.resumes()
        if not complete:
            await self._pass_through(call, agent, now, prefix=body)
            return
        call.request.add(body)
        agent.watch()
        parsed = _parse(body)
        call.stream = parsed.get("stream") is True
        model = parsed.get("model")
        call.requested_model = model if isinstance(model, str) else ""
        decision = self._decide(call, now, parsed, len(body))
        if decision.route == "slm" and await self._ask_understudy(call, agent, now, body, parsed, decision):
            return
        await self._ask_upstream(call, agent, now, body, parsed)

    # Deciding

    def _decide(self, call: Call, now: Snapshot, parsed: Mapping[str, Any], size: int) -> Decision:
        if not parsed:
            call.decision = Decision("upstream", "the body is not a JSON object")
            return call.decision
        query = Query(call.endpoint, parsed, size, header_rules.readable(call.headers), call.key)
        try:
            call.decision = now.router.decide(query)
        except Exception as error:
            # Fail open: a fault in our own cleverness must never cost the agent its answer.
            log.exception("call %s: the router failed, the call goes upstream", call.id_text)
            call.decision = Decision("upstream", f"router fault: {type(error).__name__}")
        return call.decision

    # The understudy

    async def _ask_understudy(
        self,
        call: Call,
        agent: Agent,
        now: Snapshot,
        body: bytes,
        parsed: Mapping[str, Any],
        decision: Decision,
    ) -> bool:
        """Whether the understudy answered the agent; otherwise the upstream is to be asked."""
        understudy = now.understudies.get(decision.understudy)
        if understudy is None:
            call.fallback = "no_engine"
            return self._may_fall_back(decision, "no_engine")
        engine = understudy.engine.name
        injected = inject(body, parsed) if call.endpoint in _USAGE_ENDPOINTS else None
        try:
            held = await self._understudies.ask(
                call, understudy, injected or body, parsed, limit=decision.timeout
            )
        except Declined as declined:
            call.tried("slm", engine, declined.status, declined.cause)
            call.fallback = declined.cause
            return self._may_fall_back(decision, declined.cause)
        call.tried("slm", engine, held.status)
        call.answers("slm", engine, understudy.name)
        call.served_model = understudy.model
        try:
            relay = Relay(
                call, agent, self._record, usage_filter=filter_for(held, injected=injected is not None)
            )
            await relay.run(held, _own_headers(call))
        finally:
            await held.aclose()
        return True

    @staticmethod
    def _may_fall_back(decision: Decision, cause: str) -> bool:
        if decision.fallback:
            return False
        raise Refusal(
            502,
            f"The understudy {decision.understudy!r} did not answer ({cause}) and its rule allows no fallback.",
            kind="understudy_error",
            code=f"understudy_{cause}",
        )

    # The upstream

    async def _ask_upstream(
        self, call: Call, agent: Agent, now: Snapshot, body: bytes, parsed: Mapping[str, Any]
    ) -> None:
        upstream = now.upstreams.pick(call.requested_model)
        injected = None
        if call.stream and upstream.injects_usage and call.endpoint in _USAGE_ENDPOINTS:
            injected = inject(body, parsed)
        headers = header_rules.for_upstream(call.headers)
        headers = header_rules.readable_encoding(headers, identity=injected is not None)
        await self._exchange(call, agent, upstream, headers, body, injected=injected)

    async def _pass_whole(self, call: Call, agent: Agent, now: Snapshot) -> None:
        """Send on a JSON body of an endpoint that no understudy answers; its model chooses the upstream."""
        call.waits()
        body, complete = await agent.read_body(now.buffer_limit)
        call.resumes()
        if not complete:
            await self._pass_through(call, agent, now, prefix=body)
            return
        agent.watch()
        call.request.add(body)
        model = _parse(body).get("model")
        call.requested_model = model if isinstance(model, str) else ""
        call.decision = _NOT_ROUTABLE
        upstream = now.upstreams.pick(call.requested_model)
        headers = header_rules.readable_encoding(header_rules.for_upstream(call.headers), identity=False)
        await self._exchange(call, agent, upstream, headers, body)

    async def _pass_through(self, call: Call, agent: Agent, now: Snapshot, prefix: bytes = b"") -> None:
        """Send on as it arrives what is not ours to read: uploads, other media types, bodies past the buffer limit."""
        call.decision = _TOO_LARGE if prefix else _NOT_ROUTABLE
        call.request.room = 0
        length = header_rules.first(call.headers, b"content-length")
        body: bytes | AsyncIterator[bytes] = b""
        if length not in ("", "0") or header_rules.first(call.headers, b"transfer-encoding"):
            body = streamed(prefix, agent.stream_body(), call)
        else:
            await agent.read_body(0)
            agent.watch()
        headers = header_rules.for_upstream(call.headers)
        known = int(length) if length.isdigit() else None
        await self._exchange(call, agent, now.upstreams.pick(""), headers, body, length=known)

    async def _exchange(
        self,
        call: Call,
        agent: Agent,
        upstream: Upstream,
        headers: Headers,
        body: bytes | AsyncIterator[bytes],
        *,
        injected: bytes | None = None,
        length: int | None = None,
    ) -> None:
        """One request to an upstream and its answer to the agent, within the upstream's total time."""
        request = Request(
            call.method, upstream.url(call.path), upstream.sign(headers), body, length, upstream.timeouts
        )
        repeatable = call.endpoint != "other"
        if upstream.total is None:
            sent = await self._upstreams.send(
                call, upstream, request, injected=injected, repeatable=repeatable
            )
            await self._relay(call, agent, upstream, sent)
            return
        try:
            async with asyncio.timeout(upstream.total):
                sent = await self._upstreams.send(
                    call, upstream, request, injected=injected, repeatable=repeatable
                )
                await self._relay(call, agent, upstream, sent)
        except TimeoutError:
            call.broke("total_timeout")
            raise _out_of_time(upstream, started=agent.started) from None

    async def _relay(self, call: Call, agent: Agent, upstream: Upstream, sent: Sent) -> None:
        response = sent.response
        call.tried("upstream", upstream.name, response.status)
        call.answers("upstream", upstream.name)
        if call.endpoint == "other" and not _textual(header_rules.first(response.headers, b"content-type")):
            call.response.room = 0
        own = _own_headers(call)
        if sent.exhausted:
            own.append((b"x-should-retry", b"false"))
        try:
            relay = Relay(
                call, agent, self._record, usage_filter=filter_for(response, injected=sent.usage_injected)
            )
            await relay.run(response, own)
        finally:
            await response.aclose()

    # Endings

    async def _refuse(self, call: Call, agent: Agent, refusal: Refusal) -> None:
        """Answer with an error of our own; the one place where that is done."""
        body = error_body(
            call.endpoint, refusal.message, type=refusal.kind, param=refusal.param, code=refusal.code
        )
        call.status = refusal.status
        call.response_type = "application/json"
        call.response.clear()
        call.response.add(body)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *_own_headers(call),
        ]
        if refusal.should_retry is not None:
            headers.append((b"x-should-retry", b"true" if refusal.should_retry else b"false"))
        if refusal.status == 408:
            headers.append((b"connection", b"close"))
        self._record(call)
        await agent.start(refusal.status, headers)
        await agent.finish(body)

    def _left(self, call: Call) -> None:
        if not call.recorded:
            call.status = CLIENT_LEFT
            call.broke("client_left")

    def _record(self, call: Call) -> None:
        if call.recorded:
            return
        call.recorded = True
        self._journal.append(call.record())


def _begin(scope: Scope, now: Snapshot) -> Call:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("latin-1")
    endpoint: Endpoint = endpoint_of(path) if scope["method"] == "POST" else "other"
    query: bytes = scope["query_string"]
    call = Call(
        method=scope["method"],
        path=f"{path}?{query.decode('latin-1')}" if query else path,
        endpoint=endpoint,
        headers=scope["headers"],
        config=now.version,
        limit=now.capture_limit,
    )
    call.store_content = call.store_content and now.store_content
    return call


def _parse(body: bytes) -> dict[str, Any]:
    """The body as a mapping; empty when it is none: what is wrong with it is the upstream's to say."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _own_headers(call: Call) -> Headers:
    decision = call.decision
    lines = [
        (b"x-understudy-call-id", call.id_text.encode()),
        (b"x-understudy-route", call.route.encode()),
        (b"x-understudy-model", header_rules.safe_value(call.served_model or call.requested_model)),
        (b"x-understudy-overhead-ms", b"%.3f" % (call.overhead_ns() / 1e6)),
        (b"x-understudy-config", call.config.encode()),
    ]
    if decision is not None:
        lines.append((b"x-understudy-rule", header_rules.safe_value(decision.rule)))
        lines.append((b"x-understudy-reason", header_rules.safe_value(decision.reason)))
        if decision.task:
            lines.append((b"x-understudy-task", header_rules.safe_value(decision.task)))
    if call.fallback:
        lines.append((b"x-understudy-fallback", call.fallback.encode()))
    return lines


def _textual(content_type: str) -> bool:
    return content_type.startswith(_TEXTUAL)


def _out_of_time(upstream: Upstream, *, started: bool) -> Exception:
    if started:
        return BrokenAnswer()
    return Refusal(
        504,
        f"The upstream {upstream.name!r} did not complete its answer within {upstream.total:g} seconds.",
        kind="upstream_error",
        code="upstream_total_timeout",
    )


def _forgive() -> None:
    """The cancellation was ours: the agent left, and the task ends in peace."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
