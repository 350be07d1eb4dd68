"""A stored call as the router would see it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backtest.requests import Requests, Unreadable
from router.decision import Query
from store import parts_list
from store.reading import REQUEST_RAW, TRUNCATED, WITHHELD
from store.scan import Labels, Scan, StoredCall

SESSION: Final = "x-understudy-session"
KEPT_HEADERS: Final = (SESSION, "x-understudy-task", "x-understudy-route", "user-agent", "content-type")
"""Request headers that the log keeps; of others it cannot be said what a call had."""

_UNSEEN: Final = REQUEST_RAW | TRUNCATED | WITHHELD
_OPTED_OUT: Final = "the agent asked for the upstream"


class LoggedHeaders(dict[str, str]):
    """The headers that the log keeps. The session's name is sealed with the call, and opened when it is asked for."""

    __slots__ = ("_call", "_scan")

    def __init__(self, scan: Scan, call: StoredCall, known: Mapping[str, str]) -> None:
        super().__init__(known)
        self._scan = scan
        self._call = call

    def get(self, name: str, default: Any = None, /) -> Any:
        """A header's value."""
        if name == SESSION and SESSION not in self:
            self[SESSION] = self._scan.session_name(self._call)
        return super().get(name, default)


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """A call of the log."""

    stored: StoredCall
    labels: Labels
    query: Query | None
    """As the router sees it; None when its content was not kept whole."""


class Log:
    """The calls of a scan, oldest first."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._labels = scan.labels()
        self._requests = Requests(scan.part)
        self._known: dict[tuple[int, str], Mapping[str, str]] = {}

    def calls(self) -> Iterator[LoggedCall]:
        """Every call that a small model could have answered by its endpoint; raises DatabaseAway and KeyMissing."""
        for rows in self._scan.batches():
            lists = [parts_list.request_of(bytes(row.parts)) for row in rows]
            self._scan.fetch(number for parts in lists for number in parts.ids)
            for row, parts in zip(rows, lists, strict=True):
                labels = self._labels.get(row.series) or self._refreshed()[row.series]
                if labels.endpoint != "other":
                    yield LoggedCall(row, labels, self._query(row, labels, parts))

    def _refreshed(self) -> Mapping[int, Labels]:
        """Series that came while the log was read."""
        self._labels = self._scan.labels()
        return self._labels

    def _query(self, row: StoredCall, labels: Labels, parts: parts_list.PartsList) -> Query | None:
        if row.flags & _UNSEEN or not parts.request:
            return None
        try:
            body = self._requests.body(parts.ids[1:], parts.counts)
            headers = self._headers(row, labels, parts.ids[0])
        except (Unreadable, KeyError):  # content that was erased between two reads
            return None
        return Query(labels.endpoint, body, row.request_size, headers, labels.key)

    def _headers(self, row: StoredCall, labels: Labels, number: int) -> LoggedHeaders:
        known = self._known.get((number, labels.task))
        if known is None:
            told = self._scan.circumstances(number)
            known = {"user-agent": told.user_agent, "content-type": told.request_type}
            if labels.task:
                known["x-understudy-task"] = labels.task
            if told.reason == _OPTED_OUT:
                known["x-understudy-route"] = "upstream"
            self._known[number, labels.task] = known
        return LoggedHeaders(self._scan, row, known)
