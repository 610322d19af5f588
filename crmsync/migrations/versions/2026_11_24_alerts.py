"""Add what was told by e-mail, and find cycles by the time they ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_alerts"
down_revision = "2026_11_24_web_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alert")),
    )
    op.create_index(op.f("ix_cycle_finished_at"), "cycle", ["finished_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_cycle_finished_at"), "cycle")
    op.drop_table("alert")
