"""Add what the worker needs: when a pair is queued, sliced cycles, placed orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_24_worker"
down_revision = "2026_11_24_initial"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("pair", sa.Column("queued_until", _TIME))
    op.create_index(op.f("ix_pair_next_due_at"), "pair", ["next_due_at"])
    op.add_column("cycle", sa.Column("carried", _JSON))
    op.create_table(
        "placed_order",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("pair_id", sa.String(128), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(320), nullable=False),
        sa.Column("detail", _JSON, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("cycle_id", sa.String(64), nullable=False),
        sa.Column("error", _JSON),
        sa.Column("placed_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME),
        sa.ForeignKeyConstraint(
            ["pair_id"],
            ["pair.id"],
            name=op.f("fk_placed_order_pair_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placed_order")),
    )
    op.create_index(
        op.f("ix_placed_order_state"), "placed_order", ["state", "pair_id", "id"]
    )
    op.create_table(
        "scheduler",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduler")),
    )


def downgrade() -> None:
    op.drop_table("scheduler")
    op.drop_index(op.f("ix_placed_order_state"), "placed_order")
    op.drop_table("placed_order")
    op.drop_column("cycle", "carried")
    op.drop_index(op.f("ix_pair_next_due_at"), "pair")
    op.drop_column("pair", "queued_until")
