"""A call's whole story: who calls, what is it, where does it go, what comes back, and how it is remembered.

handle ── authenticate ── read ── decide ──┬── understudy (held, checked) ──┐
                                           └── upstream <── falls back ─────┤
                                                                 relay ── record ── last byte
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Protocol

import orjson

from proxy import header_rules, own_headers
from proxy.agent import Agent
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
from store.record import CLIENT_LEFT, Record
from wire.errors import error_body
from wire.shape import endpoint_of
from wire.usage_splice import inject

log = logging.getLogger("understudy.forward")

_DOT_SEGMENT: Final = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_USAGE_ENDPOINTS: Final = ("chat.completions", "completions")
_ANTHROPIC_KINDS: Final = {401: "authentication_error", 404: "not_found_error"}
_LONGEST_MODEL: Final = 500
"""Characters of a model's name that are kept: it stands in records, statistics and headers."""
_NOT_ROUTABLE: Final = Decision("upstream", "no small model answers this endpoint")
_TOO_LARGE: Final = Decision("upstream", "the body is larger than server.buffer_limit")
_NOT_JSON: Final = Decision("upstream", "the body is not a JSON object")


class Appends(Protocol):
    """The journal, as the data path sees it."""

    def append(self, record: Record) -> bool: ...


class Forwarder:
    """The data path: one coroutine per call."""

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

    async def handle(self, agent: Agent) -> None:
        """Answer one request and record it, whatever happens."""
        now = self._snapshot()
        call = _begin(agent, now)
        try:
            await self._serve(call, agent, now)
        except ClientLeft:
            self._left(call)
        except Refusal as refusal:
            self._refuse(call, agent, refusal)
        except BrokenAnswer:
            log.warning("call %s: the answer broke off; the connection is cut", call.id_text)
            agent.cut()
        except asyncio.CancelledError:
            self._left(call)
            if not agent.left:
                agent.cut()
                raise
        except Exception as error:
            log.exception("call %s: a fault in the proxy", call.id_text)
            self._fail(call, agent, error)
        finally:
            self._record(call)

    async def _serve(self, call: Call, agent: Agent, now: Snapshot) -> None:
        call.key = self._auth.caller(agent.headers.lines).key
        if _climbs(call.path):
            raise Refusal(404, "The path contains dot segments; send it without them.", code="invalid_path")
        if call.endpoint == "other" and not call.headers.is_json:
            await self._pass_through(call, agent, now)
            return
        body = agent.whole_body()
        if body is None:
            call.waits()
            body, complete = await agent.read_body(now.buffer_limit)
            call.resumes()
            if not complete:
                await self._pass_through(call, agent, now, prefix=body)
                return
        agent.watch()
        call.request.add(body)
        parsed = _parse(body)
        call.stream = parsed.get("stream") is True
        call.requested_model = _model_of(parsed)
        decision = call.decision = self._decide(call, now, parsed, len(body))
        if decision.route == "slm" and await self._ask_understudy(call, agent, now, body, parsed):
            return
        await self._ask_upstream(call, agent, now, body, parsed)

    def _decide(self, call: Call, now: Snapshot, parsed: Mapping[str, Any], size: int) -> Decision:
        if call.endpoint == "other":
            return _NOT_ROUTABLE
        if not parsed:
            return _NOT_JSON
        try:
            return now.router.decide(Query(call.endpoint, parsed, size, call.headers.fields, call.key))
        except Exception as error:
            # Fail open: a fault in our own cleverness must never cost the agent its answer.
            log.exception("call %s: the router failed, the call goes upstream", call.id_text)
            return Decision("upstream", f"router fault: {type(error).__name__}")

    # The understudy

    async def _ask_understudy(
        self, call: Call, agent: Agent, now: Snapshot, body: bytes, parsed: Mapping[str, Any]
    ) -> bool:
        """Whether the understudy answered the agent; otherwise the upstream is to be asked."""
        decision = call.decision
        assert decision is not None
        understudy = now.understudies.get(decision.understudy)
        if understudy is None:
            return self._falls_back(call, decision, "no_engine")
        engine = understudy.engine.name
        injected = inject(body, parsed) if call.endpoint in _USAGE_ENDPOINTS else None
        try:
            held = await self._understudies.ask(
                call,
                understudy,
                injected or body,
                parsed,
                limit=decision.timeout,
                threshold=decision.threshold,
            )
        except Declined as declined:
            call.tried("slm", engine, declined.status, declined.cause)
            return self._falls_back(call, decision, declined.cause)
        except Exception:
            # Fail open here too: whatever an engine sends, the upstream is still to be asked.
            log.exception("call %s: a fault in asking the understudy, the call falls back", call.id_text)
            call.tried("slm", engine, 0, "fault")
            return self._falls_back(call, decision, "fault")
        call.tried("slm", engine, held.status)
        call.answers("slm", engine, understudy.name)
        call.served_model = understudy.model
        try:
            usage_filter = filter_for(held, injected=injected is not None)
            await Relay(call, agent, self._record, usage_filter).run(held, own_headers.for_call(call))
        finally:
            await held.aclose()
        return True

    @staticmethod
    def _falls_back(call: Call, decision: Decision, cause: str) -> bool:
        call.fallback = cause
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
        headers = call.headers.for_upstream(upstream, identity=injected is not None)
        await self._exchange(call, agent, upstream, headers, body, injected=injected)

    async def _pass_through(self, call: Call, agent: Agent, now: Snapshot, prefix: bytes = b"") -> None:
        """Send on as it arrives what is not ours to read: uploads, other media types, bodies past the buffer limit."""
        call.decision = _TOO_LARGE if prefix else _NOT_ROUTABLE
        call.request.room = 0
        body: bytes | AsyncIterator[bytes] = b""
        if prefix or agent.has_body:
            body = streamed(prefix, agent.stream_body(), call)
        else:
            agent.watch()
        upstream = now.upstreams.pick("")
        headers = call.headers.for_upstream(upstream, identity=None)
        await self._exchange(call, agent, upstream, headers, body, length=agent.length)

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
        request = Request(call.method, upstream.url(call.path), headers, body, length, upstream.timeouts)
        if upstream.total is None:
            sent = await self._upstreams.send(call, upstream, request, injected)
            await self._relay(call, agent, upstream, sent)
            return
        deadline = asyncio.get_running_loop().time() + upstream.total
        try:
            async with asyncio.timeout_at(deadline):
                sent = await self._upstreams.send(call, upstream, request, injected)
        except TimeoutError:
            call.tried("upstream", upstream.name, 0, "total_timeout")
            raise _out_of_time(upstream) from None
        await self._relay(call, agent, upstream, sent, deadline)

    async def _relay(
        self, call: Call, agent: Agent, upstream: Upstream, sent: Sent, deadline: float | None = None
    ) -> None:
        response = sent.response
        call.tried("upstream", upstream.name, response.status)
        call.answers("upstream", upstream.name)
        if call.endpoint == "other" and not header_rules.is_textual(response.headers):
            call.response.room = 0
        own = own_headers.for_call(call)
        if sent.exhausted:
            own += b"x-should-retry: false\r\n"
            response.headers = [line for line in response.headers if line[0] != b"x-should-retry"]
        try:
            usage_filter = filter_for(response, injected=True) if sent.usage_injected else None
            await Relay(call, agent, self._record, usage_filter, deadline).run(response, own)
        finally:
            await response.aclose()

    # Endings

    def _refuse(self, call: Call, agent: Agent, refusal: Refusal) -> None:
        """Answer with an error of our own; the one place where that is done."""
        if agent.started or agent.left:
            agent.cut()
            return
        kind = refusal.kind
        if call.endpoint == "messages":
            kind = _ANTHROPIC_KINDS.get(refusal.status, kind)
        body = error_body(call.endpoint, refusal.message, type=kind, param=refusal.param, code=refusal.code)
        call.status = refusal.status
        call.response_type = "application/json"
        call.response.clear()
        call.response.add(body)
        self._record(call)
        head = b"content-type: application/json\r\n" + own_headers.for_call(call)
        if refusal.should_retry is not None:
            head += b"x-should-retry: true\r\n" if refusal.should_retry else b"x-should-retry: false\r\n"
        agent.start(refusal.status, head, length=len(body))
        agent.finish(body)

    def _fail(self, call: Call, agent: Agent, error: Exception) -> None:
        message = f"The proxy failed on this call ({type(error).__name__}); its log has call {call.id_text}."
        self._refuse(call, agent, Refusal(500, message, kind="proxy_error", code="proxy_fault"))

    def _left(self, call: Call) -> None:
        if not call.recorded:
            call.status = CLIENT_LEFT
            call.abandoned()

    def _record(self, call: Call) -> None:
        if not call.recorded:
            call.recorded = True
            self._journal.append(call.record())


def _begin(agent: Agent, now: Snapshot) -> Call:
    path = agent.path.decode("latin-1")
    call = Call(
        method=agent.method,
        path=path,
        endpoint=endpoint_of(path) if agent.method == "POST" else "other",
        headers=agent.headers,
        config=now.version,
        limit=now.capture_limit,
        started=agent.received,
    )
    if not now.store_content:
        call.store_content = False
    return call


def _climbs(path: str) -> bool:
    """Whether dot segments could lead out of the upstream's base URL."""
    if "/." not in path and "%2" not in path:
        return False
    return _DOT_SEGMENT.search(path.partition("?")[0]) is not None


def _parse(body: bytes) -> dict[str, Any]:
    """The body as a mapping; empty when it is none: what is wrong with it is the upstream's to say."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _model_of(parsed: Mapping[str, Any]) -> str:
    model = parsed.get("model")
    return model[:_LONGEST_MODEL] if isinstance(model, str) else ""


def _out_of_time(upstream: Upstream) -> Refusal:
    return Refusal(
        504,
        f"The upstream {upstream.name!r} did not answer within {upstream.total:g} seconds in all.",
        kind="upstream_error",
        code="upstream_total_timeout",
    )
