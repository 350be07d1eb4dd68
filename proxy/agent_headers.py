"""An agent's request headers, read once: a connection that sends the same lines again gets the same object back."""

from __future__ import annotations

from proxy import header_rules
from proxy.targets import Upstream
from proxy.transport.base import Headers


class AgentHeaders:
    """Header lines and what the data path needs of them. Names are lower-case; `content-length` is not among them."""

    __slots__ = (
        "_forwarded",
        "content_type",
        "fields",
        "is_json",
        "is_textual",
        "lines",
        "session",
        "store",
        "user_agent",
    )

    def __init__(self, lines: Headers) -> None:
        self.lines = lines
        self._forwarded: dict[tuple[Upstream, bool | None], Headers] = {}
        self.fields = header_rules.readable(lines)
        """As text; of repeated names the first counts."""
        self.content_type = self.fields.get("content-type", "")
        self.is_json = self.content_type.startswith("application/json")
        self.is_textual = self.content_type.startswith(header_rules.TEXTUAL)
        self.session = self.fields.get("x-understudy-session", "")
        self.store = self.fields.get("x-understudy-store", "").lower() != "false"
        """Whether the agent lets its content be logged."""
        self.user_agent = self.fields.get("user-agent", "")[:200]

    def same(self, lines: Headers) -> bool:
        """Whether these are the very same lines."""
        return self.lines == lines

    def for_upstream(self, upstream: Upstream, *, identity: bool | None) -> Headers:
        """The lines that go upstream, signed. `identity` asks for an uncompressed answer; None leaves it to the agent,
        False to what the log can read."""
        key = (upstream, identity)
        known = self._forwarded.get(key)
        if known is None:
            lines = header_rules.for_upstream(self.lines)
            if identity is not None:
                lines = header_rules.readable_encoding(lines, identity=identity)
            if len(self._forwarded) > 8:
                self._forwarded.clear()
            known = self._forwarded[key] = upstream.sign(lines)
        return known

    def for_engine(self, api_key: str | None) -> Headers:
        """The lines that go to a local engine: none of the agent's credentials."""
        return header_rules.for_engine(self.lines, api_key)
