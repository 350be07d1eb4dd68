"""Series: the few labels that many calls share, kept once and counted apart."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from store.database import upsert
from store.record import Endpoint, Record, Route
from store.schema import ENDPOINTS, ROUTES, SERIES_KEY, series

_LABEL_LIMIT: Final = 200
"""Characters of a label; model names come from agents and may be anything."""
_REMEMBERED: Final = 4096


class Labels(NamedTuple):
    """The labels of a call, as `series` keeps them."""

    endpoint: int
    route: int
    target: str
    model: str
    served_model: str
    task: str
    understudy: str
    rule: str
    key: str

    @property
    def endpoint_name(self) -> Endpoint:
        return ENDPOINTS[self.endpoint]

    @property
    def route_name(self) -> Route:
        return ROUTES[self.route]

    @property
    def routable(self) -> bool:
        return self.endpoint_name != "other"

    @property
    def replaced(self) -> bool:
        return self.route_name == "slm"


def storable(text: str) -> str:
    """A label that every database takes: PostgreSQL has no NUL, and neither takes half a surrogate pair."""
    return text[:_LABEL_LIMIT].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class SeriesIndex:
    """Ids of series by labels; rows are never deleted, so what was committed may be remembered for ever."""

    def __init__(self) -> None:
        self._known: dict[Labels, int] = {}
        self._read: dict[tuple[str, ...], Labels] = {}

    def labels(self, record: Record) -> Labels:
        """The labels of a call."""
        texts = (
            record.endpoint,
            record.route,
            record.target,
            record.requested_model,
            record.served_model,
            record.task,
            record.understudy,
            record.rule,
            record.key,
        )
        labels = self._read.get(texts)
        if labels is None:
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            endpoint, route = ENDPOINTS.index(record.endpoint), ROUTES.index(record.route)
            labels = self._read[texts] = Labels(endpoint, route, *map(storable, texts[2:]))
        return labels

    def ids(self, connection: Connection, wanted: set[Labels]) -> dict[Labels, int]:
        """Ids of these series, made where they are new. Call committed() with the result after the commit."""
        found = {labels: self._known[labels] for labels in wanted if labels in self._known}
        for labels in sorted(wanted - set(found)):
            number = _find(connection, labels)
            if number is None:
                connection.execute(
                    upsert(connection, series).values(labels._asdict()).on_conflict_do_nothing()
                )
                number = _find(connection, labels)
            assert number is not None
            found[labels] = number
        return found

    def committed(self, found: dict[Labels, int]) -> None:
        """Remember these."""
        self._known.update(found)


def _find(connection: Connection, labels: Labels) -> int | None:
    query = select(series.c.id)
    for name, value in zip(SERIES_KEY, labels, strict=True):
        query = query.where(series.c[name] == value)
    return connection.execute(query).scalar()
