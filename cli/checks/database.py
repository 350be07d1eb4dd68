"""The database: reachable, of the schema that this program knows, and readable with the keys at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from cli.checks.finding import Finding, ok, problem, warning
from store.database import current, open_engine, pending
from store.errors import DatabaseError
from store.keyring import KEY_ID_BYTES, KeyRing
from store.schema import contents

_CHECK = "database"


def check_database(url: str, ring: KeyRing | None) -> Iterator[Finding]:
    """Whether calls can be stored and read; `ring` are the master keys, None where there are none yet."""
    file = url.removeprefix("sqlite:///").partition("?")[0] if url.startswith("sqlite:") else ""
    if file and not Path(file).exists():
        yield ok(_CHECK, f"{file} is not there yet; the first start makes it")
        return
    try:
        engine = open_engine(url)
    except DatabaseError as error:
        text, _, remedy = str(error).partition("; ")
        yield problem(_CHECK, text, remedy or "see store.url")
        return
    try:
        yield from _opened(engine, ring)
    except DatabaseError as error:
        yield problem(
            _CHECK,
            f"cannot be reached: {error}",
            "start it or mend store.url; until then calls are served and wait in the journal",
        )
    except DBAPIError as error:
        yield problem(_CHECK, f"cannot be read: {type(error.orig).__name__}", "see to the database's own log")
    finally:
        engine.dispose()


def _opened(engine: Engine, ring: KeyRing | None) -> Iterator[Finding]:
    revision = current(engine)
    where = engine.url.render_as_string(hide_password=True)
    if revision is None:
        yield ok(_CHECK, f"{where} answers and is empty; the first start makes its tables")
        return
    if pending(engine):
        yield warning(
            _CHECK,
            f"{where} has schema {revision}, which is older than this program",
            "run understudy db upgrade, or start understudy serve, which does so too",
        )
        return
    yield ok(_CHECK, f"{where} answers, schema {revision}")
    yield from _readable(engine, ring)


def _readable(engine: Engine, ring: KeyRing | None) -> Iterator[Finding]:
    """Whether the newest content was sealed with a key that is here."""
    with engine.connect() as connection:
        query = select(contents.c.body).order_by(contents.c.id.desc()).limit(1)
        sealed = connection.execute(query).scalar()
    if sealed is None:
        return
    key_id = bytes(sealed)[:KEY_ID_BYTES]
    if ring is None or key_id not in ring.ids:
        yield problem(
            "content",
            f"the log was sealed with key {key_id.hex()}, which is not among the master keys",
            "put back the key that was in use, in UNDERSTUDY_KEY or in the key file",
        )
    else:
        yield ok("content", f"the newest was sealed with key {key_id.hex()}, which is here")
