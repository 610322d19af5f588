"""Keep the address of the Google account whose links a pair holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_pair_account"
down_revision = "2026_11_24_history_pages"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "pair",
        sa.Column("google_email", sa.String(320), nullable=False, server_default=""),
    )


def downgrade() -> None:
    with op.batch_alter_table("pair") as table:
        table.drop_column("google_email")
