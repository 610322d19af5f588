"""The tables of the built-in CRM, on their own metadata; all names start with `crm_`.

Nothing of ours joins them from outside, and no foreign key leaves them. Deleted
contacts and ended memberships stay as tombstones, so that the change feed shows them.
Those of activities are in `crm.activitytables`, of leads, opportunities and tickets in
`crm.dealtables`, of recorded e-mail in `crm.mailtables`.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from crm.activitytables import (
    Activity,
    ActivityImport,
    ActivityParticipant,
    HistoryEntry,
)
from crm.dealtables import Lead, LeadAddress, LeadImport, Opportunity, Ticket
from crm.fields import LIMITS
from crm.folding import ACCOUNT_NAME_LIMIT
from crm.mailtables import Attachment, MailEntry
from crm.schema import ID, JSON_DICT, KEY, Base, UtcTime, metadata
from crm.schema import text as _text

__all__ = [
    "Account",
    "Activity",
    "ActivityImport",
    "ActivityParticipant",
    "Attachment",
    "Contact",
    "ContactAddress",
    "Counter",
    "Group",
    "GroupMember",
    "HistoryEntry",
    "ImportRow",
    "Lead",
    "LeadAddress",
    "LeadImport",
    "MailEntry",
    "Opportunity",
    "Ticket",
    "User",
    "metadata",
]


def _field(name: str) -> MappedColumn[str]:
    return _text(LIMITS[name])


class Counter(Base):
    """Numbers that grow inside the transaction that uses them (architecture, 7.3)."""

    __tablename__ = "crm_counter"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger, default=0)


class User(Base):
    __tablename__ = "crm_user"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    email: Mapped[str] = _text(254)
    email_key: Mapped[str] = mapped_column(KEY, unique=True)
    name: Mapped[str] = _text(128)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class Account(Base):
    """A company, or one person's stand-in for it (`is_personal`, CON-9)."""

    __tablename__ = "crm_account"
    __table_args__ = (Index(None, "name_key", "created_at"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = _text(ACCOUNT_NAME_LIMIT)
    name_key: Mapped[str] = mapped_column(KEY)
    type: Mapped[str] = _text(64)
    status: Mapped[str] = _text(64)
    owner: Mapped[str] = mapped_column(String(12), index=True)
    manager: Mapped[str] = _text(12)
    is_personal: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    modified_at: Mapped[datetime] = mapped_column(UtcTime)


class Contact(Base):
    """A person; `version` is the etag, `change_seq` the place in the change feed."""

    __tablename__ = "crm_contact"
    __table_args__ = (Index(None, "name_key", "id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("crm_account.id"), index=True)
    owner: Mapped[str] = mapped_column(String(12), index=True)
    version: Mapped[int] = mapped_column(default=1)
    sync_key: Mapped[str | None] = mapped_column(KEY, unique=True)
    change_seq: Mapped[int] = mapped_column(BigInteger, unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    modified_at: Mapped[datetime] = mapped_column(UtcTime)
    modified_by: Mapped[str] = _text(12)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    merged_into: Mapped[str | None] = mapped_column(ID)
    name_key: Mapped[str] = mapped_column(KEY)

    prefix: Mapped[str] = _field("prefix")
    first: Mapped[str] = _field("first")
    middle: Mapped[str] = _field("middle")
    last: Mapped[str] = _field("last")
    suffix: Mapped[str] = _field("suffix")
    title: Mapped[str] = _field("title")
    department: Mapped[str] = _field("department")
    email: Mapped[str] = _field("email")
    email2: Mapped[str] = _field("email2")
    email3: Mapped[str] = _field("email3")
    work_phone: Mapped[str] = _field("work_phone")
    home_phone: Mapped[str] = _field("home_phone")
    mobile: Mapped[str] = _field("mobile")
    fax: Mapped[str] = _field("fax")
    web: Mapped[str] = _field("web")
    work_street: Mapped[str] = _field("work_street")
    work_city: Mapped[str] = _field("work_city")
    work_region: Mapped[str] = _field("work_region")
    work_postal: Mapped[str] = _field("work_postal")
    work_country: Mapped[str] = _field("work_country")
    home_street: Mapped[str] = _field("home_street")
    home_city: Mapped[str] = _field("home_city")
    home_region: Mapped[str] = _field("home_region")
    home_postal: Mapped[str] = _field("home_postal")
    home_country: Mapped[str] = _field("home_country")
    birthday: Mapped[date | None]
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    custom: Mapped[dict[str, str]] = mapped_column(
        JSON_DICT, default=dict, server_default="{}"
    )


class ContactAddress(Base):
    """The folded e-mail addresses of live contacts, for look-ups by index."""

    __tablename__ = "crm_contact_address"

    address: Mapped[str] = mapped_column(KEY, primary_key=True)
    contact_id: Mapped[str] = mapped_column(
        ForeignKey("crm_contact.id"), primary_key=True, index=True
    )


class Group(Base):
    """An ad hoc group of contacts; known by id, so renaming changes nothing (CON-2)."""

    __tablename__ = "crm_group"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = _text(64)
    name_key: Mapped[str] = mapped_column(KEY)
    owner: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    modified_at: Mapped[datetime] = mapped_column(UtcTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcTime)


Index(
    None,
    Group.name_key,
    Group.owner,
    unique=True,
    sqlite_where=Group.deleted_at.is_(None),
    postgresql_where=Group.deleted_at.is_(None),
)


class GroupMember(Base):
    """A membership, or the tombstone of one (`is_member` false)."""

    __tablename__ = "crm_group_member"
    __table_args__ = (Index(None, "group_id", "change_seq"),)

    group_id: Mapped[str] = mapped_column(ForeignKey("crm_group.id"), primary_key=True)
    contact_id: Mapped[str] = mapped_column(
        ForeignKey("crm_contact.id"), primary_key=True, index=True
    )
    is_member: Mapped[bool]
    change_seq: Mapped[int] = mapped_column(BigInteger, unique=True)


class ImportRow(Base):
    """What was imported before: rows are known by UID or content (interfaces.md)."""

    __tablename__ = "crm_import_row"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32), index=True)
    contact_id: Mapped[str] = mapped_column(ForeignKey("crm_contact.id"), index=True)
    imported_at: Mapped[datetime] = mapped_column(UtcTime)
    imported_by: Mapped[str] = _text(12)
