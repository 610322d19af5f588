"""What the cycle knows of records: as a side shows them, and as a link keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crmsync.records.values import SideName, Values

NO_VALUES: Values = {}


@dataclass(frozen=True, slots=True)
class Remote:
    """One record as a side shows it.

    Attributes:
        side: which side showed it.
        remote_id: the provider's id.
        etag: the provider's version, opaque.
        values: the mapped fields, read without a base.
        record: the side's own neutral form (lists with all entries), from which
            `Side.project` reads the values again with a base; JSON-able.
        key: our key inside the provider's record, or "".
        is_selected: member of the Contact Sync Group, or of the label (CON-4).
        is_gone: deleted, or not there any more; the values are empty then.
        stamp: orders versions of one record at one provider; "" if unknown.
        modified_at: when a person last changed it, by the provider's clock.
        previous_ids: ids the record had before (People renames, merges).
        extras: what the record holds beyond what we wrote (CON-12): other
            labels, a star, a photo, unmapped fields. Only `fetch` fills it.
        is_backlog: read by a full read and not dealt with since: part of a first cycle
            or a backfill, of which nobody is notified (CAL-20). The cycle sets it.
    """

    side: SideName
    remote_id: str
    etag: str = ""
    values: Values = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    is_selected: bool = True
    is_gone: bool = False
    stamp: str = ""
    modified_at: datetime | None = None
    previous_ids: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    is_backlog: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """A write to one side whose outcome no read has settled yet.

    Attributes:
        side: where it was sent.
        etag: the version it was based on; once the side shows another one, the
            write can no longer happen.
        values: the fields that were sent.
        other: what the other side held in the same fields at that time.
        at: when, in seconds since the epoch.
    """

    side: SideName
    etag: str
    values: Values
    other: Values
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Base:
    """Both sides as last agreed on: the third leg of the three-way merge."""

    crm: Values = field(default_factory=dict)
    google: Values = field(default_factory=dict)

    def of(self, side: SideName) -> Values:
        """Return one side of the base."""
        return self.crm if side is SideName.CRM else self.google


@dataclass(frozen=True, slots=True)
class Link:
    """The stored bond of a CRM record and a Google record of one user.

    Attributes:
        base: both sides as last agreed on.
        crm_etag, google_etag: versions at that time.
        crm_stamp, google_stamp: order of those versions, to drop stale reads.
        created_in: the side where we created the record, or None.
        is_google_edited: a person edited the Google record since we made it.
        has_key: our key stands in the Google record.
        sends: writes that no read has settled yet, oldest first.
        dormant: the side whose record is gone while the direction forbids to act.
        role: of an activity: who organises it on either side (CAL-6 … CAL-11).
        parent: of an occurrence: the CRM's id of its series.
    """

    link_id: str
    crm_id: str
    google_id: str
    base: Base
    crm_etag: str = ""
    google_etag: str = ""
    crm_stamp: str = ""
    google_stamp: str = ""
    created_in: SideName | None = None
    is_google_edited: bool = False
    has_key: bool = False
    sends: tuple[Sent, ...] = ()
    dormant: SideName | None = None
    role: str = ""
    parent: str = ""

    def remote_id(self, side: SideName) -> str:
        """Return the id of the record on one side."""
        return self.crm_id if side is SideName.CRM else self.google_id

    def etag(self, side: SideName) -> str:
        """Return the version of one side that the base was taken from."""
        return self.crm_etag if side is SideName.CRM else self.google_etag

    def stamp(self, side: SideName) -> str:
        """Return the order of that version."""
        return self.crm_stamp if side is SideName.CRM else self.google_stamp
