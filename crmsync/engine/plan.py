"""A plan: what a cycle will do, one item per record.

Preview, held plan, intent and history are the same items in different states
(architecture, decision 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crmsync.engine.merge import FieldChange
from crmsync.records.remote import Base
from crmsync.records.values import SideName, Values


class Action(StrEnum):
    """What is done to a record (interfaces.md)."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    LINK = "link"
    UNLINK = "unlink"
    RECORD = "record"
    RESTORE = "restore"
    SKIP = "skip"


class ItemState(StrEnum):
    """Where an item stands."""

    PLANNED = "planned"
    SENT = "sent"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"
    HELD = "held"
    SKIPPED = "skipped"


class ItemDirection(StrEnum):
    """Which side is written."""

    TO_GOOGLE = "to_google"
    TO_CRM = "to_crm"
    BOTH = "both"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Choice:
    """A candidate that a person may choose for a held item.

    Attributes:
        facts: what tells it from others of its name; no part of the question.
    """

    record_id: str
    name: str
    facts: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Steps:
    """The calls an item needs besides writing fields.

    Attributes:
        select_google: put the Google contact in the label.
        select_crm: put the CRM contact in the Contact Sync Group.
        deselect_google: take it out of the label.
        deselect_crm: take it out of the group.
        delete_google: delete it in Google (CON-12).
        delete_crm: delete it in the CRM (CAL-4).
        unlink: end the link once its fields are written.
        ignore_google, ignore_crm: never pair this record again by itself.
        alone: give the record that is looked at anew a counterpart of its own: an
            event without guests (CAL-8), or an activity (CAL-11).
        restage_google, restage_crm: look at this record anew once the link has ended.
    """

    select_google: bool = False
    select_crm: bool = False
    deselect_google: bool = False
    deselect_crm: bool = False
    delete_google: bool = False
    delete_crm: bool = False
    unlink: bool = False
    ignore_google: bool = False
    ignore_crm: bool = False
    alone: bool = False
    restage_google: bool = False
    restage_crm: bool = False

    def ignores(self, side: SideName) -> bool:
        """Whether the record of one side is not to be paired again."""
        return self.ignore_crm if side is SideName.CRM else self.ignore_google

    def restages(self, side: SideName) -> bool:
        """Whether the record of one side is to be looked at anew."""
        return self.restage_crm if side is SideName.CRM else self.restage_google


@dataclass(frozen=True, slots=True)
class Item:
    """One record's part of a cycle.

    Attributes:
        link_id: the link it is about, or "".
        crm_id, google_id: the records, "" where there is none (yet).
        name: what people call the record.
        reason: a code of `reasons`.
        crm, google: the fields to write on each side, new values.
        base: both sides once done.
        base_before: both sides agreed on before (a failed half goes back to it).
        crm_etag, google_etag: versions the plan was made from.
        crm_stamp, google_stamp: order of those versions.
        crm_seen, google_seen: values the plan was made from.
        key: our key for a create, or for the first update of a linked record.
        account: the CRM account that a person chose for a new contact (CON-9); of a
            new occurrence, its series on the side where it is made.
        role, parent: of the link that it makes (see `Link`).
        guests: how many guests Google may tell of it (CAL-20).
        sent_at: seconds since the epoch when a create left us.
        clean_reads: full or incremental reads since then that did not show it.
        error: code, message and next step of a failure.
    """

    item_id: str
    action: Action
    direction: ItemDirection
    state: ItemState = ItemState.PLANNED
    reason: str = ""
    link_id: str = ""
    crm_id: str = ""
    google_id: str = ""
    name: str = ""
    crm: Values = field(default_factory=dict)
    google: Values = field(default_factory=dict)
    base: Base = field(default_factory=Base)
    base_before: Base = field(default_factory=Base)
    crm_etag: str = ""
    google_etag: str = ""
    crm_stamp: str = ""
    google_stamp: str = ""
    crm_seen: Values = field(default_factory=dict)
    google_seen: Values = field(default_factory=dict)
    steps: Steps = field(default_factory=Steps)
    changes: tuple[FieldChange, ...] = ()
    choices: tuple[Choice, ...] = ()
    key: str = ""
    account: str = ""
    role: str = ""
    parent: str = ""
    guests: int = 0
    sent_at: float = 0.0
    clean_reads: int = 0
    error: Mapping[str, Any] | None = None

    @property
    def has_conflict(self) -> bool:
        """Whether a value lost."""
        return any(change.is_conflict for change in self.changes)

    @property
    def creates_in(self) -> SideName | None:
        """The side where the item makes a record, if any."""
        if self.action is not Action.CREATE:
            return None
        if self.direction is ItemDirection.TO_GOOGLE:
            return SideName.GOOGLE
        return SideName.CRM

    def writes(self, side: SideName) -> Values:
        """Return the fields to write on one side."""
        return self.crm if side is SideName.CRM else self.google

    def remote_id(self, side: SideName) -> str:
        """Return the record's id on one side."""
        return self.crm_id if side is SideName.CRM else self.google_id

    def etag(self, side: SideName) -> str:
        """Return the version on one side that the plan was made from."""
        return self.crm_etag if side is SideName.CRM else self.google_etag

    def stamp(self, side: SideName) -> str:
        """Return the order of that version."""
        return self.crm_stamp if side is SideName.CRM else self.google_stamp

    def seen(self, side: SideName) -> Values:
        """Return the values on one side that the plan was made from."""
        return self.crm_seen if side is SideName.CRM else self.google_seen


def direction_of(crm: bool, google: bool) -> ItemDirection:
    """Return which sides are written."""
    if crm and google:
        return ItemDirection.BOTH
    if crm:
        return ItemDirection.TO_CRM
    return ItemDirection.TO_GOOGLE if google else ItemDirection.NONE
