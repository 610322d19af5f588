"""Keep an event's rooms, and its guests' names and answers, with the activity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_guest_list"
down_revision = "2026_11_24_imported"
branch_labels = None
depends_on = None

_COLUMNS = ("rooms", "guest_list")


def upgrade() -> None:
    with op.batch_alter_table("crm_activity") as batch:
        for name in _COLUMNS:
            batch.add_column(
                sa.Column(name, sa.Text(), nullable=False, server_default="")
            )


def downgrade() -> None:
    with op.batch_alter_table("crm_activity") as batch:
        for name in _COLUMNS:
            batch.drop_column(name)
