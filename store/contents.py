"""Contents stored once: parts by keyed hash, compressed and sealed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import zstandard
from sqlalchemy import Connection, bindparam, func, insert, select, update

from store.conversation import Atom
from store.database import execute_many
from store.reading import Body, read_unit
from store.schema import CONTENT_SWEEPS, contents, state
from store.template import Kind, Part

_CHUNK: Final = 500
_PLAIN: Final = b"\x00"
_ZSTD: Final = b"\x01"
_MAX_BODY: Final = 1 << 31
_LONG_UNIT: Final = 65_536
_UNIT_OVERHEAD: Final = 500
"""About what a remembered unit takes beside its key."""
_T = TypeVar("_T")


class Seals(Protocol):
    """Encrypts and decrypts; `store.keyring.Sealer` does."""

    def seal(self, plain: bytes, aad: bytes = b"") -> bytes: ...

    def open(self, sealed: bytes, aad: bytes = b"") -> bytes: ...


class Codec:
    """Turns parts into sealed bodies and back; may be shared between threads."""

    def __init__(self, sealer: Seals, level: int = 3) -> None:
        self._sealer = sealer
        parameters = zstandard.ZstdCompressionParameters.from_level(
            level, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_checksum=0
        )
        self._compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)
        self._turn = threading.Lock()  # the library's contexts serve one thread at a time

    def seal(self, plain: bytes, aad: bytes) -> bytes:
        """Compress where that helps, then encrypt."""
        with self._turn:
            packed = self._compressor.compress(plain)
        body = _ZSTD + packed if len(packed) < len(plain) else _PLAIN + plain
        return self._sealer.seal(body, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """The reverse; raises SealError."""
        body = self._sealer.open(sealed, aad)
        if body[:1] == _PLAIN:
            return body[1:]
        with self._turn:
            return self._decompressor.decompress(body[1:], max_output_size=_MAX_BODY)


class KnownUnit(NamedTuple):
    """What a unit that was stored before consists of."""

    ids: tuple[int, ...]
    atoms: tuple[Atom, ...]


@dataclass(slots=True)
class ContentCache:
    """What one shipper remembers of the contents table; bounded, and only of committed rows."""

    limit: int = 65_536
    byte_limit: int = 32 << 20
    sweeps: int = -1
    ids: dict[bytes, int] = field(default_factory=dict)
    units: dict[Kind, dict[bytes, KnownUnit]] = field(
        default_factory=lambda: {"turn": {}, "text": {}, "flat": {}}
    )
    """By their raw JSON, or its hash when that is long."""
    unit_bytes: int = 0
    days: dict[int, int] = field(default_factory=dict)
    """The day each content is known to have been used last."""

    def clear(self) -> None:
        """Forget everything."""
        self.ids.clear()
        self._clear_units()
        self.days.clear()

    def trim(self) -> None:
        """Forget the oldest half of what has outgrown the limit."""
        for known in (self.ids, self.days):
            _halve(known, self.limit)
        if self.unit_bytes > self.byte_limit:
            self._clear_units()

    def remember(self, kind: Kind, key: bytes, unit: KnownUnit) -> None:
        """Remember a unit by unit_key()."""
        self.units[kind][key] = unit
        self.unit_bytes += len(key) + _UNIT_OVERHEAD

    def _clear_units(self) -> None:
        for units in self.units.values():
            units.clear()
        self.unit_bytes = 0


def unit_key(raw: bytes) -> bytes:
    """What a unit is remembered by: short ones themselves, which is quicker than to hash them."""
    return raw if len(raw) < _LONG_UNIT else hashlib.blake2b(raw, digest_size=32).digest()


Reference = int | bytes
"""A content's id, or the digest of one that has no id yet."""


