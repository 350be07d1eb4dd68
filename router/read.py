"""A lazy view of a call: each field that a rule may ask for is read from the body at most once, and none ever raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from router.decision import Endpoint, Query
from router.learned import Learned, Proposal
from wire import shape
from wire.tolerant import mapping, text

BYTES_PER_TOKEN: Final = 4
"""A rough measure for English and JSON; rules about tokens need no more."""

TASK_LENGTH: Final = 200
"""Characters of an agent's task label that are kept: it travels in headers and into the statistics."""


class Reading:
    """What rules and limits ask of one Query. What costs more than a look into the body is kept once it was read."""

    __slots__ = (
        "_learned",
        "_parts",
        "_proposal",
        "_proposed",
        "_system",
        "_task",
        "_tools",
        "_turns",
        "_user",
        "body",
        "endpoint",
        "query",
    )

    def __init__(self, query: Query, learned: Learned | None = None) -> None:
        self.query = query
        self.endpoint: Endpoint = query.endpoint
        self.body: Mapping[str, Any] = query.body
        self._learned = learned
        self._turns: list[Mapping[str, Any]] | None = None
        self._parts: bool | None = None
        self._system: str | None = None
        self._user: str | None = None
        self._task: str | None = None
        self._tools: tuple[str, ...] | None = None
        self._proposal: Proposal | None = None
        self._proposed = False

    @property
    def turns(self) -> list[Mapping[str, Any]]:
        """The conversation as objects."""
        if self._turns is None:
            self._turns = shape.turns(self.endpoint, self.body)
        return self._turns

    @property
    def has_parts(self) -> bool:
        """Whether any turn may hold more than text; where none does, nothing need be sought in them."""
        if self._parts is None:
            self._parts = _holds_parts(self.turns)
        return self._parts

    @property
    def model(self) -> str:
        """The model that the agent asked for."""
        return text(self.body.get("model"))

    @property
    def system(self) -> str:
        """The instructions."""
        if self._system is None:
            self._system = shape.system_text(self.endpoint, self.body, self.turns)
        return self._system

    @property
    def user(self) -> str:
        """What the user said last."""
        if self._user is None:
            self._user = shape.user_text(reversed(self.turns))
        return self._user

    @property
    def first_user(self) -> str:
        """What the user said first: it stays the same through a conversation."""
        return shape.user_text(self.turns)

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools offered."""
        if self._tools is None:
            self._tools = shape.tool_names(self.endpoint, self.body)
        return self._tools

    @property
    def response_format(self) -> str:
        """`text`, `json_object` or `json_schema`."""
        return shape.response_format_kind(self.endpoint, self.body)

    @property
    def task(self) -> str:
        """The agent's own label, else the task that the learned router recognised; empty when unknown."""
        if self._task is None:
            label = (self.query.headers.get("x-understudy-task") or "").strip()[:TASK_LENGTH]
            self._task = label or (self.proposal.task if self.proposal else "")
        return self._task

    @property
    def proposal(self) -> Proposal | None:
        """What the learned router makes of the call."""
        if not self._proposed:
            self._proposed = True
            self._proposal = self._learned.propose(self.query) if self._learned else None
        return self._proposal

    @property
    def stream(self) -> bool:
        """Whether an event stream is asked for."""
        return shape.is_stream(self.body)

    @property
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


def _holds_parts(turns: list[Mapping[str, Any]]) -> bool:
    return any(not isinstance(turn.get("content"), str) or turn.get("output") is not None for turn in turns)
