"""The tables of our own state; plain SQLAlchemy metadata, no engine, no session.

Ids are texts. A pair's id begins with its user's id, so every table can be partitioned
by user (architecture, section 5). Times are aware UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Json = JSON().with_variant(JSONB(), "postgresql")
_Missing = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_Id = String(64)
_RemoteId = String(1024)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which keeps no zone, gets it back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> Any:
        """Store in UTC."""
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        """Return an aware time."""
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def json_column() -> Any:
    """Return the type of a column that holds JSON, on either database."""
    return _Json


def _time(name: str, **options: Any) -> Column[Any]:
    return Column(name, UtcDateTime(), **options)


def _pair(**options: Any) -> Column[Any]:
    key = ForeignKey("pair.id", ondelete="CASCADE")
    return Column("pair_id", String(128), key, nullable=False, **options)


installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", _Id, nullable=False),
    _time("created_at", nullable=False),
)
"""One row, whose id is always 1: two processes cannot both make one."""

users = Table(
    "user",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("email", String(320), nullable=False, unique=True),
    Column("name", String(200), nullable=False, default=""),
    Column("is_admin", Boolean, nullable=False, default=False),
    Column("is_disabled", Boolean, nullable=False, default=False),
    Column("password_hash", String(200), nullable=False, default=""),
    Column("infor_user", String(64), nullable=False, default=""),
    _time("created_at", nullable=False),
    Column("google_sub", String(255), nullable=False, default="", server_default=""),
    Index("ix_user_google_sub", "google_sub"),
)

web_sessions = Table(
    "web_session",
    metadata,
    Column("secret_hash", String(64), primary_key=True),
    Column("user_id", _Id, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    _time("created_at", nullable=False),
    _time("seen_at", nullable=False),
    _time("expires_at", nullable=False),
    Index("ix_web_session_user", "user_id"),
)
"""Who is signed in to the pages; the browser alone knows the secret."""

sign_in_flows = Table(
    "sign_in_flow",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("session_hash", String(64), nullable=False),
    Column("secret", Text, nullable=False),
    _time("expires_at", nullable=False),
)
"""Sign-ins with Google under way: before them there is no user to hang a flow on."""

connections = Table(
    "connection",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("user_id", _Id, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("service", String(32), nullable=False),
    Column("google_sub", String(255), nullable=False),
    Column("email", String(320), nullable=False),
    Column("scopes", Text, nullable=False, default=""),
    Column("state", String(16), nullable=False),
    Column("grant", Text, nullable=False, default=""),
    Column("error", String(64), nullable=False, default=""),
    _time("created_at", nullable=False),
    _time("changed_at", nullable=False),
    UniqueConstraint("user_id", "service"),
    Index("ix_connection_google_sub", "google_sub"),
)

oauth_flows = Table(
    "oauth_flow",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("user_id", _Id, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("service", String(32), nullable=False),
    Column("session_hash", String(64), nullable=False),
    Column("secret", Text, nullable=False),
    Column("grant", Text, nullable=False, default=""),
    Column("google_sub", String(255), nullable=False, default=""),
    Column("email", String(320), nullable=False, default=""),
    Column("is_used", Boolean, nullable=False, default=False),
    _time("expires_at", nullable=False),
)

pairs = Table(
    "pair",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("user_id", _Id, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("group_id", String(64), nullable=False, default=""),
    Column("google_sub", String(255), nullable=False, default=""),
    Column("is_paused", Boolean, nullable=False, default=False),
    Column("is_accepted", Boolean, nullable=False, default=False),
    Column("announced", Integer, nullable=False, default=0),
    Column("lease_token", Integer, nullable=False, default=0),
    _time("lease_until"),
    _time("next_due_at"),
    _time("queued_until"),
    Column("google_email", String(320), nullable=False, default="", server_default=""),
    UniqueConstraint("user_id", "kind"),
    Index("ix_pair_next_due_at", "next_due_at"),
)

account_leases = Table(
    "account_lease",
    metadata,
    Column("google_sub", String(255), primary_key=True),
    Column("pair_id", String(128), nullable=False),
    Column("lease_token", Integer, nullable=False, default=0),
    _time("lease_until"),
)

collections = Table(
    "collection",
    metadata,
    _pair(primary_key=True),
    Column("side", String(8), primary_key=True),
    Column("cursor", Text),
    Column("memo", _Json, nullable=False, default=dict),
)

links = Table(
    "link",
    metadata,
    Column("id", _Id, primary_key=True),
    _pair(),
    Column("crm_id", _RemoteId, nullable=False),
    Column("google_id", _RemoteId, nullable=False),
    Column("crm_base", _Json, nullable=False),
    Column("google_base", _Json, nullable=False),
    Column("crm_etag", Text, nullable=False, default=""),
    Column("google_etag", Text, nullable=False, default=""),
    Column("crm_stamp", String(64), nullable=False, default=""),
    Column("google_stamp", String(64), nullable=False, default=""),
    Column("created_in", String(8), nullable=False, default=""),
    Column("is_google_edited", Boolean, nullable=False, default=False),
    Column("has_key", Boolean, nullable=False, default=False),
    Column("has_sends", Boolean, nullable=False, default=False),
    Column("sends", _Json, nullable=False, default=list),
    Column("dormant", String(8), nullable=False, default=""),
    Column("role", String(12), nullable=False, default="", server_default=""),
    Column("parent", _RemoteId, nullable=False, default="", server_default=""),
    UniqueConstraint("pair_id", "crm_id", name="uq_link_crm"),
    UniqueConstraint("pair_id", "google_id", name="uq_link_google"),
    Index("ix_link_page", "pair_id", "id"),
    Index("ix_link_sends", "pair_id", "has_sends", "id"),
    Index("ix_link_parent", "pair_id", "parent"),
    Index("ix_link_elsewhere", "crm_id", "role"),
)

staged = Table(
    "staged",
    metadata,
    _pair(primary_key=True),
    Column("side", String(8), primary_key=True),
    Column("remote_id", _RemoteId, primary_key=True),
    Column("is_selected", Boolean, nullable=False),
    Column("is_gone", Boolean, nullable=False),
    Column("remote", _Json, nullable=False),
    Column("tries", Integer, nullable=False, default=0),
    _time("not_before"),
)

seen = Table(
    "seen",
    metadata,
    _pair(primary_key=True),
    Column("side", String(8), primary_key=True),
    Column("remote_id", _RemoteId, primary_key=True),
)

directory = Table(
    "directory",
    metadata,
    _pair(primary_key=True),
    Column("remote_id", _RemoteId, primary_key=True),
    Column("is_selected", Boolean, nullable=False),
    Column("is_parted", Boolean, nullable=False, default=False),
    Column("key", Text, nullable=False, default=""),
    Column("key_hash", String(32), nullable=False, default=""),
    Column("stamp", String(64), nullable=False, default=""),
    Index("ix_directory_key_hash", "pair_id", "key_hash"),
)

directory_keys = Table(
    "directory_key",
    metadata,
    _pair(primary_key=True),
    Column("match_hash", String(32), primary_key=True),
    Column("remote_id", _RemoteId, primary_key=True),
    Index("ix_directory_key_remote", "pair_id", "remote_id"),
)


def _sorted(name: str, *columns: str) -> tuple[Index, Index]:
    """Return indexes by which cycles are listed in an order: one's own, and all."""
    return (
        Index(f"ix_cycle_{name}", *columns, "id"),
        Index(f"ix_cycle_user_{name}", "user_id", *columns, "id"),
    )


