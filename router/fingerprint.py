"""Fingerprints: the exact key of a call, made of what is known before it is answered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar

import orjson

from router.decision import Query
from router.skeleton import HEAD, TAIL, Skeleton, ends, skeleton
from wire import shape
from wire.tolerant import mapping, mappings, text

KEPT: Final = 2_048
"""Prompts, and lists of tools, whose reading is remembered."""

USER_HEAD: Final = 1_500
USER_TAIL: Final = 500
"""Characters that are read of a user text where it stands in for instructions: a template stands at the ends, what it
was filled with in between."""

Value = TypeVar("Value")
Turns = list[Mapping[str, Any]]

_TOOL_RESULTS: Final = ("function_call_output", "custom_tool_call_output", "tool_result")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a call asks for, its prompt apart."""

    endpoint: str
    tools: tuple[str, ...]
    """Names of the tools offered, sorted."""
    schemas: bytes
    """Hash of the tools with their parameters; empty without tools."""
    format: bytes
    """Hash of the response format with its schema; empty for text."""
    choice: str
    """`tool_choice`; of an object the tool it names."""
    after_tool: bool
    """Whether the last message is a tool's result."""

    @property
    def key(self) -> bytes:
        """All of it as bytes."""
        return b"|".join(
            (
                self.endpoint.encode(),
                self.schemas,
                self.format,
                self.choice.encode("utf-8", "surrogatepass"),
                b"tool" if self.after_tool else b"",
            )
        )


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What recognition knows of a call."""

    shape: Shape
    prompt: Skeleton
    """The instructions; where there are none, or they say nothing, the first user text with them."""
    broad: Skeleton | None
    """The instructions alone, where the first user text had to stand in."""

    @property
    def key(self) -> bytes:
        """The exact key, 16 bytes."""
        return _key(self.shape, self.prompt)

    @property
    def broad_key(self) -> bytes | None:
        """The exact key whatever the user says; None where the instructions speak for themselves."""
        return None if self.broad is None else _key(self.shape, self.broad)


class Fingerprints:
    """Reads fingerprints, remembering the prompts and tools seen last; safe for one thread."""

    def __init__(self, kept: int = KEPT) -> None:
        self._skeletons: _Recent[Skeleton] = _Recent(kept)
        self._tools: _Recent[tuple[tuple[str, ...], bytes]] = _Recent(kept)
        self._formats: _Recent[bytes] = _Recent(kept)

    def read(self, query: Query) -> Fingerprint:
        """The fingerprint of a call; any body has one."""
        turns = shape.turns(query.endpoint, query.body)
        system = shape.system_text(query.endpoint, query.body, turns)
        alone = self._skeleton(system)
        asked = self._shape(query, turns)
        if not stands_in(alone):
            return Fingerprint(asked, alone, None)
        said = f"{system}\n{ends(shape.user_text(turns), USER_HEAD, USER_TAIL)}"
        return Fingerprint(asked, self._skeleton(said), alone)

    def _skeleton(self, said: str) -> Skeleton:
        said = ends(said, HEAD, TAIL)
        return self._skeletons.get(said, lambda: skeleton(said))

    def _shape(self, query: Query, turns: Turns) -> Shape:
        body = query.body
        names, schemas = self._toolset(body) if body.get("tools") or body.get("functions") else ((), b"")
        format_ = shape.response_format(query.endpoint, body)
        return Shape(
            endpoint=query.endpoint,
            tools=names,
            schemas=schemas,
            format=self._format(format_) if format_.get("type", "text") != "text" else b"",
            choice=_choice(body.get("tool_choice", body.get("function_call"))),
            after_tool=bool(turns) and _is_tool_result(turns[-1]),
        )

    def _toolset(self, body: Mapping[str, Any]) -> tuple[tuple[str, ...], bytes]:
        given = [*mappings(body.get("tools")), *mappings(body.get("functions"))]
        return self._tools.get(_encoded(given), lambda: _toolset(given))

    def _format(self, asked: Mapping[str, Any]) -> bytes:
        return self._formats.get(
            _encoded(asked), lambda: sha256(_encoded(_schema(asked), True)).digest()[:16]
        )


def stands_in(instructions: Skeleton) -> bool:
    """Whether the first user text must stand in for instructions that are absent or that any agent could have."""
    return instructions.generic and len(instructions.lines) <= 1


class _Recent(Generic[Value]):
    """The values made last, by the keyed hash that Python has for what they were made of: the texts are not kept."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._values: OrderedDict[tuple[int, int], Value] = OrderedDict()

    def get(self, source: str | bytes, make: Callable[[], Value]) -> Value:
        key = hash(source), len(source)
        value = self._values.get(key)
        if value is None:
            value = self._values[key] = make()
            if len(self._values) > self._kept:
                self._values.popitem(last=False)
        else:
            self._values.move_to_end(key)
        return value


def _key(asked: Shape, prompt: Skeleton) -> bytes:
    return sha256(prompt.digest + asked.key).digest()[:16]


def _toolset(given: list[Mapping[str, Any]]) -> tuple[tuple[str, ...], bytes]:
    pairs = sorted((shape.tool_name(tool), _encoded(_parameters(tool), True)) for tool in given)
    names = tuple(dict.fromkeys(name for name, _ in pairs))
    return names, sha256(
        b"\n".join(part for name, schema in pairs for part in (name.encode("utf-8", "surrogatepass"), schema))
    ).digest()[:16]


def _parameters(tool: Mapping[str, Any]) -> Any:
    function = mapping(tool.get("function")) or tool
    return function.get("parameters", function.get("input_schema"))


def _schema(asked: Mapping[str, Any]) -> Any:
    nested = mapping(asked.get("json_schema")) or asked
    return [text(asked.get("type")), text(nested.get("name")), nested.get("schema")]


def _choice(given: object) -> str:
    if isinstance(given, Mapping):
        return shape.tool_name(given) or text(given.get("type"))
    return "" if given == "auto" else text(given)


def _is_tool_result(turn: Mapping[str, Any]) -> bool:
    """As `shape.last_role` tells it, for one turn."""
    if turn.get("role") in ("tool", "function") or turn.get("type") in _TOOL_RESULTS:
        return True
    content = turn.get("content")
    return not isinstance(content, str) and any(
        part.get("type") in _TOOL_RESULTS for part in mappings(content)
    )


def _encoded(value: Any, canonical: bool = False) -> bytes:
    """JSON, keys sorted where it is to be canonical; what JSON cannot hold is written as Python does."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if canonical else None)
    except orjson.JSONEncodeError:
        return repr(value).encode("utf-8", "surrogatepass")
