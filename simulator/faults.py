"""Faults on request: what goes wrong, how often, and for whom.

A fault is written as `name=value` pairs joined by `;`, in the header `x-simulate`, as the model name
`simulate:SPEC`, or as `--fault SPEC` for every request. `docs/simulator.md` lists the names.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from serving.endpoints.errors import ApiError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with a response. Times are seconds, sizes bytes."""

    status: int = 0
    """Answer with this status instead."""
    message: str = "The server had an error while processing your request. Sorry about that!"
    body: str = ""
    """Answer with this raw body instead of the error envelope."""
    retry_after: str = ""
    retry_after_ms: str = ""
    should_retry: str = ""
    reset: str = ""
    """Reset the connection (RST) before the `head` or within the `body`."""
    close: str = ""
    """Close the connection (FIN) before the `head` or within the `body`."""
    stall: str = ""
    """Wait `seconds` before the `head` or within the `body`."""
    seconds: float = 30.0
    trickle: float = 0.0
    """Send the body at this many bytes a second."""
    truncate: bool = False
    """End a stream cleanly but early: no finish, no `[DONE]`."""
    malformed: str = ""
    """`json`: cut the JSON body short; `sse`: slip a broken event into the stream; `http`: answer no HTTP at all."""
    content_type: str = ""
    huge_headers: int = 0
    """Add a header of this many bytes."""
    length: int = 0
    """Promise this many bytes more than are sent."""
    error_event: str = ""
    """Break a stream off with an error event of this message."""
    reject: str = ""
    """Answer 400 when the request has this field, such as `stream_options`."""
    after: int = 200
    """How many body bytes pass before a fault within the body strikes."""
    failures: int = 0
    """Strike only the first N requests of each `key`; 0 means every one."""
    key: str = ""
    rate: float = 1.0
    """Share of the requests to strike (seeded)."""


def parse(spec: str) -> Fault:
    """Read a fault from its text; raises ApiError (400) naming the part that makes no sense."""
    kinds = {field.name: field.type for field in fields(Fault)}
    found: dict[str, Any] = {}
    for part in filter(None, (piece.strip() for piece in spec.split(";"))):
        name, _, text = part.partition("=")
        name = name.strip().replace("-", "_")
        if name not in kinds:
            known = ", ".join(sorted(kind.replace("_", "-") for kind in kinds))
            raise ApiError(
                400, f"Unknown fault {part!r} in x-simulate; known are: {known}", param="x-simulate"
            )
        found[name] = _value(part, str(kinds[name]), text.strip())
    return Fault(**found)


def _value(part: str, kind: str, text: str) -> object:
    try:
        if kind == "bool":
            return text in ("", "1", "true", "yes")
        if kind == "int":
            return int(text)
        return float(text) if kind == "float" else text
    except ValueError:
        message = f"Bad value in fault {part!r}: a number is wanted, such as {part.partition('=')[0]}=3"
        raise ApiError(400, message, param="x-simulate") from None


class FaultPlan:
    """Which faults strike: those every request may meet, and the counters behind `failures` and `rate`."""

    def __init__(self, standing: Sequence[Fault] = (), *, seed: int = 0) -> None:
        self._standing = tuple(standing)
        self._rng = random.Random(seed)  # noqa: S311  (which request fails, not secrets)
        self._struck: Counter[str] = Counter()
        self._lock = threading.Lock()

    def pick(self, spec: str) -> Fault | None:
        """The fault that strikes this request: the one asked for, else the first standing one that does."""
        faults = (parse(spec),) if spec else self._standing
        return next((fault for fault in faults if self._strikes(fault, spec)), None)

    def _strikes(self, fault: Fault, spec: str) -> bool:
        with self._lock:
            if fault.rate < 1 and self._rng.random() >= fault.rate:
                return False
            if not fault.failures:
                return True
            key = fault.key or spec
            self._struck[key] += 1
            return self._struck[key] <= fault.failures
