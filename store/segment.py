"""The segment: one append-only file of encrypted records, written by one process and read by the shipper.

    header   magic 7 · version 1 · key id 4 · salt 16
    frame    mark 4 · length u32 · counter u32 · time u64 · ciphertext and tag (length bytes)
    frame    …

Each segment has a key of its own (HKDF of the master key with the salt), so the counter serves as nonce. A frame is
bound to the segment's name and to its own head: it cannot be moved, repeated or reordered unnoticed, and a dropped one
leaves a gap in the counters. The mark lets a reader find the next frame behind a damaged one. The time stands in
clear, so that anyone can see how old a backlog is without holding a key.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.errors import Tampered, UnknownVersion
from store.keyring import JOURNAL, KEY_ID_BYTES, TAG_BYTES, KeyRing, MasterKey
from store.record import Record, decode

SUFFIX: Final = ".seg"
MAGIC: Final = b"UNDSTDY"
VERSION: Final = 1
SALT_BYTES: Final = 16
MARK: Final = b"\xd7REC"

_HEADER: Final = struct.Struct(f">7sB{KEY_ID_BYTES}s{SALT_BYTES}s")
_HEAD: Final = struct.Struct(">4sIIQ")
HEADER_BYTES: Final = _HEADER.size
HEAD_BYTES: Final = _HEAD.size
_READ_AHEAD: Final = 1 << 20

Fault = Literal["", "damaged", "missing", "repeated", "undecodable"]


class SegmentCipher:
    """Encrypts and decrypts the frames of one segment."""

    __slots__ = ("_aead", "_name")

    def __init__(self, key: MasterKey, name: str, salt: bytes) -> None:
        self._aead = AESGCM(key.derive(JOURNAL, salt))
        self._name = name.encode()

    def seal(self, plain: bytes, counter: int, time_us: int) -> bytes:
        """Make a frame; a counter must never be used for two frames that reach the disk."""
        head = _HEAD.pack(MARK, len(plain) + TAG_BYTES, counter, time_us)
        return head + self._aead.encrypt(counter.to_bytes(12, "big"), plain, self._name + head)

    def open(self, head: bytes, counter: int, body: bytes) -> bytes | None:
        """Return the plain bytes, or None when head or body are not what was sealed here."""
        try:
            return self._aead.decrypt(counter.to_bytes(12, "big"), body, self._name + head)
        except InvalidTag:
            return None


def new_header(key: MasterKey, name: str) -> tuple[bytes, SegmentCipher]:
    """Start a segment: its header bytes and the cipher for its frames."""
    salt = os.urandom(SALT_BYTES)
    return _HEADER.pack(MAGIC, VERSION, key.id, salt), SegmentCipher(key, name, salt)


@dataclass(frozen=True, slots=True)
class Entry:
    """A stretch of a segment: one record, or a fault where one should have been."""

    record: Record | None
    start: int
    end: int
    """Bytes from the start of the file; reading resumes at `end`."""
    fault: Fault = ""


class SegmentReader:
    """Reads one segment, again and again while it grows; holds no file open in between."""

    def __init__(self, path: Path, ring: KeyRing, *, name: str | None = None) -> None:
        self.path = path
        self.name = name or path.name
        """The name the segment was written under, where the file is a moved or partial copy."""
        self.torn = 0
        """Bytes of an incomplete frame at the end, as the last reading found them."""
        self._ring = ring
        self._cipher: SegmentCipher | None = None
        self._next = (HEADER_BYTES, 0) if name is None else (0, 0)
        """Offset and counter of the frame after the last good one; a copy may begin with any frame."""

    def entries(self, offset: int = 0) -> Iterator[Entry]:
        """Yield what stands whole at and after `offset`, which is 0 or the end of an earlier entry.

        Raises KeyMissing when the ring lacks the segment's key, Tampered when the file is no segment,
        UnknownVersion, OSError.
        """
        with self.path.open("rb", buffering=_READ_AHEAD) as file:
            size = os.fstat(file.fileno()).st_size
            self.torn = 0
            if not self._unlock(file):
                self.torn = size
                return
            offset = max(offset, HEADER_BYTES)
            while offset < size:
                entries = self._step(file, offset, size)
                if not entries:
                    self.torn = size - offset
                    return
                yield from entries
                offset = entries[-1].end

    def _unlock(self, file: BinaryIO) -> bool:
        """Derive the key; False when the header is not complete yet."""
        if self._cipher is not None:
            return True
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return False
        magic, version, key_id, salt = _HEADER.unpack(header)
        if magic != MAGIC:
            raise Tampered(f"{str(self.path)!r} is not a journal segment")
        if version != VERSION:
            raise UnknownVersion(
                f"{str(self.path)!r} is a segment of version {version}; this program reads {VERSION}"
            )
        self._cipher = SegmentCipher(self._ring.by_id(key_id), self.name, salt)
        return True

    def _step(self, file: BinaryIO, offset: int, size: int) -> tuple[Entry, ...]:
        """The entries at an offset: a frame, perhaps after a gap, or a damaged stretch; none at a torn end."""
        frame = self._frame(file, offset, size)
        if frame is not None:
            return self._accept(offset, *frame)
        end = self._resume(file, offset, size)
        return (Entry(None, offset, end, "damaged"),) if end else ()

    def _accept(self, offset: int, end: int, counter: int, plain: bytes) -> tuple[Entry, ...]:
        """Check a genuine frame against its predecessor, if that is known."""
        known, expected = self._next
        self._next = (end, counter + 1)
        entry = _decode(plain, offset, end)
        if known != offset or counter == expected:
            return (entry,)
        if counter < expected:
            self._next = (end, expected)
            return (Entry(None, offset, end, "repeated"),)
        return (Entry(None, offset, offset, "missing"), entry)

    def _frame(self, file: BinaryIO, offset: int, size: int) -> tuple[int, int, bytes] | None:
        """End, counter and plain bytes of the frame at an offset; None when there is no whole genuine one."""
        assert self._cipher is not None
        file.seek(offset)
        head = file.read(HEAD_BYTES)
        if len(head) < HEAD_BYTES:
            return None
        mark, length, counter, _ = _HEAD.unpack(head)
        end = offset + HEAD_BYTES + length
        if mark != MARK or length < TAG_BYTES or end > size:
            return None
        plain = self._cipher.open(head, counter, file.read(length))
        return None if plain is None else (end, counter, plain)

    def _resume(self, file: BinaryIO, offset: int, size: int) -> int:
        """Where reading goes on behind a damaged frame; 0 when nothing whole follows."""
        file.seek(offset)
        rest = file.read(size - offset)  # a segment's size at most, and only when one is damaged
        if (end := _framed_end(rest)) and (end == len(rest) or rest.startswith(MARK, end)):
            return offset + end
        found = rest.find(MARK, 1)
        while found > 0:
            if self._frame(file, offset + found, size):
                return offset + found
            found = rest.find(MARK, found + 1)
        return 0


def frame_time(file: BinaryIO, offset: int) -> int | None:
    """Unix time in microseconds at which the frame at an offset was written; None when no frame stands there."""
    file.seek(max(offset, HEADER_BYTES))
    head = file.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES or not head.startswith(MARK):
        return None
    time_us: int = _HEAD.unpack(head)[3]
    return time_us


def _framed_end(rest: bytes) -> int:
    """End of the first frame by its own head, relative to it; 0 when the head cannot be right."""
    if len(rest) < HEAD_BYTES:
        return 0
    mark, length, _, _ = _HEAD.unpack_from(rest)
    end = int(HEAD_BYTES + length)
    return end if mark == MARK and length >= TAG_BYTES and end <= len(rest) else 0


def _decode(plain: bytes, start: int, end: int) -> Entry:
    try:
        return Entry(decode(plain), start, end)
    except msgspec.DecodeError:
        return Entry(None, start, end, "undecodable")
