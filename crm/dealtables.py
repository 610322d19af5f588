"""The tables of leads, opportunities and tickets.

A lead is somebody who is no contact yet; its fields are named as a contact's are.
Deleted records stay as tombstones.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from crm.dealfields import LEAD_LIMITS, OPPORTUNITY_LIMITS, TICKET_LIMITS
from crm.schema import ID, KEY, Base, UtcTime, text


def _lead(name: str) -> MappedColumn[str]:
    return text(LEAD_LIMITS[name])


def _head(kind: Any, **facts: Any) -> Any:
    """Return a column that stands before those of its own table."""
    return mapped_column(kind, sort_order=-1, **facts)


class Kept:
    """What leads, opportunities and tickets have in common.

    `version` is the etag, `sort_key` what lists begin with, `search_key` the folded
    text that a search looks at.
    """

    id: Mapped[str] = _head(ID, primary_key=True)
    owner: Mapped[str] = _head(String(12), index=True)
    version: Mapped[int] = _head(Integer, default=1)
    sync_key: Mapped[str | None] = _head(KEY, unique=True)
    change_seq: Mapped[int] = _head(BigInteger, unique=True)
    created_at: Mapped[datetime] = _head(UtcTime)
    modified_at: Mapped[datetime] = _head(UtcTime)
    modified_by: Mapped[str] = _head(String(12), default="", server_default="")
    deleted_at: Mapped[datetime | None] = _head(UtcTime)
    sort_key: Mapped[str] = _head(KEY)
    search_key: Mapped[str] = _head(KEY)


class Lead(Kept, Base):
    """Somebody who may become a contact."""

    __tablename__ = "crm_lead"
    __table_args__ = (Index(None, "sort_key", "id"),)

    first: Mapped[str] = _lead("first")
    last: Mapped[str] = _lead("last")
    company: Mapped[str] = _lead("company")
    title: Mapped[str] = _lead("title")
    email: Mapped[str] = _lead("email")
    email2: Mapped[str] = _lead("email2")
    email3: Mapped[str] = _lead("email3")
    work_phone: Mapped[str] = _lead("work_phone")
    home_phone: Mapped[str] = _lead("home_phone")
    mobile: Mapped[str] = _lead("mobile")
    fax: Mapped[str] = _lead("fax")
    web: Mapped[str] = _lead("web")
    work_street: Mapped[str] = _lead("work_street")
    work_city: Mapped[str] = _lead("work_city")
    work_region: Mapped[str] = _lead("work_region")
    work_postal: Mapped[str] = _lead("work_postal")
    work_country: Mapped[str] = _lead("work_country")
    status: Mapped[str] = _lead("status")
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")


class LeadAddress(Base):
    """The folded e-mail addresses of live leads, for look-ups by index."""

    __tablename__ = "crm_lead_address"

    address: Mapped[str] = mapped_column(KEY, primary_key=True)
    lead_id: Mapped[str] = mapped_column(
        ForeignKey("crm_lead.id"), primary_key=True, index=True
    )


class Opportunity(Kept, Base):
    """Something that may be sold; the amount is kept in hundredths."""

    __tablename__ = "crm_opportunity"
    __table_args__ = (Index(None, "sort_key", "id"),)

    account_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_account.id"), index=True
    )
    contact_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_contact.id"), index=True
    )
    name: Mapped[str] = text(OPPORTUNITY_LIMITS["name"])
    amount: Mapped[int | None] = mapped_column(BigInteger)
    stage: Mapped[str] = text(OPPORTUNITY_LIMITS["stage"])
    close_date: Mapped[str] = text(OPPORTUNITY_LIMITS["close_date"])


class Ticket(Kept, Base):
    """Something that somebody wants to have solved; numbered by the CRM."""

    __tablename__ = "crm_ticket"
    __table_args__ = (Index(None, "sort_key", "id"),)

    account_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_account.id"), index=True
    )
    contact_id: Mapped[str | None] = mapped_column(
        ForeignKey("crm_contact.id"), index=True
    )
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    subject: Mapped[str] = text(TICKET_LIMITS["subject"])
    status: Mapped[str] = text(TICKET_LIMITS["status"])
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")


class LeadImport(Base):
    """Which rows of files became leads before, by content."""

    __tablename__ = "crm_lead_import"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32), index=True)
    lead_id: Mapped[str] = mapped_column(ForeignKey("crm_lead.id"), index=True)
    imported_at: Mapped[datetime] = mapped_column(UtcTime)
    imported_by: Mapped[str] = text(12)
