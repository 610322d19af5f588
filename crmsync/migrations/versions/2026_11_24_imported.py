"""Let an activity say that it comes from elsewhere and is only shown in the CRM."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_imported"
down_revision = "2026_11_24_proposals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("crm_activity") as batch:
        batch.add_column(
            sa.Column("imported", sa.String(300), nullable=False, server_default="")
        )


def downgrade() -> None:
    with op.batch_alter_table("crm_activity") as batch:
        batch.drop_column("imported")
