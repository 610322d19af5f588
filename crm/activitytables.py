"""The tables of activities: who takes part in them, and what was completed.

An occurrence that differs from its series is a row of its own (`parent_id`, `slot`).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from crm.activityfields import LIMITS
from crm.schema import ID, KEY, Base, UtcTime, text


def _field(name: str) -> MappedColumn[str]:
    return text(LIMITS[name])


class Activity(Base):
    """A meeting, call, personal activity, to-do or event.

    `start_at` and `end_at` are instants; of a timeless activity, midnights in UTC that
    stand for its days. `last_at` is the end of a series, null if it has none.
    """

    __tablename__ = "crm_activity"
    __table_args__ = (Index(None, "start_at", "id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    parent_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_activity.id"), index=True
    )
    slot: Mapped[str] = text(20)
    type: Mapped[str] = mapped_column(String(16))
    leader: Mapped[str] = mapped_column(String(12), index=True)
    start_at: Mapped[datetime] = mapped_column(UtcTime)
    end_at: Mapped[datetime] = mapped_column(UtcTime)
    last_at: Mapped[datetime | None] = mapped_column(UtcTime, index=True)
    is_timeless: Mapped[bool]
    is_undated: Mapped[bool]
    is_cancelled: Mapped[bool]
    duration: Mapped[int]
    zone: Mapped[str] = _field("zone")
    recurrence: Mapped[str] = mapped_column(Text, default="", server_default="")
    subject: Mapped[str] = _field("subject")
    location: Mapped[str] = _field("location")
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    category: Mapped[str] = _field("category")
    priority: Mapped[str] = _field("priority")
    phone: Mapped[str] = _field("phone")
    alarm: Mapped[int | None]
    contact_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_contact.id"), index=True
    )
    account_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_account.id"), index=True
    )
    opportunity: Mapped[str] = _field("opportunity")
    ticket: Mapped[str] = _field("ticket")
    lead: Mapped[str] = _field("lead")
    resources: Mapped[str] = mapped_column(Text, default="", server_default="")
    search_key: Mapped[str] = mapped_column(KEY)
    version: Mapped[int]
    sync_key: Mapped[str | None] = mapped_column(KEY, unique=True)
    change_seq: Mapped[int] = mapped_column(BigInteger, unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = text(12)
    modified_at: Mapped[datetime] = mapped_column(UtcTime)
    modified_by: Mapped[str] = text(12)
    completed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    imported: Mapped[str] = _field("imported")
    rooms: Mapped[str] = mapped_column(Text, default="", server_default="")
    guest_list: Mapped[str] = mapped_column(Text, default="", server_default="")


Index(
    None,
    Activity.parent_id,
    Activity.slot,
    unique=True,
    sqlite_where=Activity.deleted_at.is_(None),
    postgresql_where=Activity.deleted_at.is_(None),
)


class ActivityParticipant(Base):
    """Somebody who takes part; a user who does not any more stays as a tombstone.

    A user's rows carry the number of the activity's last change, so that the feed of
    one user is a walk along one index. The alarm's columns are no part of the activity:
    they change neither its version nor the feed (CAL-12).
    """

    __tablename__ = "crm_activity_participant"
    __table_args__ = (Index(None, "kind", "ref", "change_seq"),)

    activity_id: Mapped[str] = mapped_column(
        ForeignKey("crm_activity.id"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    ref: Mapped[str] = mapped_column(KEY, primary_key=True)
    name: Mapped[str] = text(LIMITS["participant"])
    address: Mapped[str] = text(LIMITS["address"])
    answer: Mapped[str] = text(16)
    is_guest: Mapped[bool]
    is_present: Mapped[bool]
    change_seq: Mapped[int] = mapped_column(BigInteger)
    alarm: Mapped[int | None]
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcTime)
    dismissed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class HistoryEntry(Base):
    """What was done: a completed activity as it was then, or a recorded e-mail.

    Of an e-mail, `crm.mailtables` has the rest. What was taken back stays, removed.
    """

    __tablename__ = "crm_history"
    __table_args__ = (
        Index(None, "contact_id", "completed_at", "id"),
        Index(None, "lead_id", "completed_at", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    activity_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_activity.id"), index=True
    )
    type: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[str] = mapped_column(String(12), index=True)
    contact_id: Mapped[str | None] = mapped_column(ForeignKey("crm_contact.id"))
    account_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_account.id"), index=True
    )
    subject: Mapped[str] = _field("subject")
    location: Mapped[str] = _field("location")
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    category: Mapped[str] = _field("category")
    start_at: Mapped[datetime] = mapped_column(UtcTime)
    is_timeless: Mapped[bool]
    duration: Mapped[int]
    completed_at: Mapped[datetime] = mapped_column(UtcTime)
    completed_by: Mapped[str] = text(12)
    lead_id: Mapped[str | None] = mapped_column(ForeignKey("crm_lead.id"))
    opportunity_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_opportunity.id"), index=True
    )
    ticket_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_ticket.id"), index=True
    )
    removed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ActivityImport(Base):
    """Which components of calendar files were imported before, by UID."""

    __tablename__ = "crm_activity_import"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32))
    activity_id: Mapped[str] = mapped_column(ForeignKey("crm_activity.id"), index=True)
    imported_at: Mapped[datetime] = mapped_column(UtcTime)
    imported_by: Mapped[str] = text(12)
