"""The tables of recording: what was read, what waits, what was recorded (MAIL)."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from crmsync.storage.tables import UtcDateTime, json_column, metadata

__all__ = ["addresses", "messages", "metadata", "reads", "records", "threads"]

_Id = String(64)
_Gmail = String(64)


def _pair() -> Column[str]:
    key = ForeignKey("pair.id", ondelete="CASCADE")
    return Column("pair_id", String(128), key, primary_key=True)


messages = Table(
    "mail_message",
    metadata,
    _pair(),
    Column("message_id", _Gmail, primary_key=True),
    Column("thread_id", _Gmail, nullable=False),
    Column("identity", String(520), nullable=False, default=""),
    Column("state", String(12), nullable=False),
    Column("subject", Text, nullable=False, default=""),
    Column("sender", Text, nullable=False, default=""),
    Column("sent_at", UtcDateTime()),
    Column("seen_at", UtcDateTime(), nullable=False),
    Column("settled_at", UtcDateTime()),
    Column("tries", Integer, nullable=False, default=0),
    Column("not_before", UtcDateTime()),
    Column("wants_labels", Boolean, nullable=False, default=False),
    Index("ix_mail_message_state", "pair_id", "state", "message_id"),
    Index("ix_mail_message_labels", "pair_id", "wants_labels"),
    Index("ix_mail_message_identity", "identity"),
)
"""One message of one mailbox that we were asked to record.

`state`: recorded, missing (nobody has the address, MAIL-5), excluded (nobody to record
for, MAIL-6), failed (tried again), removed (taken back, MAIL-15).
"""

addresses = Table(
    "mail_address",
    metadata,
    _pair(),
    Column("address", String(320), primary_key=True),
    Column("message_id", _Gmail, primary_key=True),
    Index("ix_mail_address_message", "pair_id", "message_id"),
)
"""By whose appearance a missing message can be recorded (MAIL-9)."""

records = Table(
    "mail_record",
    metadata,
    Column("key", _Id, primary_key=True),
    Column("pair_id", String(128), nullable=False),
    Column("message_id", _Gmail, nullable=False),
    Column("identity", String(520), nullable=False),
    Column("person_kind", String(8), nullable=False),
    Column("person_id", String(255), nullable=False),
    Column("person_name", Text, nullable=False, default=""),
    Column("history_id", String(255), nullable=False),
    Column("rule", String(16), nullable=False, default=""),
    Column("runners_up", json_column(), nullable=False, default=list),
    Column("files", Integer, nullable=False, default=0),
    Column("cycle_id", _Id, nullable=False, default=""),
    Column("recorded_at", UtcDateTime(), nullable=False),
    Column("removed_at", UtcDateTime()),
    Column("target", json_column(), nullable=False, default=dict),
    Index("ix_mail_record_identity", "identity"),
    Index("ix_mail_record_message", "pair_id", "message_id"),
    Index("ix_mail_record_history", "history_id"),
    Index("ix_mail_record_cycle", "cycle_id"),
)
"""One message in the history of one contact or lead, whoever recorded it (MAIL-7)."""

threads = Table(
    "mail_thread",
    metadata,
    _pair(),
    Column("thread_id", _Gmail, primary_key=True),
    Column("subject", Text, nullable=False, default=""),
    Column("started_at", UtcDateTime(), nullable=False),
    Column("stopped_at", UtcDateTime()),
)
"""Conversations whose later messages are recorded without a label (MAIL-10)."""

reads = Table(
    "mail_read",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("pair_id", String(128), nullable=False),
    Column("message_id", _Gmail, nullable=False),
    Column("why", String(12), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Index("ix_mail_read_pair", "pair_id", "id"),
)
"""Which messages' bodies were read, when and why: the privacy receipt (MAIL-12)."""
