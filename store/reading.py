"""What a record means: its bodies taken apart, its tokens and cost, the conversation it belongs to. No I/O."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import zstandard

from store.conversation import Atom, read_answer, read_turn
from store.prices import Prices
from store.record import CLIENT_LEFT, Record
from store.template import Kind, NotSplittable, Part, Split, split_request, split_response, split_unit
from wire.accumulate import final_body
from wire.tolerant import mapping, text
from wire.usage import Usage, estimate, read_usage

RAW_LIMIT: Final = 262_144
"""Bytes kept of a body that cannot be taken apart: not JSON, cut short, or of another endpoint."""
_INFLATED_LIMIT: Final = 64 * 1024 * 1024

_MAX_TOKENS: Final = 1_000_000_000
"""Tokens that one call may state; more cannot be true, and would overflow the sums."""

STREAM: Final = 1
REQUEST_RAW: Final = 2
RESPONSE_RAW: Final = 4
TRUNCATED: Final = 8
WITHHELD: Final = 16
"""Flags of a call: streamed; a body stored as the bytes it was; a body whose end is missing; content not stored."""


class _Link(msgspec.Struct):
    previous_response_id: str | None = None


_decode_answer = msgspec.json.Decoder(dict[str, Any]).decode
_decode_link = msgspec.json.Decoder(_Link).decode
_error_name = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class UnitReading:
    """A message or parameter that was taken apart once; the same bytes mean the same the next time."""

    parts: tuple[Part, ...]
    atoms: tuple[Atom, ...]


@dataclass(slots=True)
class Body:
    """The parts of one body in order. A unit stands for its parts, which the content store may know already."""

    skeleton: Part | None = None
    units: list[bytes] = field(default_factory=list)
    kinds: dict[int, Kind] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    volatile: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, split: Split) -> Body:
        return cls(split.skeleton, split.units, split.kinds, split.parts, split.counts, split.volatile)

    @classmethod
    def raw(cls, data: bytes) -> Body:
        return cls(skeleton=data[:RAW_LIMIT])


@dataclass(slots=True)
class Reading:
    """One record, read."""

    record: Record
    request: Body
    response: Body
    flags: int
    usage: Usage
    usage_source: int
    """Index into schema.USAGE_SOURCES."""
    cost: int | None
    list_cost: int | None
    error: str
    answer: tuple[Atom, ...]
    answer_id: str
    """Id of the answer on the responses endpoint, by which a later request may refer to it."""
    continues: str
    """`previous_response_id` of the request."""

    @property
    def routable(self) -> bool:
        return self.record.endpoint != "other"

    @property
    def failed(self) -> bool:
        """Whether the agent got an error. A client that left made none."""
        return self.record.status != CLIENT_LEFT and not 100 <= self.record.status < 400

    @property
    def unpriced(self) -> bool:
        """Whether the call belongs on a bill and its models have no price."""
        return self.routable and not self.failed and (self.cost is None or self.list_cost is None)


class Reader:
    """Reads records; remembers nothing."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    def read(self, record: Record) -> Reading:
        """Take a record apart; never raises for what agents and models may send."""
        flags = (STREAM if record.stream else 0) | (TRUNCATED if record.truncated else 0)
        if record.request is None or record.response is None:
            flags |= WITHHELD
        plain = decoded(record)
        answered = answer_body(record, plain)
        request, request_raw = _request(record)
        response, response_raw = _response(plain, answered)
        usage, source = _usage(record, answered)
        cost, list_cost = self._costs(record, usage)
        return Reading(
            record=record,
            request=request,
            response=response,
            flags=flags | (REQUEST_RAW if request_raw else 0) | (RESPONSE_RAW if response_raw else 0),
            usage=usage,
            usage_source=source,
            cost=cost,
            list_cost=list_cost,
            error=_error(record, answered),
            answer=read_answer(answered) if answered is not None and record.status < 400 else (),
            answer_id=text((answered or {}).get("id")) if record.endpoint == "responses" else "",
            continues=_previous(record),
        )

    def _costs(self, record: Record, usage: Usage) -> tuple[int | None, int | None]:
        """What the call cost, and what the requested model would have cost."""
        if record.endpoint == "other":
            return None, None
        asked = self._prices.cost(record.requested_model, usage)
        served = self._prices.cost(record.served_model, usage)
        if record.route == "slm":
            return served or 0, asked
        upstream = asked if asked is not None else served
        return upstream, upstream


