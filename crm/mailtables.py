"""The tables of recorded e-mail: what belongs to a history record, and its files.

Whose a message is stands in `crm_history` alone, so a moved message takes its
attachments along. The bytes of attachments are in the store of files, by digest.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from crm.schema import ID, KEY, Base, UtcTime
from crm.schema import text as _text


def _long() -> MappedColumn[str]:
    return mapped_column(Text, default="", server_default="")


class MailEntry(Base):
    """A message in somebody's history; the sync key makes it one (MAIL-7).

    `to`, `cc` and `bcc` are correspondents as they are shown, one per line.
    """

    __tablename__ = "crm_mail"

    history_id: Mapped[str] = mapped_column(
        ForeignKey("crm_history.id"), primary_key=True
    )
    sync_key: Mapped[str] = mapped_column(KEY, unique=True)
    message_id: Mapped[str] = mapped_column(KEY, index=True)
    thread_id: Mapped[str] = mapped_column(KEY)
    is_sent: Mapped[bool]
    subject: Mapped[str] = _long()
    sender: Mapped[str] = _long()
    to: Mapped[str] = _long()
    cc: Mapped[str] = _long()
    bcc: Mapped[str] = _long()
    sent_at: Mapped[datetime] = mapped_column(UtcTime)
    text: Mapped[str] = _long()
    html: Mapped[str] = _long()
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    recorded_by: Mapped[str] = _text(12)


class Attachment(Base):
    """A file of a history record; one without a digest was not stored (MAIL-14)."""

    __tablename__ = "crm_attachment"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    history_id: Mapped[str] = mapped_column(ForeignKey("crm_history.id"), index=True)
    place: Mapped[int]
    name: Mapped[str] = _long()
    content_type: Mapped[str] = _long()
    size: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    content_id: Mapped[str] = _long()
    reason: Mapped[str] = _long()
    added_at: Mapped[datetime] = mapped_column(UtcTime)
    added_by: Mapped[str] = _text(12)