cycles = Table(
    "cycle",
    metadata,
    Column("id", _Id, primary_key=True),
    _pair(),
    Column("user_id", _Id, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("is_dry", Boolean, nullable=False, default=False),
    Column("objection", String(32), nullable=False, default=""),
    Column("allowance", _Json),
    Column("counts", _Json, nullable=False, default=dict),
    Column("requests", _Json, nullable=False, default=dict),
    Column("error", _Json),
    _time("started_at", nullable=False),
    _time("finished_at"),
    Column("carried", _Missing),
    Column("changes", Integer, nullable=False, default=0, server_default="0"),
    Column("duration_ms", Integer, nullable=False, default=0, server_default="0"),
    Column(
        "has_errors", Boolean, nullable=False, default=False, server_default=false()
    ),
    Column(
        "has_conflicts", Boolean, nullable=False, default=False, server_default=false()
    ),
    Column("is_quiet", Boolean, nullable=False, default=False, server_default=false()),
    Index("ix_cycle_pair", "pair_id", "id"),
    Index("ix_cycle_user", "user_id", "id"),
    Index("ix_cycle_state", "pair_id", "state"),
    Index("ix_cycle_finished_at", "finished_at"),
    *_sorted("started", "started_at"),
    *_sorted("duration", "duration_ms"),
    *_sorted("changes", "changes"),
    *_sorted("errors", "has_errors", "started_at"),
    *_sorted("conflicts", "has_conflicts", "started_at"),
    *_sorted("quiet", "is_quiet", "started_at"),
    *_sorted("of_state", "state", "started_at"),
    Index("ix_cycle_pair_started", "pair_id", "started_at", "id"),
    Index("ix_cycle_kind_started", "kind", "started_at", "id"),
)
"""`changes` to `is_quiet` are what Sync History sorts and filters by (HIS-1)."""

items = Table(
    "item",
    metadata,
    Column("id", _Id, primary_key=True),
    _pair(),
    Column("cycle_id", _Id, ForeignKey("cycle.id", ondelete="CASCADE"), nullable=False),
    _time("at", nullable=False),
    Column("action", String(8), nullable=False),
    Column("direction", String(12), nullable=False),
    Column("state", String(8), nullable=False),
    Column("reason", String(64), nullable=False, default=""),
    Column("link_id", _Id, nullable=False, default=""),
    Column("crm_id", _RemoteId, nullable=False, default=""),
    Column("google_id", _RemoteId, nullable=False, default=""),
    Column("name", Text, nullable=False, default=""),
    Column("is_crm_written", Boolean, nullable=False, default=False),
    Column("is_google_written", Boolean, nullable=False, default=False),
    Column("is_crm_deselected", Boolean, nullable=False, default=False),
    Column("is_google_deselected", Boolean, nullable=False, default=False),
    Column("has_conflict", Boolean, nullable=False, default=False),
    Column("changes", _Json, nullable=False, default=list),
    Column("plan", _Json, nullable=False, default=dict),
    Column("sent_at", Float, nullable=False, default=0.0),
    Column("error", _Json),
    Index("ix_item_cycle", "cycle_id", "state", "id"),
    Index("ix_item_cycle_page", "cycle_id", "id"),
    Index("ix_item_cycle_conflict", "cycle_id", "has_conflict", "id"),
    Index("ix_item_pair_state", "pair_id", "state"),
    Index("ix_item_waiting", "state", "reason", "pair_id", "id"),
    Index("ix_item_crm", "pair_id", "crm_id"),
    Index("ix_item_google", "pair_id", "google_id"),
)

choices = Table(
    "choice",
    metadata,
    _pair(primary_key=True),
    Column("side", String(8), primary_key=True),
    Column("remote_id", _RemoteId, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("target", _RemoteId, nullable=False, default=""),
)

settings = Table(
    "setting",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("user_id", String(64), primary_key=True, default=""),
    Column("kind", String(16), primary_key=True, default=""),
    Column("value", Text, nullable=False),
)

placed_orders = Table(
    "placed_order",
    metadata,
    Column("id", _Id, primary_key=True),
    _pair(),
    Column("what", String(16), nullable=False),
    Column("actor", String(320), nullable=False),
    Column("detail", _Json, nullable=False, default=dict),
    Column("state", String(8), nullable=False),
    Column("cycle_id", _Id, nullable=False, default=""),
    Column("error", _Missing),
    _time("placed_at", nullable=False),
    _time("finished_at"),
    Index("ix_placed_order_state", "state", "pair_id", "id"),
)
"""What persons asked for on a page and a worker carries out under the lease."""

proposals = Table(
    "proposal",
    metadata,
    Column("id", _Id, primary_key=True),
    _pair(),
    Column("item_id", _Id, nullable=False, unique=True),
    Column("asked_id", _Id, nullable=False),
    Column("crm_id", _RemoteId, nullable=False),
    Column("name", Text, nullable=False, default=""),
    Column("changes", _Json, nullable=False),
    Column("state", String(12), nullable=False),
    Column("decided_by", String(320), nullable=False, default=""),
    _time("made_at", nullable=False),
    _time("decided_at"),
    Index("ix_proposal_asked", "asked_id", "state"),
    Index("ix_proposal_pair", "pair_id", "state"),
)
"""Edits of somebody else's activity that wait for its organiser (CAL-8, CAL-11).

`pair_id` is the proposer's calendar, `item_id` what Sync History tells of the edit,
`crm_id` the activity of whoever is asked.
"""

schedulers = Table(
    "scheduler",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", String(128), nullable=False),
    _time("until", nullable=False),
)
"""One row, whose id is always 1: a second scheduler waits (RUN-3)."""

alerts = Table(
    "alert",
    metadata,
    Column("key", String(255), primary_key=True),
    _time("told_at", nullable=False),
)
"""What persons were told by e-mail already."""

audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True),
    _time("at", nullable=False),
    Column("actor", String(320), nullable=False),
    Column("action", String(64), nullable=False),
    Column("detail", _Json, nullable=False, default=dict),
)
