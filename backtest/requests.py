"""A request as far as rules, limits and the recogniser look at it, put together from the parts in the log.

Of a conversation they read the instructions, what the user said first and last, the tools' results at its end and the
last turn; of the others only what kind of turn each is. So the texts of those others stay sealed, and stand here as
empty strings; everything else is as the agent sent it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from store.template import HOLE, LIST
from wire.shape import content_text
from wire.tolerant import mapping, mappings, text

_SYSTEM_ROLES: Final = ("system", "developer")
_CONVERSATIONS: Final = ("messages", "input")
_RESULTS: Final = ("function_call_output", "custom_tool_call_output")
_LIMIT: Final = 50_000
"""Templates and units that are remembered, each."""
_decode = msgspec.json.Decoder().decode


class Unreadable(ValueError):
    """The parts make no request."""


@dataclass(frozen=True, slots=True)
class _Template:
    """A unit without its long strings."""

    stub: Any
    pieces: tuple[bytes, ...]
    """Its text, cut where the strings go."""
    holes: int
    """How many parts fill it."""
    role: str
    says: bool
    """Whether it holds text."""
    result: bool
    """Whether it is what a tool gave back."""


@dataclass(frozen=True, slots=True)
class _Skeleton:
    """A request without its units: its small parameters, and the members that units fill, in order."""

    members: dict[str, Any]
    filled: tuple[tuple[str, bool], ...]
    """Each with whether it is a list."""


class Requests:
    """Puts requests together; `part` gives a content by its number. Remembers what repeats."""

    def __init__(self, part: Callable[[int], bytes]) -> None:
        self._part = part
        self._templates: dict[int, _Template] = {}
        self._skeletons: dict[int, _Skeleton] = {}
        self._units: dict[tuple[int, ...], Any] = {}

    def body(self, ids: Sequence[int], counts: Sequence[int]) -> dict[str, Any]:
        """The request of these parts; raises Unreadable, and what `part` raises."""
        skeleton = self._skeletons.get(ids[0]) or self._skeleton(ids[0])
        body = skeleton.members.copy()
        place, lengths = 1, iter(counts)
        try:
            for key, is_list in skeleton.filled:
                if not is_list:
                    place, value = self._unit(ids, place)
                elif key in _CONVERSATIONS:
                    place, value = self._turns(ids, place, next(lengths))
                else:
                    raise Unreadable(f"a list in {key!r}")
                body[key] = value
        except (IndexError, StopIteration):
            raise Unreadable("parts are missing") from None
        return body

    def _unit(self, ids: Sequence[int], place: int) -> tuple[int, Any]:
        template = self._templates.get(ids[place]) or self._template(ids[place])
        end = place + 1 + template.holes
        return end, self._whole(template, ids, place, end)

    def _turns(self, ids: Sequence[int], place: int, count: int) -> tuple[int, list[Any]]:
        known = self._templates
        turns: list[Any] = []
        where: list[tuple[_Template, int, int]] = []
        first = last = -1
        for index in range(count):
            template = known.get(ids[place]) or self._template(ids[place])
            end = place + 1 + template.holes
            where.append((template, place, end))
            if template.role in _SYSTEM_ROLES:
                turns.append(self._whole(template, ids, place, end))
            else:
                turns.append(template.stub)
                if template.says and template.role == "user":
                    last = index
                    if first < 0:
                        first = index
            place = end
        read = {first, last, count - 1}
        if last < 0 or where[-1][0].result:
            read.update(_ending([each[0] for each in where], spoken=last >= 0))
        for index in read:
            if index >= 0:
                template, begin, end = where[index]
                if end > begin + 1:
                    turns[index] = self._whole(template, ids, begin, end)
        return place, turns

    def _whole(self, template: _Template, ids: Sequence[int], begin: int, end: int) -> Any:
        """A unit with its long strings."""
        if end == begin + 1:
            return template.stub
        key = tuple(ids[begin:end])
        found = self._units.get(key)
        if found is None:
            pieces = template.pieces
            said = [
                each
                for part, piece in zip(key[1:], pieces[1:], strict=True)
                for each in (self._part(part), piece)
            ]
            found = _decode(b"".join((pieces[0], *said)))
            self._remember(self._units, key, found)
        return found

    def _template(self, number: int) -> _Template:
        raw = self._part(number)
        stub = _decode(raw.replace(HOLE, b'""'))
        filled = mapping(_decode(raw.replace(HOLE, b'"x"')))
        pieces = tuple(raw.split(HOLE))
        made = _Template(
            stub,
            pieces,
            len(pieces) - 1,
            text(filled.get("role")),
            bool(content_text(filled.get("content"))),
            _is_result(filled),
        )
        self._remember(self._templates, number, made)
        return made

    def _skeleton(self, number: int) -> _Skeleton:
        raw = self._part(number)
        try:
            members = _decode(raw.replace(HOLE, b'"\\u0000"').replace(LIST, b'"\\u0002"'))
        except msgspec.MsgspecError as error:
            raise Unreadable("its skeleton is no JSON") from error
        marks = {"\0": False, "\2": True}
        filled = tuple(
            (key, marks[value]) for key, value in members.items() if isinstance(value, str) and value in marks
        )
        made = _Skeleton(members, filled)
        self._remember(self._skeletons, number, made)
        return made

    @staticmethod
    def _remember(known: dict[Any, Any], key: Any, value: Any) -> None:
        if len(known) >= _LIMIT:
            for old in list(known)[: _LIMIT // 2]:
                del known[old]
        known[key] = value


def _ending(turns: Sequence[_Template], *, spoken: bool) -> Iterator[int]:
    """The turns at the end that are read: the results of tools, and the last text where no user spoke."""
    index = len(turns) - 1
    while index >= 0 and turns[index].result:
        yield index
        index -= 1
    if not spoken:
        texts = (place for place, turn in enumerate(turns) if turn.says and turn.role not in _SYSTEM_ROLES)
        yield max(texts, default=-1)


def _is_result(turn: Mapping[str, Any]) -> bool:
    if turn.get("role") in ("tool", "function") or turn.get("type") in _RESULTS:
        return True
    return any(part.get("type") == "tool_result" for part in mappings(turn.get("content")))
