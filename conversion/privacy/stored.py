"""Records without values of people, for owners who want none in the log: each value has its surrogate's place.

What is stored then looks like any other call, so everything that reads the log works as before; that the values are
invented is known from the configuration alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import orjson

from conversion.privacy.pseudonyms import Pseudonyms
from conversion.privacy.structure import Rewriter, rewritten_request, rewritten_response
from conversion.privacy.surrogates import Surrogates
from conversion.privacy.veil import Unveil, Veil, recognisers
from store.keyring import KeyRing
from store.reading import answer_body, decoded
from store.record import Record

_PURPOSE: Final = b"stored-values"

_Rewrites = Callable[[Mapping[str, Any], Rewriter], dict[str, Any]]


class StoredVeil:
    """Replaces what the built-in recognisers find, the same value by the same surrogate throughout the log.

    Surrogates are drawn with a key of the ring: without it nobody can test whether a guess is right."""

    def __init__(self, ring: KeyRing) -> None:
        self._pseudonyms = Pseudonyms(ring.active.derive(_PURPOSE), recognisers())
        self._surrogates = Surrogates("")

    def record(self, record: Record) -> Record:
        """The record as it may be stored; itself where nothing was found."""
        return self._response(self._request(record))

    def _request(self, record: Record) -> Record:
        if not record.request:
            return record
        parsed = _parsed(record)
        body = self._text(record.request) if parsed is None else self._body(parsed, rewritten_request)
        if body is None:
            return record
        size = _size(body, record.request, record.request_size)
        return msgspec.structs.replace(record, request=body, request_size=size)

    def _response(self, record: Record) -> Record:
        plain = decoded(record)
        if not record.response or not plain:
            return record
        answered = answer_body(record, plain)
        body = self._body(answered, rewritten_response) if answered is not None else self._text(plain)
        if body is None:
            return record
        return msgspec.structs.replace(
            record,
            response=body,
            response_size=_size(body, record.response, record.response_size),
            response_type="application/json" if answered is not None else record.response_type,
            response_encoding="",
        )

    def _body(self, body: Mapping[str, Any], rewrite: _Rewrites) -> bytes | None:
        """A body with surrogates; None where it holds no value."""
        veiled = rewrite(body, Veil(self._pseudonyms, None))
        return None if veiled == body else msgspec.json.encode(rewrite(veiled, Unveil(self._surrogates)))

    def _text(self, data: bytes) -> bytes | None:
        """Bytes that are no JSON of a known kind, or whose end is missing, as text."""
        text = data.decode("utf-8", "replace")
        marked = self._pseudonyms.replace(text)
        return None if marked == text else self._surrogates.restore(marked).encode()


def _parsed(record: Record) -> dict[str, Any] | None:
    if record.endpoint == "other":
        return None
    try:
        parsed = orjson.loads(record.request or b"")
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _size(body: bytes, before: bytes, said: int) -> int:
    """The size to note: of a whole body its own, of one that was cut short more than is there."""
    return len(body) if len(before) >= said else max(said, len(body) + 1)
