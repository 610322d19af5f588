"""Keep the edits that members propose to an activity's organiser."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "2026_11_24_proposals"
down_revision = "2026_11_24_link_roles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proposal",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("pair_id", sa.String(128), nullable=False),
        sa.Column("item_id", sa.String(64), nullable=False),
        sa.Column("asked_id", sa.String(64), nullable=False),
        sa.Column("crm_id", sa.String(1024), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "changes", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("decided_by", sa.String(320), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["pair_id"],
            ["pair.id"],
            name="fk_proposal_pair_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_proposal"),
        sa.UniqueConstraint("item_id", name="uq_proposal_item_id"),
    )
    op.create_index("ix_proposal_asked", "proposal", ["asked_id", "state"])
    op.create_index("ix_proposal_pair", "proposal", ["pair_id", "state"])


def downgrade() -> None:
    op.drop_table("proposal")
