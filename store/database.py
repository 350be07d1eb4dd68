"""Opening the database and bringing its schema up to date.

Alembic is imported by the functions that need it: workers open databases and never change a schema.
"""

from __future__ import annotations

import importlib.resources
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, Insert, Table, Update, create_engine, event, text
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from store.errors import DatabaseAway, DatabaseError

if TYPE_CHECKING:
    from alembic.config import Config

_BUSY_MS: Final = 10_000
_WRITE_LOCK: Final = 7_823_001
"""The advisory lock that PostgreSQL's writers share; any number that nothing else uses in that database."""
_EXAMPLES: Final = "sqlite:///understudy.db or postgresql://user@host/understudy"
_WRITE: Final = "understudy_write"
_SQLITE_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA auto_vacuum = INCREMENTAL",  # before the first table, or it has no effect
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a segment is deleted once its records are committed
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
)


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///…` or `postgresql://…`; nothing is connected yet. Raises DatabaseError."""
    parsed = _parse(url)
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise DatabaseError(f"no database {backend!r} is supported; write {_EXAMPLES}")
    options: dict[str, Any] = {}
    if backend == "postgresql":
        options = {
            "connect_args": {"connect_timeout": 5, "options": "-c idle_in_transaction_session_timeout=60000"},
            "pool_pre_ping": True,
            "pool_size": 2,
        }
    try:
        engine = create_engine(parsed, **options)
    except NoSuchModuleError:
        raise DatabaseError(f"no driver {parsed.drivername!r} is known; write {_EXAMPLES}") from None
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"the driver {error.name!r} of {_shown(parsed)} is not installed; pip install 'understudy[postgres]'"
        ) from None
    if backend == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that will write: one at a time, so that rollups add up and a swept content is never referred to.

    SQLite takes its write lock at once, PostgreSQL an advisory lock; who waits too long gets an OperationalError.
    """
    with engine.execution_options(**{_WRITE: True}).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = {_BUSY_MS}"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})"))
        yield connection


def upsert(connection: Connection, table: Table) -> sqlite_dialect.Insert | postgresql_dialect.Insert:
    """An INSERT of this database's dialect, which knows ON CONFLICT."""
    if connection.dialect.name == "postgresql":
        return postgresql_dialect.insert(table)
    return sqlite_dialect.insert(table)


def execute_many(
    connection: Connection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Run a statement once for each row, with values as the driver takes them: integers, text, bytes, None.

    Skips SQLAlchemy's conversion of every value, which cost a fifth of the time that a call takes to store.
    """
    if not rows:
        return
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    names = compiled.positiontup
    values: Any = rows if names is None else [tuple([row[name] for name in names]) for row in rows]
    connection.exec_driver_sql(str(compiled), values)


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema up to date; any number of processes may do so at once.

    Raises DatabaseError for a URL or a schema that cannot be used, DatabaseAway when no connection is made.
    """
    from alembic import command  # noqa: PLC0415  see above

    engine = open_engine(url)
    try:
        with translating(engine), writing(engine) as connection:
            configuration = migrations()
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, revision)
    finally:
        engine.dispose()


def migrations() -> Config:
    """Alembic's configuration, wherever the package is installed."""
    from alembic.config import Config  # noqa: PLC0415  see above

    configuration = Config()
    configuration.set_main_option("script_location", str(importlib.resources.files("migrations")))
    return configuration


def current(engine: Engine) -> str | None:
    """The revision of this database; None before the first upgrade. Raises like upgrade()."""
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  see above

    with translating(engine), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def pending(engine: Engine) -> bool:
    """Whether the schema is older than this program. A newer one is not pending: versions run side by side."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415  see above

    script = ScriptDirectory.from_config(migrations())
    revision = current(engine)
    known = {step.revision for step in script.walk_revisions()}
    return revision != script.get_current_head() and (revision is None or revision in known)


@contextmanager
def translating(engine: Engine) -> Iterator[None]:
    """The driver's errors as DatabaseAway, without statement or parameters, which may hold what must not be logged."""
    try:
        yield
    except DBAPIError as error:
        lines = str(error.orig).strip().splitlines()
        cause = lines[0] if lines else type(error.orig).__name__
        raise DatabaseAway(f"{_shown(engine.url)}: {cause}") from error


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError(f"store.url is no database URL; write {_EXAMPLES}") from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def _shown(url: URL) -> str:
    return repr(url.render_as_string(hide_password=True))


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions of its own otherwise
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
