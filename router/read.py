"""A lazy view of a call: each field that a rule may ask for is read from the body at most once, and none ever raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Self, TypeVar, overload

from router.decision import Query
from router.learned import Learned, Proposal
from wire import shape
from wire.tolerant import mapping, text

BYTES_PER_TOKEN: Final = 4
"""A rough measure for English and JSON; rules about tokens need no more."""

TASK_LENGTH: Final = 200
"""Characters of an agent's task label that are kept: it travels in headers and into the statistics."""

Value = TypeVar("Value")


class _Lazy(Generic[Value]):
    """Like functools.cached_property, which takes a lock in Python 3.11 and costs more than most of the readings."""

    def __init__(self, read: Callable[[Any], Value]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, reading: None, owner: type) -> Self: ...
    @overload
    def __get__(self, reading: object, owner: type) -> Value: ...
    def __get__(self, reading: object | None, owner: type) -> Self | Value:
        if reading is None:
            return self
        value: Value = self._read(reading)
        reading.__dict__[self._name] = value
        return value


class Reading:
    """What rules and limits ask of one Query."""

    def __init__(self, query: Query, learned: Learned | None = None) -> None:
        self.query = query
        self.endpoint = query.endpoint
        self.body = query.body
        self._learned = learned

    @_Lazy
    def turns(self) -> list[Mapping[str, Any]]:
        """The conversation as objects."""
        return shape.turns(self.endpoint, self.body)

    @_Lazy
    def has_parts(self) -> bool:
        """Whether any turn may hold more than text; where none does, nothing need be sought in them."""
        for turn in self.turns:
            if not isinstance(turn.get("content"), str) or turn.get("output") is not None:
                return True
        return False

    @_Lazy
    def model(self) -> str:
        """The model that the agent asked for."""
        return text(self.body.get("model"))

    @_Lazy
    def system(self) -> str:
        """The instructions."""
        return shape.system_text(self.endpoint, self.body, self.turns)

    @_Lazy
    def user(self) -> str:
        """What the user said last."""
        return shape.user_text(reversed(self.turns))

    @_Lazy
    def first_user(self) -> str:
        """What the user said first: it stays the same through a conversation."""
        return shape.user_text(self.turns)

    @_Lazy
    def tools(self) -> tuple[str, ...]:
        """Names of the tools offered."""
        return shape.tool_names(self.endpoint, self.body)

    @_Lazy
    def response_format(self) -> str:
        """`text`, `json_object` or `json_schema`."""
        return shape.response_format_kind(self.endpoint, self.body)

    @_Lazy
    def task(self) -> str:
        """The agent's own label, else the task that the learned router recognised; empty when unknown."""
        label = self.query.headers.get("x-understudy-task")
        if label and (label := label.strip()[:TASK_LENGTH]):
            return label
        return self.proposal.task if self.proposal else ""

    @_Lazy
    def proposal(self) -> Proposal | None:
        """What the learned router makes of the call."""
        return self._learned.propose(self.query) if self._learned else None

    @_Lazy
    def stream(self) -> bool:
        """Whether an event stream is asked for."""
        return shape.is_stream(self.body)

    @_Lazy
    def images(self) -> bool:
        """Whether the call holds an image."""
        return self.has_parts and shape.has_images(self.endpoint, self.body)

    @property
    def key(self) -> str:
        """Id of the proxy key."""
        return self.query.key

    @property
    def tokens(self) -> int:
        """Estimated tokens of the request."""
        return self.query.size // BYTES_PER_TOKEN

    def header(self, name: str) -> str:
        """A request header by its lower-case name; empty when absent."""
        return self.query.headers.get(name, "")

    def metadata(self, name: str) -> str:
        """A member of the body's `metadata`; numbers and booleans as JSON writes them, empty when absent."""
        value = mapping(self.body.get("metadata")).get(name)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, str | int | float) else ""
