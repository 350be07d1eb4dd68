"""calls, contents, rollups

Revision: 0001, the first. 2026-11-22.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False, comment="UUIDv7"),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.Column(
            "first_byte",
            sa.BigInteger(),
            nullable=True,
            comment="after the start; null when the agent received none",
        ),
        sa.Column("overhead", sa.BigInteger(), nullable=False),
        sa.Column("series", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("flags", sa.SmallInteger(), nullable=False),
        sa.Column("session", sa.BigInteger(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("fallback", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("usage_source", sa.SmallInteger(), nullable=False),
        sa.Column("input", sa.BigInteger(), nullable=False),
        sa.Column("cached_input", sa.BigInteger(), nullable=False),
        sa.Column("cache_write", sa.BigInteger(), nullable=False),
        sa.Column("output", sa.BigInteger(), nullable=False),
        sa.Column("reasoning", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=True, comment="null when the model has no price"),
        sa.Column(
            "list_cost",
            sa.BigInteger(),
            nullable=True,
            comment="of the same tokens at the requested model's price",
        ),
        sa.Column("request_size", sa.BigInteger(), nullable=False),
        sa.Column("response_size", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.LargeBinary(), nullable=False, comment="ids of contents, in order"),
        sa.Column(
            "detail",
            sa.LargeBinary(),
            nullable=False,
            comment="sealed: attempts and what differs in every call",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_calls_session"), ["session"], unique=False)

    op.create_table(
        "contents",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="counted up by the one writer",
        ),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False, comment="keyed hash of the part"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("last_used", sa.Integer(), nullable=False, comment="day, of the latest call that uses it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contents")),
        sa.UniqueConstraint("digest", name=op.f("uq_contents_digest")),
    )
    op.create_table(
        "positions",
        sa.Column("segment", sa.String(length=255), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_positions")),
    )
    op.create_table(
        "proxy_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False, comment="SHA-256 of the secret, hex"),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proxy_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_proxy_keys_hash")),
    )
    op.create_table(
        "rollups",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "bucket",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Unix second at which it begins",
        ),
        sa.Column("series", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.Column("input", sa.BigInteger(), nullable=False),
        sa.Column("cached_input", sa.BigInteger(), nullable=False),
        sa.Column("cache_write", sa.BigInteger(), nullable=False),
        sa.Column("output", sa.BigInteger(), nullable=False),
        sa.Column("reasoning", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("list_cost", sa.BigInteger(), nullable=False),
        sa.Column("fallbacks", sa.LargeBinary(), nullable=False, comment="counts by cause"),
        sa.Column("latency", sa.LargeBinary(), nullable=False, comment="histograms, see store.histogram"),
        sa.Column("first_byte", sa.LargeBinary(), nullable=False),
        sa.Column("overhead", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "bucket", "series", name=op.f("pk_rollups")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("endpoint", sa.SmallInteger(), nullable=False),
        sa.Column("route", sa.SmallInteger(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False, comment="as the agent asked"),
        sa.Column("served_model", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("understudy", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint(
            "endpoint",
            "route",
            "target",
            "model",
            "served_model",
            "task",
            "understudy",
            "rule",
            "key",
            name="uq_series",
        ),
    )
    op.create_table(
        "state",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_state")),
    )
    op.create_table(
        "threads",
        sa.Column("point", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("session", sa.BigInteger(), nullable=False),
        sa.Column("last_used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("point", name=op.f("pk_threads")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("threads")
    op.drop_table("state")
    op.drop_table("series")
    op.drop_table("rollups")
    op.drop_table("proxy_keys")
    op.drop_table("positions")
    op.drop_table("contents")
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_calls_session"))

    op.drop_table("calls")
