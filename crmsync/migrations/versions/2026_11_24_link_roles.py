"""Let a link know who organises its activity, and the series of an occurrence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_link_roles"
down_revision = "2026_11_24_activities"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("link") as batch:
        batch.add_column(
            sa.Column("role", sa.String(12), nullable=False, server_default="")
        )
        batch.add_column(
            sa.Column("parent", sa.String(1024), nullable=False, server_default="")
        )
    op.create_index("ix_link_parent", "link", ["pair_id", "parent"])
    op.create_index("ix_link_elsewhere", "link", ["crm_id", "role"])


def downgrade() -> None:
    op.drop_index("ix_link_elsewhere", "link")
    op.drop_index("ix_link_parent", "link")
    with op.batch_alter_table("link") as batch:
        batch.drop_column("parent")
        batch.drop_column("role")
