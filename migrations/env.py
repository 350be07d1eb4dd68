"""Alembic's entry: runs revisions on the connection that store.database.upgrade() hands over, under its lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from store.database import open_engine
from store.schema import metadata


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


handed_over: Connection | None = context.config.attributes.get("connection")
if handed_over is not None:
    _run(handed_over)
else:  # the alembic command by hand: alembic -x url=sqlite:///understudy.db check
    with open_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as opened:
        _run(opened)