def read_unit(raw: bytes, kind: Kind) -> UnitReading:
    """Take a unit apart and read what it says; raises NotSplittable."""
    parts, value = split_unit(raw, kind)
    return UnitReading(parts, read_turn(value) if kind == "turn" else ())


def decoded(record: Record) -> bytes | None:
    """The response without its content coding; as it is when the coding is unknown or broken."""
    data = record.response
    decode = DECODERS.get(record.response_encoding.lower())
    if data is None or decode is None:
        return data
    try:
        return decode(data)
    except (zlib.error, zstandard.ZstdError):
        return data


def _gunzip(data: bytes) -> bytes:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(data, _INFLATED_LIMIT)


def _inflate(data: bytes) -> bytes:
    try:
        return _gunzip(data)
    except zlib.error:  # some servers leave out the head that RFC 9110 asks for
        return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(data, _INFLATED_LIMIT)


def _unpack(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        return reader.read(_INFLATED_LIMIT)


DECODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "zstd": _unpack,
}
"""The content codings that are read. The proxy offers upstreams no others."""


def answer_body(record: Record, data: bytes | None) -> dict[str, Any] | None:
    """The answer as one JSON object, rebuilt where it was streamed; None where it is none. `data` is decoded."""
    if not data or record.endpoint == "other":
        return None
    if "event-stream" in record.response_type.lower():
        return final_body(record.endpoint, record.response_type, data)
    try:
        return _decode_answer(data)  # exact for numbers of any size, as what is stored must be
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _request(record: Record) -> tuple[Body, bool]:
    if not record.request:
        return Body(), False
    if record.endpoint == "other" or len(record.request) < record.request_size:
        return Body.raw(record.request), True
    try:
        return Body.of(split_request(record.request)), False
    except NotSplittable:
        return Body.raw(record.request), True


def _response(data: bytes | None, answered: dict[str, Any] | None) -> tuple[Body, bool]:
    if not data:
        return Body(), False
    if answered is None:
        return Body.raw(data), True
    try:
        return Body.of(split_response(answered)), False
    except NotSplittable:
        return Body.raw(data), True


def _usage(record: Record, answered: dict[str, Any] | None) -> tuple[Usage, int]:
    if (
        record.endpoint == "other"
        or answered is None
        or (record.status >= 400 and record.status != CLIENT_LEFT)
    ):
        return Usage(), 0
    if (reported := _stated(record, answered)) is not None:
        return reported, 1
    if record.usage_response:
        spliced = final_body(record.endpoint, "text/event-stream", record.usage_response)
        if spliced is not None and (usage := _stated(record, spliced)) is not None:
            return usage, 2
    return estimate(record.endpoint, _parsed(record.request), answered), 3


def _stated(record: Record, answered: dict[str, Any]) -> Usage | None:
    usage = read_usage(record.endpoint, answered)
    return usage if usage is not None and usage.total + usage.reasoning <= _MAX_TOKENS else None


def _parsed(data: bytes | None) -> Mapping[str, Any]:
    try:
        return mapping(msgspec.json.decode(data or b"{}"))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}


def _error(record: Record, answered: dict[str, Any] | None) -> str:
    """The provider's name of the error, when it looks like a name."""
    error = mapping((answered or {}).get("error"))
    for name in (error.get("type"), error.get("code")):
        if isinstance(name, str) and _error_name.fullmatch(name):
            return name
    return ""


def _previous(record: Record) -> str:
    if record.endpoint != "responses" or not record.request:
        return ""
    try:
        return _decode_link(record.request).previous_response_id or ""
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
