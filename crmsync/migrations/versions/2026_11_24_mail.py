"""Remember which messages were read, recorded, and wait for their people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "2026_11_24_mail"
down_revision = "2026_11_24_guest_list"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_read",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("pair_id", sa.String(128), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("why", sa.String(12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mail_read"),
    )
    op.create_index("ix_mail_read_pair", "mail_read", ["pair_id", "id"])
    op.create_table(
        "mail_record",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("pair_id", sa.String(128), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("identity", sa.String(520), nullable=False),
        sa.Column("person_kind", sa.String(8), nullable=False),
        sa.Column("person_id", sa.String(255), nullable=False),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("history_id", sa.String(255), nullable=False),
        sa.Column("rule", sa.String(16), nullable=False),
        sa.Column(
            "runners_up", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("cycle_id", sa.String(64), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True)),
        sa.Column(
            "target", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint("key", name="pk_mail_record"),
    )
    op.create_index("ix_mail_record_cycle", "mail_record", ["cycle_id"])
    op.create_index("ix_mail_record_history", "mail_record", ["history_id"])
    op.create_index("ix_mail_record_identity", "mail_record", ["identity"])
    op.create_index("ix_mail_record_message", "mail_record", ["pair_id", "message_id"])
    op.create_table(
        "mail_address",
        sa.Column("pair_id", sa.String(128), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["pair.id"], name="fk_mail_address_pair_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "pair_id", "address", "message_id", name="pk_mail_address"
        ),
    )
    op.create_index(
        "ix_mail_address_message", "mail_address", ["pair_id", "message_id"]
    )
    op.create_table(
        "mail_message",
        sa.Column("pair_id", sa.String(128), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("thread_id", sa.String(64), nullable=False),
        sa.Column("identity", sa.String(520), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True)),
        sa.Column("wants_labels", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["pair.id"], name="fk_mail_message_pair_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pair_id", "message_id", name="pk_mail_message"),
    )
    op.create_index("ix_mail_message_identity", "mail_message", ["identity"])
    op.create_index(
        "ix_mail_message_labels", "mail_message", ["pair_id", "wants_labels"]
    )
    op.create_index(
        "ix_mail_message_state", "mail_message", ["pair_id", "state", "message_id"]
    )
    op.create_table(
        "mail_thread",
        sa.Column("pair_id", sa.String(128), nullable=False),
        sa.Column("thread_id", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["pair.id"], name="fk_mail_thread_pair_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pair_id", "thread_id", name="pk_mail_thread"),
    )


def downgrade() -> None:
    for table in ("mail_thread", "mail_message", "mail_address"):
        op.drop_table(table)
    for table in ("mail_record", "mail_read"):
        op.drop_table(table)
