"""Server-sent events: framing and reading, byte-exact, across any chunk boundary.

A block is everything up to and including the blank line that ends an event; the blocks of a stream, joined, are the
stream. Line ends may be LF, CRLF or CR and may be mixed (WHATWG HTML, section 9.2.6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_BLANK_LINE: Final = re.compile(rb"(?:\r\n?+|\n)(?:\r\n?+|\n)")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_DATA_LINE: Final = re.compile(rb"(?:^|(?<=[\r\n]))data:[ ]?([^\r\n]*+)")
_BOM: Final = b"\xef\xbb\xbf"
_LONGEST_ENDING: Final = 4
DEFAULT_LIMIT: Final = 16 * 1024 * 1024


class Event(NamedTuple):
    """One event. A block of comments only reads as an event without data."""

    event: str
    """Type of the event, `message` when the block names none."""
    data: bytes
    """The data lines, joined by LF."""
    id: str | None = None
    retry: int | None = None
    """Milliseconds."""


class Splitter:
    """Cuts a stream of chunks into blocks; the same blocks come out wherever the chunks were cut.

    A block that ends in CR is handed out with the byte after it, because an LF there would belong to it. An event
    that grows past `limit` bytes is handed out in pieces, so that a server cannot fill the memory.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._tail = b""

    @property
    def rest(self) -> bytes:
        """What has been fed and not been handed out yet."""
        return b"".join(self._pending)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The blocks that this chunk completes, each with its blank line."""
        if not self._pending:
            return self._cut(chunk)
        # Looking only at the seam keeps an event of many chunks linear: it is joined once, when its end has come.
        seam = self._tail + chunk
        if self._complete_end(seam) or self._pending_size + len(chunk) > self._limit:
            joined = self.rest + chunk
            self._pending = []
            return self._cut(joined)
        self._hold(chunk)
        return []

    def _complete_end(self, data: bytes) -> bool:
        if b"\r" not in data:
            return b"\n\n" in data
        match = _BLANK_LINE.search(data)
        return match is not None and not _may_go_on(data, match.end())

    def _cut(self, data: bytes) -> list[bytes]:
        blocks, position = _cut_lf(data) if b"\r" not in data else _cut_any(data)
        rest = data[position:]
        self._pending_size = 0
        self._tail = b""
        if len(rest) > self._limit:
            blocks.append(rest)
        elif rest:
            self._hold(rest)
        return blocks

    def _hold(self, chunk: bytes) -> None:
        self._pending.append(chunk)
        self._pending_size += len(chunk)
        self._tail = (self._tail + chunk[1 - _LONGEST_ENDING :])[1 - _LONGEST_ENDING :]


def _cut_lf(data: bytes) -> tuple[list[bytes], int]:
    blocks = []
    position = 0
    while (end := data.find(b"\n\n", position)) >= 0:
        blocks.append(data[position : end + 2])
        position = end + 2
    return blocks, position


def _cut_any(data: bytes) -> tuple[list[bytes], int]:
    blocks = []
    position = 0
    for match in _BLANK_LINE.finditer(data):
        if _may_go_on(data, match.end()):
            break
        blocks.append(data[position : match.end()])
        position = match.end()
    return blocks, position


def _may_go_on(data: bytes, end: int) -> bool:
    """Whether a blank line that ends here could still gain an LF from the next chunk."""
    return end == len(data) and data.endswith(b"\r")


def parse(block: bytes) -> Event:
    """Read one block. Fields that the standard ignores are ignored; a leading byte order mark is dropped."""
    if (
        block.startswith(b"data: ")
        and block.endswith(b"\n\n")
        and block.count(b"\n") == 2
        and b"\r" not in block
    ):
        return Event("message", block[6:-2])
    event, identifier, retry = "message", None, None
    data: list[bytes] = []
    for line in _LINE_END.split(block.removeprefix(_BOM)):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                data.append(value)
            case b"event":
                event = value.decode("utf-8", "replace") or "message"
            case b"id" if b"\0" not in value:
                identifier = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit():
                retry = int(value)
    return Event(event, b"\n".join(data), identifier, retry)


def data_span(block: bytes) -> tuple[int, int] | None:
    """Where the data of a block stands; None when it is spread over several lines, or when there is none."""
    lines = list(_DATA_LINE.finditer(block))
    return lines[0].span(1) if len(lines) == 1 else None


def events(data: bytes) -> Iterator[Event]:
    """The events of a whole stream that carry data; an event without its blank line is left out, as browsers do."""
    for block in Splitter(limit=len(data)).feed(data + b"\n" if data.endswith(b"\r") else data):
        event = parse(block)
        if event.data:
            yield event
