"""Add the built-in CRM's activities, their participants, and the history of both."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_activities"
down_revision = "2026_11_24_installation_number"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
# The CRM's ids and keys sort by code point on every database.
_ID = sa.String(12).with_variant(sa.String(12, collation="C"), "postgresql")
_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _activity()
    _participant()
    _history()
    _import()


def downgrade() -> None:
    for name in ("activity_import", "history", "activity_participant", "activity"):
        op.drop_table(f"crm_{name}")


def _column(
    name: str, kind: sa.types.TypeEngine[Any], *, nullable: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def _text(name: str, limit: int = 0) -> sa.Column[Any]:
    """Return the column of a text; 0 is no limit."""
    kind = sa.String(limit) if limit else sa.Text()
    return sa.Column(name, kind, server_default="", nullable=False)


def _flag(name: str) -> sa.Column[Any]:
    return _column(name, sa.Boolean())


def _at(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return _column(name, _TIME, nullable=nullable)


def _id(name: str) -> sa.Column[Any]:
    return _column(name, _ID, nullable=True)


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name)


def _index(table: str, *columns: str) -> None:
    name = op.f(f"ix_{table}_{'_'.join(columns)}")
    op.create_index(name, table, list(columns), unique=False)


def _activity() -> None:
    op.create_table(
        "crm_activity",
        _column("id", _ID),
        _id("parent_id"),
        _text("slot", 20),
        _column("type", sa.String(16)),
        _column("leader", sa.String(12)),
        _at("start_at"),
        _at("end_at"),
        _at("last_at", nullable=True),
        _flag("is_timeless"),
        _flag("is_undated"),
        _flag("is_cancelled"),
        _column("duration", sa.Integer()),
        _text("zone", 64),
        _text("recurrence"),
        _text("subject", 64),
        _text("location", 255),
        _text("notes"),
        _text("category", 64),
        _text("priority", 16),
        _text("phone", 32),
        _column("alarm", sa.Integer(), nullable=True),
        _id("contact_id"),
        _id("account_id"),
        _text("opportunity", 128),
        _text("ticket", 64),
        _text("lead", 128),
        _text("resources"),
        _column("search_key", _KEY),
        _column("version", sa.Integer()),
        _column("sync_key", _KEY, nullable=True),
        _column("change_seq", sa.BigInteger()),
        _at("created_at"),
        _text("created_by", 12),
        _at("modified_at"),
        _text("modified_by", 12),
        _at("completed_at", nullable=True),
        _at("deleted_at", nullable=True),
        _refers("crm_activity", "account_id", "crm_account"),
        _refers("crm_activity", "contact_id", "crm_contact"),
        _refers("crm_activity", "parent_id", "crm_activity"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_activity")),
        sa.UniqueConstraint("change_seq", name=op.f("uq_crm_activity_change_seq")),
        sa.UniqueConstraint("sync_key", name=op.f("uq_crm_activity_sync_key")),
    )
    for name in ("account_id", "contact_id", "last_at", "leader", "parent_id"):
        _index("crm_activity", name)
    _index("crm_activity", "start_at", "id")
    op.create_index(
        op.f("ix_crm_activity_parent_id_slot"),
        "crm_activity",
        ["parent_id", "slot"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _participant() -> None:
    table = "crm_activity_participant"
    op.create_table(
        table,
        _column("activity_id", _ID),
        _column("kind", sa.String(8)),
        _column("ref", _KEY),
        _text("name", 255),
        _text("address", 254),
        _text("answer", 16),
        _flag("is_guest"),
        _flag("is_present"),
        _column("change_seq", sa.BigInteger()),
        _column("alarm", sa.Integer(), nullable=True),
        _at("snoozed_until", nullable=True),
        _at("dismissed_at", nullable=True),
        _refers(table, "activity_id", "crm_activity"),
        sa.PrimaryKeyConstraint("activity_id", "kind", "ref", name=op.f(f"pk_{table}")),
    )
    _index(table, "kind", "ref", "change_seq")


def _history() -> None:
    op.create_table(
        "crm_history",
        _column("id", _ID),
        _id("activity_id"),
        _column("type", sa.String(16)),
        _column("user_id", sa.String(12)),
        _id("contact_id"),
        _id("account_id"),
        _text("subject", 64),
        _text("location", 255),
        _text("notes"),
        _text("category", 64),
        _at("start_at"),
        _flag("is_timeless"),
        _column("duration", sa.Integer()),
        _at("completed_at"),
        _text("completed_by", 12),
        _refers("crm_history", "activity_id", "crm_activity"),
        _refers("crm_history", "contact_id", "crm_contact"),
        _refers("crm_history", "account_id", "crm_account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_history")),
    )
    for name in ("activity_id", "contact_id", "account_id", "user_id"):
        _index("crm_history", name)


def _import() -> None:
    op.create_table(
        "crm_activity_import",
        _column("key", sa.String(40)),
        _column("digest", sa.String(32)),
        _column("activity_id", _ID),
        _at("imported_at"),
        _text("imported_by", 12),
        _refers("crm_activity_import", "activity_id", "crm_activity"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_crm_activity_import")),
    )
    _index("crm_activity_import", "activity_id")
