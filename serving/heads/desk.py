"""Where requests wait for the one thread that computes; those that came meanwhile are taken together."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from serving.heads.head import Head, Prediction

_BATCH: Final = 64


@dataclass(slots=True)
class _Waiting:
    head: Head
    text: str
    future: asyncio.Future[Prediction] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Desk:
    """Predictions off the event loop: a request alone is served at once, many at the same time in batches."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._busy: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="heads")

    async def predict(self, head: Head, text: str) -> Prediction:
        """What a head makes of a text."""
        waiting = _Waiting(head, text)
        self._waiting.append(waiting)
        if self._busy is None:
            self._busy = asyncio.create_task(self._work())
        return await waiting.future

    def close(self) -> None:
        """Stop the thread; nobody may wait any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
                await loop.run_in_executor(self._thread, _serve, batch, loop)
        finally:
            self._busy = None


def _serve(batch: list[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
    """Predict for each head's texts together; a fault goes to those who wait for that head alone."""
    by_head: dict[int, list[_Waiting]] = defaultdict(list)
    for each in batch:
        by_head[id(each.head)].append(each)
    for group in by_head.values():
        try:
            predictions = group[0].head.predict([each.text for each in group])
        except Exception as error:  # noqa: BLE001  (a thread's boundary: the request that waits raises it)
            for each in group:
                loop.call_soon_threadsafe(_fail, each.future, error)
            continue
        for each, prediction in zip(group, predictions, strict=True):
            loop.call_soon_threadsafe(_settle, each.future, prediction)


def _settle(future: asyncio.Future[Prediction], prediction: Prediction) -> None:
    if not future.done():
        future.set_result(prediction)


def _fail(future: asyncio.Future[Prediction], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
