"""The streaming upstream: `python -m benchmarks.events_upstream PORT` answers chat streams with foretold bytes.

The request says what it wants: `seed` which bytes, `metadata.events` how many events, `metadata.pause` how many seconds
between two of them, `stream_options.include_usage` whether usage is told. A gateway that drops
`metadata` gets five events without a pause.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvloop

from benchmarks.events import cut, events
from benchmarks.process import free_port, listening, running

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)


async def _answer(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await _stream(await reader.readexactly(_length(head)), writer)
    writer.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _stream(body: bytes, writer: StreamWriter) -> None:
    request = json.loads(body)
    seed, metadata = request.get("seed", 0), request.get("metadata") or {}
    usage = bool((request.get("stream_options") or {}).get("include_usage"))
    pause = float(metadata.get("pause", 0))
    writer.write(_HEAD)
    for number, event in enumerate(events(seed, count=int(metadata.get("events", 5)), usage=usage)):
        if number and pause:
            await writer.drain()
            await asyncio.sleep(pause)
        for piece in cut(event, seed + number):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


@contextmanager
def events_upstream(folder: Path) -> Iterator[str]:
    """Run the streaming upstream for the length of the block; yields its root URL."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.events_upstream", str(port)]
    with running(command, log=folder / "output.log", ready=lambda: listening(port)):
        yield f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
