"""The oracle: what persons typed, had seen and deleted, and what must hold of it.

Which check proves which invariant (guarantees, section 2):

| invariant | proved by |
| --- | --- |
| I1 convergence | `check_at_rest`: at most `ROUNDS` rounds, then `_check_converged` |
| I2 stability | `World.settle`: the last of these rounds writes nothing |
| I3 idempotence | `Story.twice`: the same job again writes nothing |
| I4 no lost update | `_check_nothing_lost`, and `judge_write` at each write |
| I5 untouched fields | `_check_untouched`: what we do not know, byte for byte |
| I6 no duplicate | `check_always` after every step, whatever was lost or repeated |
| I7 no resurrection | `_check_nothing_resurrected` |
| I8 edit beats delete | `_check_deletions`, and `_check_nothing_lost` |
| I9 delete safety | `judge_leaving` at each removal; a held cycle writes nothing |
| I10 nothing half-applied | crashes at every effect, then all of the others |
| I11 bounded retries | `judge_refusal` at each refusal; `_check_visible` |
| I12 poison isolation | `check_at_rest` while one is refused: the others converge |
| I13 one writer | `World`: a commit by anybody but the lease's holder fails the story |
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crmsync.engine.fit import cut
from crmsync.engine.guard import threshold
from crmsync.engine.plan import ItemState
from crmsync.engine.policy import Granularity
from crmsync.engine.report import CycleState
from crmsync.records.values import SideName, Values
from tests.support.memory_sides import Row

if TYPE_CHECKING:
    from tests.support.world import World

EDITED = ("title", "department", "notes")
FIRST_DELAY = timedelta(minutes=5)
Write = tuple[SideName, str, str, str]


@dataclass
class Typed:
    """A value somebody typed, and whether somebody overwrote it having seen it."""

    field: str
    value: str
    place: tuple[SideName, str]
    superseded_on: set[SideName] = dataclasses.field(default_factory=set)

    @property
    def is_superseded(self) -> bool:
        return bool(self.superseded_on)


@dataclass
class Deleted:
    """A linked record somebody deleted; nobody may bring it back by himself."""

    number: int
    side: SideName
    is_excused: bool = False


@dataclass
class Refusals:
    """How often a side refused one record since a person last touched it."""

    times: int = 0
    early: int = 0
    creates: int = 0
    last: datetime | None = None


def number_of(values: Values) -> int:
    """Return which person a record is about."""
    return int(values["first"].removeprefix("First"))


@dataclass
class Oracle:
    """What every person did, and the judgement of what came of it."""

    world: World
    trace: list[tuple[object, ...]]
    typed: list[Typed] = field(default_factory=list)
    deleted: list[Deleted] = field(default_factory=list)
    parted: set[int] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    unanswered: set[Write] = field(default_factory=set)
    unknown: dict[str, dict[str, str]] = field(default_factory=dict)
    poisoned: dict[str, int] = field(default_factory=dict)
    refusals: dict[int, Refusals] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    came_late: set[tuple[str, str]] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    reselected: dict[int, int] = field(default_factory=dict)
    _by_value: dict[tuple[str, str], list[Typed]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in SideName:
            side = self.world.side(name)
            side.on_write = self.judge_write
            side.on_create = self.note_create
            side.on_leave = self.judge_leaving
            side.on_refusal = self.judge_refusal

    def told(self) -> str:
        """Return what happened, for a failing test."""
        return "\n".join(" ".join(map(str, line)) for line in self.trace)

    # ------------------------------------------------------------ what persons did

    def note_typed(self, name: str, value: str, side: SideName, row: Row) -> None:
        typed = Typed(name, value, (side, row.remote_id))
        self.typed.append(typed)
        for form in {value, cut(value, 8)}:
            self._by_value.setdefault((name, form), []).append(typed)

    def note_seen(self, side: SideName, name: str, value: str) -> None:
        """Note that a person gave up a value, having seen it on one side."""
        for typed in self._by_value.get((name, value), ()):
            typed.superseded_on.add(side)

    def note_touched(self, row: Row) -> None:
        """Note that a record changed: what was refused before may be tried at once."""
        self.refusals.pop(number_of(row.values), None)

    def note_removed(self, side: SideName, row: Row) -> None:
        for name in EDITED:
            self.note_seen(side, name, row.values.get(name, ""))
        number = number_of(row.values)
        links = self.world.state.tables.links.values()
        if any(link.remote_id(side) == row.remote_id for link in links):
            # Who selects a record anew edits it, and an edit beats a delete (I8).
            is_excused = self.reselected.get(number, 0) > 0
            self.deleted.append(Deleted(number, side, is_excused))
        self.parted.add(number)
        self.removed.add(row.remote_id)

    def note_selected(self, row: Row, *, selected: bool) -> None:
        number = number_of(row.values)
        self.parted.add(number)
        if selected:
            self.reselected[number] = 2
            for entry in self.deleted:
                if entry.number == number:
                    entry.is_excused = True

    def note_whole_cycle(self) -> None:
        """Note that a cycle ended; the one that began before counts for nothing."""
        for number in self.reselected:
            self.reselected[number] -= 1

    def note_unanswered(self, written: set[Write]) -> None:
        """Note that a worker does not know what became of its last call."""
        self.unanswered |= written
        self.refusals.clear()

    # ------------------------------------------------------------ what we do

    @property
    def _is_orphan(self) -> bool:
        return self.world.worker is not self.world.holder

    def note_create(self, side: SideName, row: Row) -> None:
        """Note a create of a worker that was stopped for longer than we wait.

        Fencing does not reach providers: what it sends after its lease was lost may
        be there twice, and then a person is asked (docs/guarantees.md).
        """
        self.trace.append(("  created", side, row.remote_id, row.key))
        if self._is_orphan and side is SideName.GOOGLE:
            self.counts["creates of orphans"] += 1
            self.late.add(number_of(row.values))

    def judge_write(self, side: SideName, row: Row, values: Values) -> None:
        """I4: what a person overwrote on a side is never written there again."""
        worker = self.world.worker
        number = number_of(row.values)
        self.trace.append(("  wrote", side, row.remote_id, values))
        self.note_touched(row)
        by_record = self.world.policy.granularity is Granularity.RECORD
        if by_record or number in self.parted:
            return
        for name, value in values.items():
            # Whether an unanswered write happened cannot be told once a person has
            # written over it: then the rule decides, and the loser is kept.
            write = (side, row.remote_id, name, value)
            if worker is None or self._is_orphan:
                self.unanswered.add(write)
                self.came_late.add((name, value))
                continue
            again = write in self.unanswered or (name, value) in self.came_late
            worker.written.add(write)
            back = not again and self._was_given_up(side, name, value)
            assert not back, f"{value} came back on {side}\n{self.told()}"

    def _was_given_up(self, side: SideName, name: str, value: str) -> bool:
        return any(
            typed.value == value and side in typed.superseded_on
            for typed in self._by_value.get((name, value), ())
        )

    def judge_leaving(self, side: SideName, row: Row) -> None:
        """I9: one round takes out no more than a person would want to be asked for."""
        worker = self.world.worker
        self.trace.append(("  took out", side, row.remote_id))
        if worker is None or self._is_orphan:
            return
        worker.removed[side].add(row.remote_id)
        bound = threshold(worker.links, self.world.policy)
        if worker.allowed is not None:
            totals = worker.allowed.totals
            bound = max(bound, totals.removals + totals.blanked)
        many = len(worker.removed[side])
        assert many <= bound, f"{many} left {side} in one round\n{self.told()}"

    def judge_refusal(self, side: SideName, ident: str, values: Values) -> None:
        """I11: what is refused is tried again later each time, unless it was edited."""
        self.counts["refusals"] += 1
        self.trace.append(("  refused", side, ident, values))
        if self._is_orphan:
            return
        row = self.world.side(side).rows.get(ident)
        number = number_of(values if row is None else row.values)
        known = self.refusals.setdefault(number, Refusals())
        known.creates += row is None
        now = self.world.clock.now()
        if known.last is not None:
            least = FIRST_DELAY * 2 ** (known.times - 1)
            if now - known.last < least:
                # A late feed may show what was refused already as if it were new, and
                # a create that is refused when it is sent again is planned anew.
                known.early += 1
                most = 2 if known.creates else 1
                assert known.early <= most, f"tried again too early\n{self.told()}"
                return
        known.times, known.last = known.times + 1, now

    # ------------------------------------------------------------ what must hold

    def rows(self, side: SideName) -> list[Row]:
        return self.world.side(side).live()

    def check_always(self) -> None:
        """I6: at no time is a person there twice."""
        for side in SideName:
            firsts = [row.values.get("first", "") for row in self.rows(side)]
            if len(set(firsts)) == len(firsts):
                continue
            doubled = {first for first in firsts if firsts.count(first) > 1}
            doubled -= {f"First{number}" for number in self.late}
            assert not doubled, f"doubled on {side}: {doubled}\n{self.told()}"
        self._check_deletions()
        self._check_untouched()

    def _check_deletions(self) -> None:
        """CON-12: only what we made and nobody touched is deleted in Google."""
        for row in self.world.google.rows.values():
            if row.gone and row.remote_id not in self.removed:
                place = (SideName.GOOGLE, row.remote_id)
                theirs = {t.value for t in self.typed if t.place == place}
                ours = row.made_by_us and not theirs & set(row.values.values())
                ours = ours and row.remote_id not in self.unknown
                assert ours, f"{row.remote_id} was deleted\n{self.told()}"

    def _check_untouched(self) -> None:
        """I5: fields that synchronisation does not know are as persons left them."""
        for side in (self.world.crm, self.world.google):
            for row in side.rows.values():
                wanted = self.unknown.get(row.remote_id)
                same = row.unknown == wanted if wanted else not row.unknown
                assert same, f"{row.unknown} was {wanted}\n{self.told()}"

    def check_at_rest(self) -> None:
        """Settle, then hold every invariant against what is there."""
        report = self.world.settle()
        is_well = report.state is CycleState.SUCCEEDED or (
            report.state is CycleState.PARTIAL and bool(self.poisoned)
        )
        assert is_well, f"not at rest: {report}\n{self.told()}"
        self.check_always()
        self._check_converged()
        self._check_nothing_lost()
        self._check_nothing_resurrected()
        self._check_outcomes()
        self._check_visible()

    def _check_converged(self) -> None:
        linked: dict[SideName, set[str]] = {side: set() for side in SideName}
        for link in self.world.state.tables.links.values():
            crm = self.world.crm.rows[link.crm_id]
            google = self.world.google.rows[link.google_id]
            linked[SideName.CRM].add(link.crm_id)
            linked[SideName.GOOGLE].add(link.google_id)
            if self._is_refused(crm, google):
                continue
            assert not crm.gone, f"linked to a deleted record\n{self.told()}"
            assert not google.gone, f"linked to a deleted record\n{self.told()}"
            both = crm.selected and google.selected
            assert both, f"linked and not selected\n{self.told()}"
            for name in EDITED:
                one, other = crm.values.get(name, ""), google.values.get(name, "")
                same = one == other or cut(other, 8) == one
                assert same, f"{name} differs: {one} / {other}\n{self.told()}"
        for side in SideName:
            for row in self.rows(side):
                if row.selected and row.remote_id not in linked[side]:
                    excused = self._is_refused(row) or self._is_asked_about(side, row)
                    assert excused, (
                        f"{row.remote_id} is selected and not linked\n{self.told()}"
                    )

    def _is_refused(self, *rows: Row) -> bool:
        """Whether a side refuses a value that one of these records holds."""
        if not self.poisoned:
            return False
        return any(v in self.poisoned for row in rows for v in row.values.values())

    def _is_asked_about(self, side: SideName, row: Row) -> bool:
        """Whether it is the copy that an orphan made, and a person is asked."""
        if number_of(row.values) not in self.late:
            return False
        return row.remote_id in self.world.state.held(side, [row.remote_id])

    def _check_nothing_lost(self) -> None:
        kept: set[tuple[str, str]] = set()
        for side in SideName:
            for row in self.rows(side):
                kept.update(row.values.items())
        for item in self.world.state.all_items():
            for change in item.changes:
                if change.lost is not None:
                    kept.add((change.field, change.lost))
        for typed in self.typed:
            found = (typed.field, typed.value) in kept
            assert typed.is_superseded or found, f"lost: {typed}\n{self.told()}"

    def _check_nothing_resurrected(self) -> None:
        for entry in self.deleted:
            if entry.is_excused or entry.number in self.late:
                continue
            alive = [
                row
                for row in self.rows(entry.side)
                if row.values.get("first") == f"First{entry.number}"
            ]
            assert not alive, f"resurrected: {entry}\n{self.told()}"

    def _check_outcomes(self) -> None:
        left = [
            item
            for item in self.world.state.all_items()
            if item.state in {ItemState.SENT, ItemState.UNKNOWN}
        ]
        assert not left, f"without an outcome: {left}\n{self.told()}"

    def _check_visible(self) -> None:
        """I11: what was refused is put off, and Sync History says so."""
        told: set[int] = set()
        for item in self.world.state.all_items():
            if item.state is ItemState.FAILED and item.error is not None:
                for side in SideName:
                    row = self.world.side(side).rows.get(item.remote_id(side))
                    told |= {number_of(row.values)} if row is not None else set()
        for number in set(self.poisoned.values()) - self.parted:
            is_told = number in told or number not in self.refusals
            assert is_told, f"{number} failed and nobody is told\n{self.told()}"