class Staged:
    """The contents of one batch, from staging to the commit."""

    def __init__(self, cache: ContentCache, codec: Codec, digest_key: bytes) -> None:
        self._cache = cache
        self._codec = codec
        self._key = digest_key
        self._fresh: dict[bytes, Part] = {}
        self._units: dict[Kind, dict[bytes, tuple[tuple[Reference, ...], tuple[Atom, ...]]]] = {
            "turn": {},
            "text": {},
            "flat": {},
        }
        self._found: dict[bytes, int] = {}
        self._used: dict[int, int] = {}
        self._first_new = 1 << 62

    def part(self, part: Part) -> Reference:
        """Refer to a part, to be stored if it is new."""
        digest = hashlib.blake2b(part, digest_size=16, key=self._key).digest()
        known = self._cache.ids.get(digest)
        if known is not None:
            return known
        self._fresh[digest] = part
        return digest

    def body(self, body: Body) -> tuple[list[Reference], list[Atom]]:
        """Refer to a whole body, and read its conversation; raises NotSplittable."""
        if body.skeleton is None:
            return [], []
        references = [self.part(body.skeleton)]
        atoms: list[Atom] = []
        known_turns, new_turns = self._cache.units["turn"], self._units["turn"]
        for index, raw in enumerate(body.units):
            if index in body.kinds:
                unit = self._unit(raw, body.kinds[index])
            else:
                unit = known_turns.get(raw) or new_turns.get(raw) or self._unit(raw, "turn")
            references += unit[0]
            atoms += unit[1]
        references += map(self.part, body.parts)
        return references, atoms

    def store(self, connection: Connection, uses: Iterable[tuple[int, Sequence[Reference]]]) -> None:
        """Give every staged part an id, and note the day of use; `uses` are (day, references) of each call."""
        uses = list(uses)
        days = {ref: day for day, refs in sorted(uses, key=lambda use: use[0]) for ref in refs}
        self._find(connection)
        missing = [digest for digest in self._fresh if digest in days and digest not in self._found]
        if missing:
            self._insert(connection, missing, days)
        self._note_days(connection, {self.id(ref): day for ref, day in days.items()})

    def ids(self, references: Sequence[Reference]) -> list[int]:
        """The ids of stored references."""
        found = self._found
        return [ref if type(ref) is int else found[ref] for ref in references]  # type: ignore[index]

    def id(self, reference: Reference) -> int:
        """The id of a stored reference."""
        return reference if isinstance(reference, int) else self._found[reference]

    def committed(self) -> None:
        """Remember what is now certain to be there."""
        self._cache.ids.update(self._found)
        self._cache.days.update(self._used)
        for kind, units in self._units.items():
            for key, (references, atoms) in units.items():
                if all(isinstance(ref, int) or ref in self._found for ref in references):
                    self._cache.remember(kind, key, KnownUnit(tuple(self.ids(references)), atoms))
        self._cache.trim()

    def _unit(self, raw: bytes, kind: Kind) -> tuple[tuple[Reference, ...], tuple[Atom, ...]]:
        key = unit_key(raw)
        known = self._cache.units[kind].get(key) or self._units[kind].get(key)
        if known is None:
            reading = read_unit(raw, kind)
            known = self._units[kind][key] = tuple(map(self.part, reading.parts)), reading.atoms
        return known

    def _find(self, connection: Connection) -> None:
        for chunk in chunks(list(self._fresh)):
            query = select(contents.c.digest, contents.c.id).where(contents.c.digest.in_(chunk))
            self._found.update((bytes(digest), number) for digest, number in connection.execute(query))

    def _insert(
        self, connection: Connection, digests: Sequence[bytes], days: Mapping[Reference, int]
    ) -> None:
        """Number new contents in the order of their use, so that those of one conversation lie together."""
        self._first_new = (connection.execute(select(func.max(contents.c.id))).scalar() or 0) + 1
        self._found.update(zip(digests, count(self._first_new)))
        rows = [
            {
                "id": self._found[digest],
                "digest": digest,
                "body": self._codec.seal(self._fresh[digest], digest),
                "last_used": days[digest],
            }
            for digest in digests
        ]
        execute_many(connection, insert(contents), rows)

    def _note_days(self, connection: Connection, days: Mapping[int, int]) -> None:
        known = self._cache.days
        self._used = {number: day for number, day in days.items() if known.get(number, -1) < day}
        rows = [
            {"used": number, "day": day} for number, day in self._used.items() if number < self._first_new
        ]
        if rows:
            connection.execute(_touch, rows)


_touch = (
    update(contents)
    .where(contents.c.id == bindparam("used"), contents.c.last_used < bindparam("day"))
    .values(last_used=bindparam("day"))
)


def check_sweeps(connection: Connection, cache: ContentCache) -> bool:
    """Forget remembered ids when contents were deleted since; inside the transaction that will use them."""
    value = connection.execute(select(state.c.value).where(state.c.name == CONTENT_SWEEPS)).scalar() or 0
    if value == cache.sweeps:
        return False
    cache.clear()
    cache.sweeps = value
    return True


def load(connection: Connection, codec: Codec, numbers: Iterable[int]) -> dict[int, Part]:
    """The parts with these ids; raises SealError."""
    parts: dict[int, Part] = {}
    for chunk in chunks(list(set(numbers))):
        query = select(contents.c.id, contents.c.digest, contents.c.body).where(contents.c.id.in_(chunk))
        for number, digest, body in connection.execute(query):
            parts[number] = codec.open(bytes(body), bytes(digest))
    return parts


def chunks(items: Sequence[_T], size: int = _CHUNK) -> Iterator[Sequence[_T]]:
    """Slices of bounded size: databases limit how many values a statement holds."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _halve(known: dict[Any, Any], limit: int) -> None:
    if len(known) > limit:
        for key in list(known)[: len(known) - limit // 2]:
            del known[key]
