"""Keep web sessions and sign-ins with Google; know users by Google's subject."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_web_sessions"
down_revision = "2026_11_24_worker"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "web_session",
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_web_session")),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user.id"],
            name=op.f("fk_web_session_user_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f("ix_web_session_user"), "web_session", ["user_id"])
    op.create_table(
        "sign_in_flow",
        sa.Column("state_hash", sa.String(64), nullable=False),
        sa.Column("session_hash", sa.String(64), nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_sign_in_flow")),
    )
    op.add_column(
        "user",
        sa.Column("google_sub", sa.String(255), nullable=False, server_default=""),
    )
    op.create_index(op.f("ix_user_google_sub"), "user", ["google_sub"])


def downgrade() -> None:
    op.drop_index(op.f("ix_user_google_sub"), "user")
    with op.batch_alter_table("user") as table:
        table.drop_column("google_sub")
    op.drop_table("sign_in_flow")
    op.drop_table("web_session")
