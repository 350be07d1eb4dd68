"""What a call row keeps sealed: what differs in every call, and what is said about it rather than in it."""

from __future__ import annotations

from typing import Any

import msgspec

from store.record import Attempt, Record


class Circumstances(msgspec.Struct, array_like=True, frozen=True):
    """What many calls share; stored once, as a content."""

    method: str
    path: str
    request_type: str
    response_type: str
    response_encoding: str
    user_agent: str
    reason: str
    config: str

    @classmethod
    def of(cls, record: Record) -> Circumstances:
        return cls(
            record.method,
            record.path,
            record.request_type,
            record.response_type,
            record.response_encoding,
            record.user_agent,
            record.reason,
            record.config,
        )


class Detail(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """What differs in every call."""

    volatile: list[Any]
    """Values for the volatile holes of the response."""
    upstream_request_id: str = ""
    attempt_us: int = 0
    """Duration of the only attempt, which is otherwise told by the call row."""
    attempts: tuple[Attempt, ...] | None = None
    """All attempts, where there was not one that answered."""
    session: str = ""
    """The name that the agent gave its session."""

    @classmethod
    def of(cls, record: Record, volatile: list[Any]) -> Detail:
        plain = len(record.attempts) == 1 and record.attempts[0] == only_attempt(
            record, record.attempts[0].duration_us
        )
        return cls(
            volatile=volatile,
            upstream_request_id=record.upstream_request_id,
            attempt_us=record.attempts[0].duration_us if plain else 0,
            attempts=None if plain else record.attempts,
            session=record.session,
        )


def only_attempt(record: Record, duration_us: int) -> Attempt:
    """The attempt of a call that was answered at once."""
    return Attempt(record.route, record.target, record.status, "", duration_us)


encode_circumstances = msgspec.msgpack.Encoder().encode
decode_circumstances = msgspec.msgpack.Decoder(Circumstances).decode
encode_detail = msgspec.msgpack.Encoder().encode
decode_detail = msgspec.msgpack.Decoder(Detail).decode
