"""The pass over the log by several processes, each over stretches of its own; what they counted is added up."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Final

from backtest.replay import Counted, Progress
from store.scan import Stretch

Work = Callable[[Stretch, Progress], Counted]
"""The pass over one stretch."""

_FORK: Final = "fork"
"""Children begin with everything that is loaded here, which could not be handed over in another way."""


def spread(work: Work, stretches: Sequence[Stretch], processes: int, progress: Progress) -> Counted:
    """Do the work on every stretch, in this process alone where there is nothing to share.

    `progress` hears of all calls together. Raises what the work raises, and ChildProcessError when a process is killed."""
    many = min(processes, len(stretches))
    if many < 2 or _FORK not in multiprocessing.get_all_start_methods():
        return _in_turn(work, stretches, progress)
    counted = Counted()
    with _children(work, [stretches[start::many] for start in range(many)]) as connections:
        read = dict.fromkeys(connections, 0)
        waiting = set(connections)
        while waiting:
            for connection in wait(waiting):
                assert isinstance(connection, Connection)
                match _received(connection):
                    case int(done):
                        read[connection] = done
                        progress(sum(read.values()))
                    case Counted() as found:
                        counted.add(found)
                        waiting.remove(connection)
                    case Exception() as error:
                        raise error
    return counted


def _in_turn(work: Work, stretches: Sequence[Stretch], progress: Progress) -> Counted:
    counted = Counted()
    for stretch in stretches:
        before = counted.read
        counted.add(work(stretch, lambda done, before=before: progress(before + done)))  # type: ignore[misc]
    return counted


@contextmanager
def _children(work: Work, shares: Sequence[Sequence[Stretch]]) -> Iterator[Sequence[Connection]]:
    """A process for each share, with what it says; none is left when the block ends."""
    context = multiprocessing.get_context(_FORK)
    pipes = [context.Pipe(duplex=False) for _ in shares]
    readers = [reader for reader, _ in pipes]
    children = [
        context.Process(target=_child, args=(work, share, writer, readers), daemon=True)
        for share, (_, writer) in zip(shares, pipes, strict=True)
    ]
    for child, (_, writer) in zip(children, pipes, strict=True):
        child.start()
        writer.close()
    try:
        yield readers
    finally:
        for child in children:
            child.terminate()
            child.join()


def _child(work: Work, share: Sequence[Stretch], told: Connection, readers: Sequence[Connection]) -> None:
    """Send how far it is, and what was counted or went wrong in the end."""
    for reader in readers:  # the parent's; kept open here, nobody would notice that it is gone
        reader.close()
    try:
        outcome: Counted | Exception = _in_turn(work, share, told.send)
    except Exception as error:  # noqa: BLE001  the parent raises it
        outcome = error
    told.send(outcome)


def _received(connection: Connection) -> object:
    try:
        return connection.recv()
    except EOFError:
        raise ChildProcessError("a process of the backtest was killed; is there enough memory?") from None
