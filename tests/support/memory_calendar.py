"""A calendar on both sides in memory: series, occurrences, leaders, guests, notices.

What one user's pair sees of the CRM's activities and of the events of a calendar. The
CRM cascades the end of a series to its occurrences, Google does not tell of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.cycle.kinds import CALENDAR
from crmsync.engine.policy import Policy
from crmsync.errors import InvalidRecord
from crmsync.ports import NO_ETAGS, Edit, NewRecord, Outcome
from crmsync.records.activities import FIELDS
from crmsync.records.remote import Remote
from tests.support.memory_sides import MemoryCrm, MemoryGoogle, Row
from tests.support.world import World


def meeting(number: int, **values: str) -> dict[str, str]:
    """Return the values of an invented meeting of an hour."""
    return {
        "subject": f"Meeting {number}",
        "start": f"2026-03-{number:02d}T09:00:00Z",
        "duration": "60",
        **values,
    }


def occurrence(slot: str, **values: str) -> dict[str, str]:
    """Return the values of an occurrence that differs from its series."""
    if values.get("cancelled"):
        return {"slot": slot, "cancelled": "yes"}
    return {"subject": "Moved", "start": slot, "duration": "60", "slot": slot, **values}


class CalendarCrm(MemoryCrm):
    """The CRM's activities as one user sees them."""

    prefix = "V"
    proves_deletes = True

    def live(self) -> list[Row]:
        return [row for row in self.rows.values() if not row.gone]

    def make(self, values: Mapping[str, str], **notes: Any) -> Row:
        """Let a person make an activity, the user's own unless said otherwise."""
        row = self.put(values)
        row.notes = {"organizer": True, **notes}
        self.log_row(row)
        return row

    def complete(self, remote_id: str) -> None:
        self.rows[remote_id].notes["done"] = True
        self.remove(remote_id)

    def remove(self, remote_id: str) -> None:
        super().remove(remote_id)
        for row in self.live():
            if row.notes.get("series") == remote_id:
                super().remove(row.remote_id)

    def _create(self, record: NewRecord) -> Outcome:
        series = self.rows.get(record.account)
        if record.account and (series is None or series.gone):
            return Outcome(error=InvalidRecord("There is no such series.", ("slot",)))
        outcome = super()._create(record)
        if outcome.remote is None:
            return outcome
        row = self.rows[outcome.remote.remote_id]
        if not row.notes:
            row.notes = {"organizer": True, "series": record.account}
            self.log[-1].row.notes = row.notes
        return Outcome(self.remote(row))

    def _update(self, edit: Edit) -> Outcome:
        outcome = super()._update(edit)
        if edit.values.get("cancelled"):
            self._blank(self.rows[edit.remote_id])
        return outcome

    def _blank(self, row: Row) -> None:
        row.values = {n: v for n, v in row.values.items() if n in {"slot", "cancelled"}}


class CalendarGoogle(MemoryGoogle):
    """One calendar: ids are ours to choose, and guests are told of things."""

    prefix = "e"
    proves_deletes = True

    def __init__(self, clock: Any, *, delay: float = 0.0) -> None:
        super().__init__(clock, delay=delay)
        self.told: list[tuple[str, str]] = []

    def make(self, values: Mapping[str, str], **notes: Any) -> Row:
        """Let a person make an event, the user's own unless said otherwise."""
        row = self.put(values)
        row.notes = {"organizer": True, **notes}
        self.log_row(row)
        return row

    def remove(self, remote_id: str) -> None:
        super().remove(remote_id)
        for row in self.live():
            if row.notes.get("series") == remote_id:
                row.gone, row.selected = True, False  # nobody is told of it

    def _tell(self, row: Row, *, notifies: bool) -> None:
        if notifies:
            guests = row.values.get("attendees", "").splitlines()
            self.told += [(row.remote_id, guest) for guest in guests]

    def _create(self, record: NewRecord) -> Outcome:
        for row in self.rows.values():
            if row.key == record.key:
                return Outcome(self.remote(row))
        slot = record.values.get("slot", "")
        if slot:
            return self._create_occurrence(record, slot)
        outcome = super()._create(record)
        if outcome.remote is None:
            return outcome
        row = self.rows[outcome.remote.remote_id]
        row.notes = {"organizer": True}
        self.log[-1].row.notes = row.notes
        self._tell(row, notifies=record.notifies)
        return Outcome(self.remote(row))

    def _create_occurrence(self, record: NewRecord, slot: str) -> Outcome:
        master = self.rows.get(record.account)
        if master is None or master.gone or not master.values.get("recurrence"):
            return Outcome(error=InvalidRecord("There is no such series.", ("slot",)))
        remote_id = f"{record.account}_{slot}"
        row = self.rows.setdefault(remote_id, Row(remote_id, {}))
        self.writes += 1
        row.values = dict(record.values)
        row.key, row.made_by_us, row.gone = record.key, True, False
        row.notes = {"organizer": master.notes["organizer"], "series": record.account}
        self.log_row(row)
        self._tell(row, notifies=record.notifies)
        return Outcome(self.remote(row))

    def _update(self, edit: Edit) -> Outcome:
        row = self.rows.get(edit.remote_id)
        before = dict(row.values) if row is not None else {}
        outcome = super()._update(edit)
        if row is not None and outcome.error is None:
            if edit.values.get("cancelled"):
                row.values = {
                    n: v for n, v in row.values.items() if n in {"slot", "cancelled"}
                }
            seen = Row(row.remote_id, {**before, **row.values})
            self._tell(seen, notifies=edit.notifies)
        return outcome

    def delete(
        self,
        remote_ids: Sequence[str],
        *,
        etags: Mapping[str, str] = NO_ETAGS,
        notifies: frozenset[str] = frozenset(),
    ) -> Sequence[Outcome]:
        alive = {row.remote_id for row in self.live()}
        outcomes = super().delete(remote_ids, etags=etags)
        for remote_id in alive.intersection(remote_ids):
            row = self.rows[remote_id]
            self._tell(row, notifies=row.gone and remote_id in notifies)
        return outcomes


class CalendarWorld(World):
    """One user's calendar, both sides of it."""

    kind = CALENDAR
    fields = FIELDS
    crm: CalendarCrm
    google: CalendarGoogle

    def __init__(self, *, policy: Policy | None = None, delay: float = 0.0) -> None:
        super().__init__(policy=policy, delay=delay)
        self.crm = CalendarCrm(self.clock)
        self.google = CalendarGoogle(self.clock, delay=delay)
        self.crm.limits_by_field = {"subject": 64}

    def link(self, **values: str) -> tuple[Row, Row]:
        """Link one meeting of the user's own; return both rows."""
        crm = self.crm.make(meeting(1, **values))
        self.cycle()
        self.cycle()
        (google,) = (row for row in self.google.live() if row.made_by_us)
        return crm, google


def shown(remote: Remote) -> dict[str, str]:
    """Return the values that are set."""
    return {name: value for name, value in remote.values.items() if value}
