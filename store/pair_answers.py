"""Answers kept with pairs, sealed, so that people can look at both sides by side."""

from __future__ import annotations

import msgspec

from store.contents import Seals
from wire.answer import Answer, ToolCall


class _Kept(msgspec.Struct, array_like=True):
    text: str
    calls: list[tuple[str, str]]
    finish_reason: str
    refusal: str


class PairAnswers:
    """Seals and opens answers; `open` raises SealError."""

    def __init__(self, sealer: Seals) -> None:
        self._sealer = sealer

    def seal(self, understudy: str, call_id: str, answer: Answer) -> bytes:
        """The bytes for `PairRow.answer`."""
        calls = [(call.name, call.arguments) for call in answer.tool_calls]
        kept = _Kept(answer.text, calls, answer.finish_reason, answer.refusal)
        return self._sealer.seal(msgspec.msgpack.encode(kept), _binding(understudy, call_id))

    def open(self, understudy: str, call_id: str, sealed: bytes) -> Answer | None:
        """The answer of the side that the agent did not see; None where none was kept."""
        if not sealed:
            return None
        kept = msgspec.msgpack.decode(self._sealer.open(sealed, _binding(understudy, call_id)), type=_Kept)
        calls = tuple(ToolCall(name, arguments) for name, arguments in kept.calls)
        return Answer(kept.text, calls, kept.finish_reason, kept.refusal)


def _binding(understudy: str, call_id: str) -> bytes:
    return f"pair/{understudy}/{call_id}".encode()
