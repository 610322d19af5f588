"""Add leads, opportunities and tickets, and recorded e-mail in the CRM's history."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_crm_mail"
down_revision = "2026_11_24_mail"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
# The CRM's ids and keys sort by code point on every database.
_ID = sa.String(12).with_variant(sa.String(12, collation="C"), "postgresql")
_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_LINKS = {
    "lead_id": "crm_lead",
    "opportunity_id": "crm_opportunity",
    "ticket_id": "crm_ticket",
}


def upgrade() -> None:
    _leads()
    _deal(
        "crm_opportunity",
        _text("name", 128),
        _column("amount", sa.BigInteger(), nullable=True),
        _text("stage", 64),
        _text("close_date", 10),
    )
    _deal(
        "crm_ticket",
        _column("number", sa.BigInteger()),
        _text("subject", 128),
        _text("status", 64),
        _text("notes"),
        sa.UniqueConstraint("number", name=op.f("uq_crm_ticket_number")),
    )
    _history()
    _mail()


def downgrade() -> None:
    op.drop_table("crm_attachment")
    op.drop_table("crm_mail")
    op.execute("DELETE FROM crm_history WHERE type = 'email'")
    for columns in ("contact_id_completed_at_id", "lead_id_completed_at_id"):
        op.drop_index(op.f(f"ix_crm_history_{columns}"), "crm_history")
    for column in ("opportunity_id", "ticket_id"):
        op.drop_index(op.f(f"ix_crm_history_{column}"), "crm_history")
    with op.batch_alter_table("crm_history") as batch:
        for name in _LINKS:
            batch.drop_constraint(op.f(f"fk_crm_history_{name}"), type_="foreignkey")
            batch.drop_column(name)
        batch.drop_column("removed_at")
    _index("crm_history", "contact_id")
    for table in ("lead_import", "lead_address", "lead", "opportunity", "ticket"):
        op.drop_table(f"crm_{table}")


def _column(
    name: str, kind: sa.types.TypeEngine[Any], *, nullable: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def _text(name: str, limit: int = 0) -> sa.Column[Any]:
    """Return the column of a text; 0 is no limit."""
    kind = sa.String(limit) if limit else sa.Text()
    return sa.Column(name, kind, server_default="", nullable=False)


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name)


def _index(table: str, *columns: str) -> None:
    name = op.f(f"ix_{table}_{'_'.join(columns)}")
    op.create_index(name, table, list(columns), unique=False)


def _kept(table: str, *further: Any) -> None:
    """Make a table of records that are kept as tombstones when they are deleted."""
    op.create_table(
        table,
        _column("id", _ID),
        _column("owner", sa.String(12)),
        _column("version", sa.Integer()),
        _column("sync_key", _KEY, nullable=True),
        _column("change_seq", sa.BigInteger()),
        _column("created_at", _TIME),
        _column("modified_at", _TIME),
        _text("modified_by", 12),
        _column("deleted_at", _TIME, nullable=True),
        _column("sort_key", _KEY),
        _column("search_key", _KEY),
        *further,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("change_seq", name=op.f(f"uq_{table}_change_seq")),
        sa.UniqueConstraint("sync_key", name=op.f(f"uq_{table}_sync_key")),
    )
    _index(table, "owner")
    _index(table, "sort_key", "id")


def _deal(table: str, *further: Any) -> None:
    _kept(
        table,
        _column("account_id", _ID, nullable=True),
        _column("contact_id", _ID, nullable=True),
        *further,
        _refers(table, "account_id", "crm_account"),
        _refers(table, "contact_id", "crm_contact"),
    )
    _index(table, "account_id")
    _index(table, "contact_id")


def _leads() -> None:
    _kept(
        "crm_lead",
        _text("first", 32),
        _text("last", 32),
        _text("company", 128),
        _text("title", 64),
        *(_text(name, 128) for name in ("email", "email2", "email3")),
        *(_text(n, 32) for n in ("work_phone", "home_phone", "mobile", "fax")),
        _text("web", 128),
        _text("work_street", 194),
        _text("work_city", 32),
        _text("work_region", 32),
        _text("work_postal", 24),
        _text("work_country", 32),
        _text("status", 64),
        _text("notes"),
    )
    op.create_table(
        "crm_lead_address",
        _column("address", _KEY),
        _column("lead_id", _ID),
        _refers("crm_lead_address", "lead_id", "crm_lead"),
        sa.PrimaryKeyConstraint("address", "lead_id", name="pk_crm_lead_address"),
    )
    _index("crm_lead_address", "lead_id")
    op.create_table(
        "crm_lead_import",
        _column("key", sa.String(40)),
        _column("digest", sa.String(32)),
        _column("lead_id", _ID),
        _column("imported_at", _TIME),
        _text("imported_by", 12),
        _refers("crm_lead_import", "lead_id", "crm_lead"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_crm_lead_import")),
    )
    _index("crm_lead_import", "digest")
    _index("crm_lead_import", "lead_id")


def _history() -> None:
    op.drop_index(op.f("ix_crm_history_contact_id"), "crm_history")
    with op.batch_alter_table("crm_history") as batch:
        for name in _LINKS:
            batch.add_column(_column(name, _ID, nullable=True))
        batch.add_column(_column("removed_at", _TIME, nullable=True))
        for name, table in _LINKS.items():
            batch.create_foreign_key(
                op.f(f"fk_crm_history_{name}"), table, [name], ["id"]
            )
    for person in ("contact_id", "lead_id"):
        _index("crm_history", person, "completed_at", "id")
    _index("crm_history", "opportunity_id")
    _index("crm_history", "ticket_id")


def _mail() -> None:
    op.create_table(
        "crm_mail",
        _column("history_id", _ID),
        _column("sync_key", _KEY),
        _column("message_id", _KEY),
        _column("thread_id", _KEY),
        _column("is_sent", sa.Boolean()),
        *(_text(name) for name in ("subject", "sender", "to", "cc", "bcc")),
        _column("sent_at", _TIME),
        _text("text"),
        _text("html"),
        _column("recorded_at", _TIME),
        _text("recorded_by", 12),
        _refers("crm_mail", "history_id", "crm_history"),
        sa.PrimaryKeyConstraint("history_id", name=op.f("pk_crm_mail")),
        sa.UniqueConstraint("sync_key", name=op.f("uq_crm_mail_sync_key")),
    )
    _index("crm_mail", "message_id")
    op.create_table(
        "crm_attachment",
        _column("id", _ID),
        _column("history_id", _ID),
        _column("place", sa.Integer()),
        _text("name"),
        _text("content_type"),
        _column("size", sa.BigInteger()),
        _column("digest", sa.String(64)),
        _column("kind", sa.String(12)),
        _text("content_id"),
        _text("reason"),
        _column("added_at", _TIME),
        _text("added_by", 12),
        _refers("crm_attachment", "history_id", "crm_history"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_attachment")),
    )
    _index("crm_attachment", "history_id")
    _index("crm_attachment", "digest")
