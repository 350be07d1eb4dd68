"""tasks, deployments and their pairs, moves and trials, arrivals, feedback, cursors, leases

Revision: 0002, after 0001. 2026-11-22. Adds tables only: the previous version works beside it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "arrivals",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.LargeBinary(), nullable=False, comment="ids, 16 bytes each"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrivals")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "deployments",
        sa.Column("understudy", sa.String(length=255), nullable=False),
        sa.Column("task", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("engine", sa.String(length=255), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("agreement", sa.Float(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("offline", sa.Text(), nullable=False, comment="JSON: the held-out verdict"),
        sa.Column("evidence", sa.LargeBinary(), nullable=False, comment="as the gatekeeper writes it"),
        sa.Column(
            "revision", sa.BigInteger(), nullable=False, comment="counts changes, so that none is lost"
        ),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False, comment="path of the evaluation's report"),
        sa.PrimaryKeyConstraint("understudy", name=op.f("pk_deployments")),
    )
    with op.batch_alter_table("deployments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deployments_task"), ["task"], unique=False)

    op.create_table(
        "feedback",
        sa.Column("call_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_feedback")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "moves",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("understudy", sa.String(length=255), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.String(length=16), nullable=False),
        sa.Column("after", sa.String(length=16), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
    )
    with op.batch_alter_table("moves", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_moves_understudy"), ["understudy"], unique=False)

    op.create_table(
        "pairs",
        sa.Column("understudy", sa.String(length=255), nullable=False),
        sa.Column("call_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False, comment="shadow or audit"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("agreed", sa.Boolean(), nullable=True, comment="null when the understudy abstained"),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column(
            "request",
            sa.LargeBinary(length=16),
            nullable=False,
            comment="keyed hash: equal requests have equal ones",
        ),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("latency", sa.BigInteger(), nullable=False),
        sa.Column(
            "answer",
            sa.LargeBinary(),
            nullable=False,
            comment="sealed: of the side that the agent did not see",
        ),
        sa.PrimaryKeyConstraint("understudy", "call_id", name=op.f("pk_pairs")),
    )
    with op.batch_alter_table("pairs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pairs_call_id"), ["call_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_pairs_understudy_request"), ["understudy", "request"], unique=False
        )

    op.create_table(
        "tasks",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False, comment="the clustering that found it"),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("retired", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.LargeBinary(), nullable=False, comment="sealed: title, answers, facts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_table(
        "trials",
        sa.Column("call_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("understudy", sa.String(length=255), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False, comment="shadow or audit"),
        sa.Column("queued", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "understudy", name=op.f("pk_trials")),
    )
    with op.batch_alter_table("trials", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_trials_understudy"), ["understudy"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("trials", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_trials_understudy"))

    op.drop_table("trials")
    op.drop_table("tasks")
    with op.batch_alter_table("pairs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pairs_understudy_request"))
        batch_op.drop_index(batch_op.f("ix_pairs_call_id"))

    op.drop_table("pairs")
    with op.batch_alter_table("moves", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_moves_understudy"))

    op.drop_table("moves")
    op.drop_table("leases")
    op.drop_table("feedback")
    with op.batch_alter_table("deployments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_deployments_task"))

    op.drop_table("deployments")
    op.drop_table("cursors")
    op.drop_table("arrivals")
