"""Where the reading of a mailbox stands, kept with its pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson
from sqlalchemy import select

from crmsync.records.values import SideName
from crmsync.storage import tables as t
from crmsync.storage.database import Database
from crmsync.storage.leases import Lease, prove

_FRESH = timedelta(days=1)
"""So long labels and addresses are taken for granted."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next cycle goes on.

    Attributes:
        history_id: from where the mailbox's history is read; "" reads the listing.
        own: the user's addresses.
        labels: the ids of our labels, by name.
        opened_at: when addresses and labels were looked at.
        watch: which notifications were asked for; "" none (MAIL-11).
        watch_until: until when they come.
    """

    history_id: str = ""
    own: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    opened_at: datetime | None = None
    watch: str = ""
    watch_until: datetime | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether addresses and labels were looked at lately."""
        return self.opened_at is not None and now - self.opened_at < _FRESH


def load_cursor(database: Database, pair_id: str) -> Cursor:
    """Return where the next cycle of a mailbox goes on."""
    table = t.collections
    wanted = select(table.c.cursor, table.c.memo).where(
        table.c.pair_id == pair_id, table.c.side == SideName.GOOGLE.value
    )
    with database.read() as connection:
        row = connection.execute(wanted).first()
    if row is None:
        return Cursor()
    memo = dict(row.memo or {})
    own = tuple(orjson.loads(memo.pop("own", "[]")))
    watch = memo.pop("watch", "")
    times = [_time(memo.pop(name, "")) for name in ("opened_at", "watch_until")]
    return Cursor(row.cursor or "", own, memo, times[0], watch, times[1])


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def save_cursor(
    database: Database, lease: Lease, cursor: Cursor, now: datetime
) -> None:
    """Store where the next cycle goes on.

    Raises:
        LeaseLost: if another worker has taken the pair over.
    """
    memo = {**cursor.labels, "own": orjson.dumps(cursor.own).decode()}
    memo["watch"] = cursor.watch
    for name, at in (
        ("opened_at", cursor.opened_at),
        ("watch_until", cursor.watch_until),
    ):
        memo[name] = at.isoformat() if at is not None else ""
    row = {
        "pair_id": lease.pair_id,
        "side": SideName.GOOGLE.value,
        "cursor": cursor.history_id,
        "memo": memo,
    }
    with database.write() as connection:
        prove(connection, lease, now)
        database.upsert(connection, t.collections, [row])
