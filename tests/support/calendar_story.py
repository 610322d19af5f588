"""Stories of one user's calendar: what persons do, what goes wrong, what must hold.

Told by number like the stories of contacts (`tests.support.simulation`), over the real
engine and cycle. An activity is recognised by its subject, which nobody edits.

Usage: python -m tests.support.calendar_story [STORIES] [FIRST]
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from crmsync.engine.plan import ItemState
from crmsync.engine.policy import MemberEdit, Policy
from crmsync.engine.report import CycleState
from crmsync.errors import OutcomeUnknown, ProviderDown
from crmsync.records.activities import DECLINED
from crmsync.records.values import SideName
from tests.support.memory_calendar import CalendarWorld, occurrence
from tests.support.memory_sides import Row
from tests.support.workers import AtEffect, Crash

SIDES = tuple(SideName)
EDITED = ("location", "notes")
SLOTS = ("2026-03-08T09:00:00Z", "2026-03-15T09:00:00Z")
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=20"
GUEST = "jo@example.com"
FAULTS = ("crash", "lost", "down", "edit", "expire")
_WRITES = frozenset(
    f"{when} {side}.{call}"
    for when in ("before", "after")
    for side in SIDES
    for call in ("create", "update", "delete")
)


@dataclass(slots=True)
class Typed:
    """A value somebody typed, and where."""

    field: str
    value: str
    seen: bool = False


@dataclass
class CalendarStory:
    """One calendar, its persons, and what goes wrong."""

    world: CalendarWorld
    trace: list[tuple[object, ...]] = field(default_factory=list)
    typed: list[Typed] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    deleted: dict[str, SideName] = field(default_factory=dict)
    forked: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    invited: set[str] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)
    numbers: int = 0
    edits: int = 0

    def told(self) -> str:
        return "\n".join(" ".join(map(str, line)) for line in self.trace)

    # ------------------------------------------------------------ persons

    def rows(self, side: SideName) -> list[Row]:
        return self.world.side(side).live()

    def _calendar(self, side: SideName):  # type: ignore[no-untyped-def]  # either of two
        return self.world.crm if side is SideName.CRM else self.world.google

    def make(self, which: int, how: int) -> None:
        """Make an activity of one's own, an invitation, or a leader's one."""
        if self.numbers >= 6:
            return
        self.numbers += 1
        side = SIDES[which % 2]
        values = {
            "subject": f"S{self.numbers}",
            "start": f"2026-03-{self.numbers:02d}T09:00:00Z",
            "duration": "60",
        }
        notes: dict[str, object] = {}
        if how % 6 == 0:
            values |= {"recurrence": WEEKLY, "zone": "Europe/Berlin"}
        elif how % 6 == 1:
            values["attendees"] = GUEST
        elif how % 6 == 2:
            values |= {"start": values["start"][:10], "duration": "1440"}
        elif how % 6 == 3:
            notes = {"organizer": False, "leader_syncs": False}
            self.invited.add(values["subject"])
            if side is SideName.GOOGLE:
                values["answer"] = "needsAction"
        elif how % 6 == 4 and side is SideName.GOOGLE:
            values["imported"] = "the calendar Team"
            notes = {"organizer": False, "imported": values["imported"]}
        row = self._calendar(side).make(values, **notes)
        if values.get("imported"):
            self.versions[row.remote_id] = row.version
        self.trace.append(("make", side, values, notes))

    def _pick(self, side: SideName, index: int) -> Row | None:
        rows = self.rows(side)
        return rows[index % len(rows)] if rows else None

    def edit(self, which: int, index: int, name: int) -> None:
        side = SIDES[which % 2]
        row = self._pick(side, index)
        if row is None or row.values.get("cancelled"):
            return
        if self._is_done(row):
            # What was completed is history on both sides (CAL-14).
            self._see("location", row.values.get("location", ""))
            self._calendar(side).edit(row.remote_id, location="afterwards")
            return
        field_name = EDITED[name % len(EDITED)]
        self._see(field_name, row.values.get(field_name, ""))
        self.edits += 1
        value = f"{field_name[0]}{self.edits}"
        self._calendar(side).edit(row.remote_id, **{field_name: value})
        if side is SideName.GOOGLE and row.remote_id in self.versions:
            self.versions[row.remote_id] = row.version
        self.typed.append(Typed(field_name, value))
        if self._name(row) in self.invited:
            self.forked.add(self._name(row))
        self.trace.append(("edit", side, row.remote_id, field_name, "=", value))

    def _is_done(self, row: Row) -> bool:
        return row.values.get("subject", "").startswith("*")

    def _name(self, row: Row) -> str:
        series = str(row.notes.get("series") or "")
        for side in SIDES:
            if series in self.world.side(side).rows:
                row = self.world.side(side).rows[series]
        return row.values.get("subject", "").strip("*")

    def _see(self, name: str, value: str) -> None:
        for typed in self.typed:
            if (typed.field, typed.value) == (name, value):
                typed.seen = True

    def occur(self, which: int, index: int, how: int) -> None:
        """Change, cancel or bring back one occurrence of a series."""
        side = SIDES[which % 2]
        masters = [r for r in self.rows(side) if r.values.get("recurrence")]
        if not masters:
            return
        master, slot = masters[index % len(masters)], SLOTS[how % 2]
        known = [
            row
            for row in self.rows(side)
            if row.notes.get("series") == master.remote_id
            and row.values.get("slot") == slot
        ]
        values = occurrence(slot, cancelled="yes" if how % 3 == 0 else "")
        values = {name: value for name, value in values.items() if value}
        if not values.get("cancelled"):
            values["subject"] = f"{master.values['subject']}/{slot[8:10]}"
        if not known:
            row = self._calendar(side).make(values, series=master.remote_id)
            if side is SideName.GOOGLE:
                self._rename(row, f"{master.remote_id}_{slot}")
        else:
            gone = dict.fromkeys(set(known[0].values) - set(values), "")
            for name in gone:
                self._see(name, known[0].values[name])
            self._calendar(side).edit(known[0].remote_id, **gone, **values)
        self.trace.append(("occur", side, master.remote_id, values))

    def _rename(self, row: Row, remote_id: str) -> None:
        """Give an occurrence the id that Google would give it."""
        rows = self.world.google.rows
        old = row.remote_id
        del rows[old]
        row.remote_id = remote_id
        rows[remote_id] = row
        for entry in self.world.google.log:
            if entry.row.remote_id == old:
                entry.row.remote_id = remote_id

    def remove(self, which: int, index: int) -> None:
        side = SIDES[which % 2]
        row = self._pick(side, index)
        if row is None or row.values.get("slot") or self._is_done(row):
            return
        for gone in self.rows(side):
            if gone is row or gone.notes.get("series") == row.remote_id:
                for name in EDITED:
                    self._see(name, gone.values.get(name, ""))
        self.deleted[self._name(row)] = side
        if side is SideName.GOOGLE:
            self.versions.pop(row.remote_id, None)
        elif row.values.get("imported"):
            self.completed.add(self._name(row))  # it goes on in Google
        self._calendar(side).remove(row.remote_id)
        self.trace.append(("remove", side, row.remote_id))

    def complete(self, index: int) -> None:
        row = self._pick(SideName.CRM, index)
        if row is None or row.values.get("slot") or row.values.get("recurrence"):
            return
        for name in EDITED:
            self._see(name, row.values.get(name, ""))
        self.completed.add(self._name(row))
        self.world.crm.complete(row.remote_id)
        self.trace.append(("complete", row.remote_id))

    def answer(self, which: int, index: int, how: int) -> None:
        side = SIDES[which % 2]
        rows = [r for r in self.rows(side) if "answer" in r.values]
        if rows:
            row = rows[index % len(rows)]
            value = ("accepted", DECLINED, "tentative")[how % 3]
            self._calendar(side).edit(row.remote_id, answer=value)
            self.trace.append(("answer", side, row.remote_id, value))

    # ------------------------------------------------------------ cycles

    def cycle(self, faults: Sequence[tuple[int, str, int]]) -> None:
        self.trace.append(("cycle", list(faults)))
        self.counts["cycles"] += 1
        is_first = not self.world.has_ended
        try:
            report = self.world.cycle(at_effect=self._striking(faults))
            if report.state is CycleState.HELD:
                self.counts["held"] += 1
                self.world.approve()
        except Crash:
            self.counts["crashed"] += 1
            self.trace.append(("crashed",))
        if is_first:
            assert not self.world.google.told, f"a first cycle told\n{self.told()}"

    def _striking(self, faults: Sequence[tuple[int, str, int]]) -> AtEffect | None:
        waiting = list(faults)
        if not waiting:
            return None

        def at_effect(number: int, name: str) -> None:
            for fault in tuple(waiting):
                at, kind, a = fault
                if number < at or not _fits(kind, name):
                    continue
                waiting.remove(fault)
                self.counts[kind] += 1
                self._strike(kind, a)

        return at_effect

    def _strike(self, kind: str, a: int) -> None:
        if kind == "crash":
            raise Crash
        if kind == "lost":
            raise OutcomeUnknown("No answer came.")
        if kind == "down":
            raise ProviderDown("The provider is down.")
        if kind == "edit":
            # Nobody can close the moment between a look at a series and its deletion.
            row = self._pick(SIDES[a % 2], a // 2)
            if row is not None and not row.values.get("slot"):
                self.edit(a, a // 2, a)
        else:
            self.world.side(SIDES[a % 2]).epoch += 1

    # ------------------------------------------------------------ what must hold

    def check_always(self) -> None:
        """No activity is there twice, but for forks; what is history stays so."""
        back = [r for r in self.rows(SideName.CRM) if self._is_done(r)]
        assert not back, f"{back} came back\n{self.told()}"
        for remote_id, version in self.versions.items():
            row = self.world.google.rows[remote_id]
            untouched = not row.gone and row.version == version and not row.key
            assert untouched, f"{row} was written\n{self.told()}"
        for side in SIDES:
            names = Counter(
                row.values.get("subject", "").strip("*") for row in self.rows(side)
            )
            for name, many in names.items():
                base = name.partition("/")[0]
                fine = many == 1 or base in self.forked or not name
                assert fine, f"{name} is there {many} times on {side}\n{self.told()}"

    def check_at_rest(self) -> None:
        """Settle, then hold every invariant against what is there."""
        report = self.world.settle(rounds=9)
        assert report.state is CycleState.SUCCEEDED, f"not at rest\n{self.told()}"
        self.check_always()
        self._check_converged()
        self._check_nothing_lost()
        self._check_notices()
        left = [
            item
            for item in self.world.state.all_items()
            if item.state in {ItemState.SENT, ItemState.UNKNOWN}
        ]
        assert not left, f"without an outcome: {left}\n{self.told()}"

    def _check_converged(self) -> None:
        state = self.world.state.tables
        linked: dict[SideName, set[str]] = {side: set() for side in SIDES}
        for link in state.links.values():
            crm = self.world.crm.rows[link.crm_id]
            google = self.world.google.rows[link.google_id]
            for side in SIDES:
                linked[side].add(link.remote_id(side))
            assert not crm.gone, f"linked to a deleted activity\n{self.told()}"
            assert not google.gone, f"linked to a deleted event\n{self.told()}"
            for name in ("location", "notes", "start", "cancelled"):
                same = crm.values.get(name, "") == google.values.get(name, "")
                assert same, f"{name} differs: {crm} / {google}\n{self.told()}"
        for side in SIDES:
            for row in self.rows(side):
                name = self._name(row)
                free = name in self.forked | self.completed or (
                    row.values.get("answer") == DECLINED
                )
                fine = row.remote_id in linked[side] or free
                assert fine, f"{row} is not linked\n{self.told()}"

    def _check_nothing_lost(self) -> None:
        kept: set[tuple[str, str]] = set()
        for side in SIDES:
            for row in self.rows(side):
                kept.update(row.values.items())
        for item in self.world.state.all_items():
            for change in item.changes:
                for value in (change.lost, change.crm_before, change.google_before):
                    if value:
                        kept.add((change.field, value))
        for typed in self.typed:
            fine = typed.seen or (typed.field, typed.value) in kept
            assert fine, f"lost: {typed}\n{self.told()}"

    def _check_notices(self) -> None:
        """No guest hears of more than persons did (CAL-20)."""
        most = self.edits + len(self.deleted) + 1
        heard = Counter(self.world.google.told)
        for (event, guest), times in heard.items():
            assert times <= most, f"{guest} heard {times} times of {event}"


def _fits(kind: str, name: str) -> bool:
    if kind == "lost":
        return name in _WRITES
    if kind == "down":
        return name.startswith("before ") and "." in name
    return True


def step(story: CalendarStory, chance: random.Random, kinds: Sequence[str]) -> None:
    """Let one thing happen."""
    roll = chance.random()
    a, b, c = (int(chance.random() * 6) for _ in range(3))
    if roll < 0.18:
        story.make(a, b)
    elif roll < 0.40:
        story.edit(a, b, c)
    elif roll < 0.52:
        story.occur(a, b, c)
    elif roll < 0.56:
        story.remove(a, b)
    elif roll < 0.59:
        story.complete(a)
    elif roll < 0.63:
        story.answer(a, b, c)
    elif roll < 0.70:
        story.world.clock.advance(chance.choice((5, 30, 90)))
    else:
        many = chance.choice((0, 0, 1, 2))
        faults = [
            (
                1 + int(chance.random() * 40),
                chance.choice(kinds),
                int(chance.random() * 6),
            )
            for _ in range(many)
        ]
        story.cycle(faults)
        story.check_always()


def simulate(seed: int, story: CalendarStory | None = None) -> CalendarStory:
    """Tell the story of one seed and check it.

    Raises:
        AssertionError: with the whole trace, if an invariant does not hold.
    """
    chance = random.Random(seed)
    if story is None:
        mode = chance.choice((MemberEdit.FORK, MemberEdit.FORK, MemberEdit.PROPOSE))
        story = CalendarStory(CalendarWorld(policy=Policy(member_edit=mode)))
    kinds = [kind for kind in FAULTS if chance.random() < 0.7] or ["edit"]
    for _ in range(2):
        for _ in range(25):
            step(story, chance, kinds)
        story.check_at_rest()
    return story


def tell(seeds: Sequence[int]) -> tuple[list[tuple[int, str]], Counter[str]]:
    """Tell the stories of some seeds; return those that broke, and counts."""
    broken: list[tuple[int, str]] = []
    counts: Counter[str] = Counter()
    for seed in seeds:
        try:
            told = simulate(seed)
        except AssertionError as error:
            broken.append((seed, str(error)))
        else:
            counts.update(told.counts)
    return broken, counts


def main() -> int:
    """Tell N stories on all cores."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    parts = [
        range(at, min(at + 100, first + count))
        for at in range(first, first + count, 100)
    ]
    broken = 0
    with ProcessPoolExecutor() as pool:
        for found, _ in pool.map(tell, parts):
            broken += len(found)
            for seed, trace in found[:2]:
                print(f"seed {seed}: {trace}\n")  # noqa: T201  its answer
    print(f"{count} stories of a calendar, {broken} broken")  # noqa: T201  its answer
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
