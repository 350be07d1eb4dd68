"""history; indexes that keep the dashboard's searches and counts short on long logs

Revision: 0003, after 0002. 2026-11-23. Adds a table and indexes only: the previous version works beside it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "history",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index(op.f("ix_calls_series_id"), "calls", ["series", "id"])
    not_plain = sa.text("status <> 200")
    op.create_index(
        op.f("ix_calls_status_id"),
        "calls",
        ["status", "id"],
        sqlite_where=not_plain,
        postgresql_where=not_plain,
    )
    op.create_index(op.f("ix_pairs_understudy_at"), "pairs", ["understudy", "at"])
    op.create_index(op.f("ix_pairs_understudy_source_agreed"), "pairs", ["understudy", "source", "agreed"])


def downgrade() -> None:
    op.drop_index(op.f("ix_pairs_understudy_source_agreed"), "pairs")
    op.drop_index(op.f("ix_pairs_understudy_at"), "pairs")
    op.drop_index(op.f("ix_calls_status_id"), "calls")
    op.drop_index(op.f("ix_calls_series_id"), "calls")
    op.drop_table("history")
