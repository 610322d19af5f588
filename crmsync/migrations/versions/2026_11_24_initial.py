"""Create the first version of all tables: our state, and the built-in CRM (`crm_`).

Written out on purpose: what the tables become later is told by later revisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_24_initial"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
# The CRM's ids and keys sort by code point on every database.
_ID = sa.String(12).with_variant(sa.String(12, collation="C"), "postgresql")
_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    for create in _TABLES.values():
        create()


def downgrade() -> None:
    for name in reversed(_TABLES):
        op.drop_table(name)


def _column(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _unique(name: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(name))


def _refers(
    table: str, column: str, to: str, *, cascade: bool = False
) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}")
    end = "CASCADE" if cascade else None
    return sa.ForeignKeyConstraint([column], [to], name=name, ondelete=end)


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(op.f(name), table, list(columns))


def _text(name: str, limit: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(limit), server_default="", nullable=False)


def _texts(limits: Mapping[str, int]) -> Iterator[sa.Column[str]]:
    return (_text(name, limit) for name, limit in limits.items())


def _account_lease() -> None:
    op.create_table(
        "account_lease",
        _column("google_sub", sa.String(255)),
        _column("pair_id", sa.String(128)),
        _column("lease_token", sa.Integer()),
        sa.Column("lease_until", _TIME),
        _key("account_lease", "google_sub"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        _column("id", sa.String(64)),
        _column("at", _TIME),
        _column("actor", sa.String(320)),
        _column("action", sa.String(64)),
        _column("detail", _JSON),
        _key("audit", "id"),
    )


def _installation() -> None:
    op.create_table(
        "installation",
        _column("id", sa.Integer()),
        _column("name", sa.String(64)),
        _column("created_at", _TIME),
        _key("installation", "id"),
    )


def _setting() -> None:
    op.create_table(
        "setting",
        _column("name", sa.String(64)),
        _column("user_id", sa.String(64)),
        _column("kind", sa.String(16)),
        _column("value", sa.Text()),
        _key("setting", "name", "user_id", "kind"),
    )


def _user() -> None:
    op.create_table(
        "user",
        _column("id", sa.String(64)),
        _column("email", sa.String(320)),
        _column("name", sa.String(200)),
        _column("is_admin", sa.Boolean()),
        _column("is_disabled", sa.Boolean()),
        _column("password_hash", sa.String(200)),
        _column("infor_user", sa.String(64)),
        _column("created_at", _TIME),
        _key("user", "id"),
        _unique("uq_user_email", "email"),
    )


def _connection() -> None:
    op.create_table(
        "connection",
        _column("id", sa.String(64)),
        _column("user_id", sa.String(64)),
        _column("service", sa.String(32)),
        _column("google_sub", sa.String(255)),
        _column("email", sa.String(320)),
        _column("scopes", sa.Text()),
        _column("state", sa.String(16)),
        _column("grant", sa.Text()),
        _column("error", sa.String(64)),
        _column("created_at", _TIME),
        _column("changed_at", _TIME),
        _refers("connection", "user_id", "user.id", cascade=True),
        _key("connection", "id"),
        _unique("uq_connection_user_id", "user_id", "service"),
    )
    _index("ix_connection_google_sub", "connection", "google_sub")


def _oauth_flow() -> None:
    op.create_table(
        "oauth_flow",
        _column("state_hash", sa.String(64)),
        _column("user_id", sa.String(64)),
        _column("service", sa.String(32)),
        _column("session_hash", sa.String(64)),
        _column("secret", sa.Text()),
        _column("grant", sa.Text()),
        _column("google_sub", sa.String(255)),
        _column("email", sa.String(320)),
        _column("is_used", sa.Boolean()),
        _column("expires_at", _TIME),
        _refers("oauth_flow", "user_id", "user.id", cascade=True),
        _key("oauth_flow", "state_hash"),
    )


def _pair() -> None:
    op.create_table(
        "pair",
        _column("id", sa.String(128)),
        _column("user_id", sa.String(64)),
        _column("kind", sa.String(16)),
        _column("group_id", sa.String(64)),
        _column("google_sub", sa.String(255)),
        _column("is_paused", sa.Boolean()),
        _column("is_accepted", sa.Boolean()),
        _column("announced", sa.Integer()),
        _column("lease_token", sa.Integer()),
        sa.Column("lease_until", _TIME),
        sa.Column("next_due_at", _TIME),
        _refers("pair", "user_id", "user.id", cascade=True),
        _key("pair", "id"),
        _unique("uq_pair_user_id", "user_id", "kind"),
    )


def _choice() -> None:
    op.create_table(
        "choice",
        _column("pair_id", sa.String(128)),
        _column("side", sa.String(8)),
        _column("remote_id", sa.String(1024)),
        _column("kind", sa.String(8)),
        _column("target", sa.String(1024)),
        _refers("choice", "pair_id", "pair.id", cascade=True),
        _key("choice", "pair_id", "side", "remote_id"),
    )


def _collection() -> None:
    op.create_table(
        "collection",
        _column("pair_id", sa.String(128)),
        _column("side", sa.String(8)),
        sa.Column("cursor", sa.Text()),
        _column("memo", _JSON),
        _refers("collection", "pair_id", "pair.id", cascade=True),
        _key("collection", "pair_id", "side"),
    )


def _cycle() -> None:
    op.create_table(
        "cycle",
        _column("id", sa.String(64)),
        _column("pair_id", sa.String(128)),
        _column("user_id", sa.String(64)),
        _column("kind", sa.String(16)),
        _column("state", sa.String(16)),
        _column("is_dry", sa.Boolean()),
        _column("objection", sa.String(32)),
        sa.Column("allowance", _JSON),
        _column("counts", _JSON),
        _column("requests", _JSON),
        sa.Column("error", _JSON),
        _column("started_at", _TIME),
        sa.Column("finished_at", _TIME),
        _refers("cycle", "pair_id", "pair.id", cascade=True),
        _key("cycle", "id"),
    )
    _index("ix_cycle_pair", "cycle", "pair_id", "id")
    _index("ix_cycle_state", "cycle", "pair_id", "state")
    _index("ix_cycle_user", "cycle", "user_id", "id")


def _directory() -> None:
    op.create_table(
        "directory",
        _column("pair_id", sa.String(128)),
        _column("remote_id", sa.String(1024)),
        _column("is_selected", sa.Boolean()),
        _column("is_parted", sa.Boolean()),
        _column("key", sa.Text()),
        _column("key_hash", sa.String(32)),
        _column("stamp", sa.String(64)),
        _refers("directory", "pair_id", "pair.id", cascade=True),
        _key("directory", "pair_id", "remote_id"),
    )
    _index("ix_directory_key_hash", "directory", "pair_id", "key_hash")


def _directory_key() -> None:
    op.create_table(
        "directory_key",
        _column("pair_id", sa.String(128)),
        _column("match_hash", sa.String(32)),
        _column("remote_id", sa.String(1024)),
        _refers("directory_key", "pair_id", "pair.id", cascade=True),
        _key("directory_key", "pair_id", "match_hash", "remote_id"),
    )
    _index("ix_directory_key_remote", "directory_key", "pair_id", "remote_id")


def _link() -> None:
    op.create_table(
        "link",
        _column("id", sa.String(64)),
        _column("pair_id", sa.String(128)),
        _column("crm_id", sa.String(1024)),
        _column("google_id", sa.String(1024)),
        _column("crm_base", _JSON),
        _column("google_base", _JSON),
        _column("crm_etag", sa.Text()),
        _column("google_etag", sa.Text()),
        _column("crm_stamp", sa.String(64)),
        _column("google_stamp", sa.String(64)),
        _column("created_in", sa.String(8)),
        _column("is_google_edited", sa.Boolean()),
        _column("has_key", sa.Boolean()),
        _column("has_sends", sa.Boolean()),
        _column("sends", _JSON),
        _column("dormant", sa.String(8)),
        _refers("link", "pair_id", "pair.id", cascade=True),
        _key("link", "id"),
        _unique("uq_link_crm", "pair_id", "crm_id"),
        _unique("uq_link_google", "pair_id", "google_id"),
    )
    _index("ix_link_page", "link", "pair_id", "id")
    _index("ix_link_sends", "link", "pair_id", "has_sends", "id")


def _seen() -> None:
    op.create_table(
        "seen",
        _column("pair_id", sa.String(128)),
        _column("side", sa.String(8)),
        _column("remote_id", sa.String(1024)),
        _refers("seen", "pair_id", "pair.id", cascade=True),
        _key("seen", "pair_id", "side", "remote_id"),
    )


def _staged() -> None:
    op.create_table(
        "staged",
        _column("pair_id", sa.String(128)),
        _column("side", sa.String(8)),
        _column("remote_id", sa.String(1024)),
        _column("is_selected", sa.Boolean()),
        _column("is_gone", sa.Boolean()),
        _column("remote", _JSON),
        _column("tries", sa.Integer()),
        sa.Column("not_before", _TIME),
        _refers("staged", "pair_id", "pair.id", cascade=True),
        _key("staged", "pair_id", "side", "remote_id"),
    )


def _item() -> None:
    op.create_table(
        "item",
        _column("id", sa.String(64)),
        _column("pair_id", sa.String(128)),
        _column("cycle_id", sa.String(64)),
        _column("at", _TIME),
        _column("action", sa.String(8)),
        _column("direction", sa.String(12)),
        _column("state", sa.String(8)),
        _column("reason", sa.String(64)),
        _column("link_id", sa.String(64)),
        _column("crm_id", sa.String(1024)),
        _column("google_id", sa.String(1024)),
        _column("name", sa.Text()),
        _column("is_crm_written", sa.Boolean()),
        _column("is_google_written", sa.Boolean()),
        _column("is_crm_deselected", sa.Boolean()),
        _column("is_google_deselected", sa.Boolean()),
        _column("has_conflict", sa.Boolean()),
        _column("changes", _JSON),
        _column("plan", _JSON),
        _column("sent_at", sa.Float()),
        sa.Column("error", _JSON),
        _refers("item", "cycle_id", "cycle.id", cascade=True),
        _refers("item", "pair_id", "pair.id", cascade=True),
        _key("item", "id"),
    )
    _index("ix_item_crm", "item", "pair_id", "crm_id")
    _index("ix_item_cycle", "item", "cycle_id", "state", "id")
    _index("ix_item_google", "item", "pair_id", "google_id")
    _index("ix_item_pair_state", "item", "pair_id", "state")


def _crm_account() -> None:
    op.create_table(
        "crm_account",
        _column("id", _ID),
        _text("name", 128),
        _column("name_key", _KEY),
        _text("type", 64),
        _text("status", 64),
        _column("owner", sa.String(12)),
        _text("manager", 12),
        _column("is_personal", sa.Boolean()),
        _column("created_at", _TIME),
        _column("modified_at", _TIME),
        _key("crm_account", "id"),
    )
    _index(
        "ix_crm_account_name_key_created_at", "crm_account", "name_key", "created_at"
    )
    _index("ix_crm_account_owner", "crm_account", "owner")


def _crm_counter() -> None:
    op.create_table(
        "crm_counter",
        _column("name", sa.String(32)),
        _column("value", sa.BigInteger()),
        _key("crm_counter", "name"),
    )


def _crm_group() -> None:
    op.create_table(
        "crm_group",
        _column("id", _ID),
        _text("name", 64),
        _column("name_key", _KEY),
        _column("owner", sa.String(12)),
        _column("created_at", _TIME),
        _column("modified_at", _TIME),
        sa.Column("deleted_at", _TIME),
        _key("crm_group", "id"),
    )
    op.create_index(
        op.f("ix_crm_group_name_key_owner"),
        "crm_group",
        ["name_key", "owner"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _crm_user() -> None:
    op.create_table(
        "crm_user",
        _column("id", _ID),
        _text("email", 254),
        _column("email_key", _KEY),
        _text("name", 128),
        _column("created_at", _TIME),
        _key("crm_user", "id"),
        _unique("uq_crm_user_email_key", "email_key"),
    )


def _crm_contact() -> None:
    op.create_table(
        "crm_contact",
        _column("id", _ID),
        _column("account_id", _ID),
        _column("owner", sa.String(12)),
        _column("version", sa.Integer()),
        sa.Column("sync_key", _KEY),
        _column("change_seq", sa.BigInteger()),
        _column("created_at", _TIME),
        _column("modified_at", _TIME),
        _text("modified_by", 12),
        sa.Column("deleted_at", _TIME),
        sa.Column("merged_into", _ID),
        _column("name_key", _KEY),
        *_texts(
            {
                "prefix": 16,
                "first": 32,
                "middle": 32,
                "last": 32,
                "suffix": 16,
                "title": 64,
                "department": 32,
                "email": 128,
                "email2": 128,
                "email3": 128,
                "work_phone": 32,
                "home_phone": 32,
                "mobile": 32,
                "fax": 32,
                "web": 128,
                "work_street": 194,
                "work_city": 32,
                "work_region": 32,
                "work_postal": 24,
                "work_country": 32,
                "home_street": 194,
                "home_city": 32,
                "home_region": 32,
                "home_postal": 24,
                "home_country": 32,
            }
        ),
        sa.Column("birthday", sa.Date()),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("custom", _JSON, server_default="{}", nullable=False),
        _refers("crm_contact", "account_id", "crm_account.id"),
        _key("crm_contact", "id"),
        _unique("uq_crm_contact_change_seq", "change_seq"),
        _unique("uq_crm_contact_sync_key", "sync_key"),
    )
    _index("ix_crm_contact_account_id", "crm_contact", "account_id")
    _index("ix_crm_contact_name_key_id", "crm_contact", "name_key", "id")
    _index("ix_crm_contact_owner", "crm_contact", "owner")


def _crm_contact_address() -> None:
    op.create_table(
        "crm_contact_address",
        _column("address", _KEY),
        _column("contact_id", _ID),
        _refers("crm_contact_address", "contact_id", "crm_contact.id"),
        _key("crm_contact_address", "address", "contact_id"),
    )
    _index("ix_crm_contact_address_contact_id", "crm_contact_address", "contact_id")


def _crm_group_member() -> None:
    op.create_table(
        "crm_group_member",
        _column("group_id", _ID),
        _column("contact_id", _ID),
        _column("is_member", sa.Boolean()),
        _column("change_seq", sa.BigInteger()),
        _refers("crm_group_member", "contact_id", "crm_contact.id"),
        _refers("crm_group_member", "group_id", "crm_group.id"),
        _key("crm_group_member", "group_id", "contact_id"),
        _unique("uq_crm_group_member_change_seq", "change_seq"),
    )
    _index("ix_crm_group_member_contact_id", "crm_group_member", "contact_id")
    _index(
        "ix_crm_group_member_group_id_change_seq",
        "crm_group_member",
        "group_id",
        "change_seq",
    )


def _crm_import_row() -> None:
    op.create_table(
        "crm_import_row",
        _column("key", sa.String(40)),
        _column("digest", sa.String(32)),
        _column("contact_id", _ID),
        _column("imported_at", _TIME),
        _text("imported_by", 12),
        _refers("crm_import_row", "contact_id", "crm_contact.id"),
        _key("crm_import_row", "key"),
    )
    _index("ix_crm_import_row_contact_id", "crm_import_row", "contact_id")
    _index("ix_crm_import_row_digest", "crm_import_row", "digest")


_TABLES = {
    "account_lease": _account_lease,
    "audit": _audit,
    "installation": _installation,
    "setting": _setting,
    "user": _user,
    "connection": _connection,
    "oauth_flow": _oauth_flow,
    "pair": _pair,
    "choice": _choice,
    "collection": _collection,
    "cycle": _cycle,
    "directory": _directory,
    "directory_key": _directory_key,
    "link": _link,
    "seen": _seen,
    "staged": _staged,
    "item": _item,
    "crm_account": _crm_account,
    "crm_counter": _crm_counter,
    "crm_group": _crm_group,
    "crm_user": _crm_user,
    "crm_contact": _crm_contact,
    "crm_contact_address": _crm_contact_address,
    "crm_group_member": _crm_group_member,
    "crm_import_row": _crm_import_row,
}
