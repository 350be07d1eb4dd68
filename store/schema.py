"""The tables, one schema for SQLite and PostgreSQL.

    series ──< calls >── contents       a call row names its contents by id, in order, in `parts`
       └─────< rollups                  minute, hour, day and ever, kept in the transaction that writes the calls
    threads                             where a conversation stood when a call ended, and its session
    positions                           how far each journal segment has been read
    proxy_keys                          hashes of the keys that agents and people present
    state                               one number a name: how often contents were swept

    tasks                               what the clustering found, by readable id
    deployments ──< moves               understudies and their way to live traffic, each move with its evidence
        └─────────< pairs               what an understudy and the LLM answered to one call, compared
        └─────────< trials              pairs that are still to be asked for
    arrivals                            recognised calls in the order of their arrival: what the gatekeeper reads
    feedback                            what people said of calls
    history                             configurations and routers that came into force
    cursors, leases                     how far readers came, and which process works

Times are integers in Unix microseconds, money is whole nano-dollars. SQLite keeps the tables with natural keys without
a row id, so that each is one tree.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from store.record import Endpoint, Route

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ENDPOINTS: Final[tuple[Endpoint, ...]] = ("other", "chat.completions", "completions", "responses", "messages")
"""Numbers of the endpoints in `calls` and `series`; new ones are added at the end."""
ROUTES: Final[tuple[Route, ...]] = ("upstream", "slm")
USAGE_SOURCES: Final = ("", "reported", "spliced", "estimated")

_row_number: Final = BigInteger().with_variant(Integer, "sqlite")

series: Final = Table(
    "series",
    metadata,
    Column("id", _row_number, primary_key=True, autoincrement=True),
    Column("endpoint", SmallInteger, nullable=False),
    Column("route", SmallInteger, nullable=False),
    Column("target", Text, nullable=False),
    Column("model", Text, nullable=False, comment="as the agent asked"),
    Column("served_model", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("understudy", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("key", Text, nullable=False),
    UniqueConstraint(
        "endpoint", "route", "target", "model", "served_model", "task", "understudy", "rule", "key",
        name="uq_series",
    ),
)  # fmt: skip
SERIES_KEY: Final = tuple(column.name for column in series.columns if column.name != "id")

contents: Final = Table(
    "contents",
    metadata,
    Column("id", _row_number, primary_key=True, autoincrement=False, comment="counted up by the one writer"),
    Column("digest", LargeBinary(16), nullable=False, unique=True, comment="keyed hash of the part"),
    Column("body", LargeBinary, nullable=False, comment="sealed"),
    Column("last_used", Integer, nullable=False, comment="day, of the latest call that uses it"),
)

calls: Final = Table(
    "calls",
    metadata,
    Column("id", LargeBinary(16), primary_key=True, comment="UUIDv7"),
    Column("started", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False),
    Column("first_byte", BigInteger, comment="after the start; null when the agent received none"),
    Column("overhead", BigInteger, nullable=False),
    Column("series", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("flags", SmallInteger, nullable=False),
    Column("session", BigInteger, nullable=False),
    Column("confidence", Float),
    Column("fallback", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("usage_source", SmallInteger, nullable=False),
    Column("input", BigInteger, nullable=False),
    Column("cached_input", BigInteger, nullable=False),
    Column("cache_write", BigInteger, nullable=False),
    Column("output", BigInteger, nullable=False),
    Column("reasoning", BigInteger, nullable=False),
    Column("cost", BigInteger, comment="null when the model has no price"),
    Column("list_cost", BigInteger, comment="of the same tokens at the requested model's price"),
    Column("request_size", BigInteger, nullable=False),
    Column("response_size", BigInteger, nullable=False),
    Column("parts", LargeBinary, nullable=False, comment="ids of contents, in order"),
    Column("detail", LargeBinary, nullable=False, comment="sealed: attempts and what differs in every call"),
    Index(None, "session"),
    Index(None, "series", "id"),
    Index(None, "status", "id", sqlite_where=text("status <> 200"), postgresql_where=text("status <> 200")),
    sqlite_with_rowid=False,
)

threads: Final = Table(
    "threads",
    metadata,
    Column("point", BigInteger, primary_key=True, autoincrement=False),
    Column("session", BigInteger, nullable=False),
    Column("last_used", Integer, nullable=False),
    sqlite_with_rowid=False,
)

rollups: Final = Table(
    "rollups",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column(
        "bucket", BigInteger, primary_key=True, autoincrement=False, comment="Unix second at which it begins"
    ),
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    Column("calls", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    Column("input", BigInteger, nullable=False),
    Column("cached_input", BigInteger, nullable=False),
    Column("cache_write", BigInteger, nullable=False),
    Column("output", BigInteger, nullable=False),
    Column("reasoning", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("list_cost", BigInteger, nullable=False),
    Column("fallbacks", LargeBinary, nullable=False, comment="counts by cause"),
    Column("latency", LargeBinary, nullable=False, comment="histograms, see store.histogram"),
    Column("first_byte", LargeBinary, nullable=False),
    Column("overhead", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

positions: Final = Table(
    "positions",
    metadata,
    Column("segment", String(255), primary_key=True),
    Column("offset", BigInteger, nullable=False),
)

proxy_keys: Final = Table(
    "proxy_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True, comment="SHA-256 of the secret, hex"),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
)

state: Final = Table(
    "state",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

CONTENT_SWEEPS: Final = "content_sweeps"
"""Name in `state`: counts the times contents were deleted. Who remembers content ids forgets them when it moves."""

_NAME: Final = 255
"""Characters of a task's or an understudy's name."""

tasks: Final = Table(
    "tasks",
    metadata,
    Column("id", String(_NAME), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("share", Float, nullable=False),
    Column("run", String(64), nullable=False, comment="the clustering that found it"),
    Column("created", BigInteger, nullable=False),
    Column("retired", BigInteger),
    Column("detail", LargeBinary, nullable=False, comment="sealed: title, answers, facts"),
)

deployments: Final = Table(
    "deployments",
    metadata,
    Column("understudy", String(_NAME), primary_key=True),
    Column("task", String(_NAME), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("engine", String(_NAME), nullable=False),
    Column("model", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("agreement", Float, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("offline", Text, nullable=False, comment="JSON: the held-out verdict"),
    Column("evidence", LargeBinary, nullable=False, comment="as the gatekeeper writes it"),
    Column("revision", BigInteger, nullable=False, comment="counts changes, so that none is lost"),
    Column("created", BigInteger, nullable=False),
    Column("report", Text, nullable=False, comment="path of the evaluation's report"),
    Index(None, "task"),
)

moves: Final = Table(
    "moves",
    metadata,
    Column("id", _row_number, primary_key=True, autoincrement=True),
    Column("understudy", String(_NAME), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("before", String(16), nullable=False),
    Column("after", String(16), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("numbers", Text, nullable=False, comment="JSON"),
    Column("sentence", Text, nullable=False),
    Index(None, "understudy"),
)

pairs: Final = Table(
    "pairs",
    metadata,
    Column("understudy", String(_NAME), primary_key=True),
    Column("call_id", LargeBinary(16), primary_key=True),
    Column("source", String(8), nullable=False, comment="shadow or audit"),
    Column("at", BigInteger, nullable=False),
    Column("agreed", Boolean, comment="null when the understudy abstained"),
    Column("value", Float, nullable=False),
    Column("confidence", Float),
    Column("why", Text, nullable=False),
    Column("request", LargeBinary(16), nullable=False, comment="keyed hash: equal requests have equal ones"),
    Column("cost", BigInteger, nullable=False),
    Column("latency", BigInteger, nullable=False),
    Column("answer", LargeBinary, nullable=False, comment="sealed: of the side that the agent did not see"),
    Index(None, "call_id"),
    Index(None, "understudy", "request"),
    Index(None, "understudy", "at"),
    Index(None, "understudy", "source", "agreed"),
)

trials: Final = Table(
    "trials",
    metadata,
    Column("call_id", LargeBinary(16), primary_key=True),
    Column("understudy", String(_NAME), primary_key=True),
    Column("source", String(8), nullable=False, comment="shadow or audit"),
    Column("queued", BigInteger, nullable=False),
    Index(None, "understudy"),
)

arrivals: Final = Table(
    "arrivals",
    metadata,
    Column("id", _row_number, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("calls", LargeBinary, nullable=False, comment="ids, 16 bytes each"),
    sqlite_autoincrement=True,  # ids must not come again after the rows are gone
)

feedback: Final = Table(
    "feedback",
    metadata,
    Column("call_id", LargeBinary(16), primary_key=True),
    Column("good", Boolean, nullable=False),
    Column("note", LargeBinary, nullable=False, comment="sealed"),
    Column("at", BigInteger, nullable=False),
)

history: Final = Table(
    "history",
    metadata,
    Column("id", _row_number, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("version", String(255), nullable=False),
    Column("text", Text, nullable=False),
)

cursors: Final = Table(
    "cursors",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

leases: Final = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("expires", BigInteger, nullable=False),
)
