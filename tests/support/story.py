"""A story: what persons do to both sides, what goes wrong, and what must hold.

The same story is told by the state machine (Hypothesis chooses) and by the seeded
simulation (a random generator chooses). The oracle knows what every person typed and
had seen; it searches for an explanation of what is there (invariants I1 … I9).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from crmsync.engine.fit import cut
from crmsync.engine.plan import ItemState
from crmsync.engine.policy import Granularity
from crmsync.engine.report import CycleReport, CycleState
from crmsync.errors import OutcomeUnknown, ProviderDown
from crmsync.records.values import SideName, Values
from tests.support.memory_sides import Memory, Row
from tests.support.world import DELAY, Crash, World, person

EDITED = ("title", "department", "notes")
MOST_PEOPLE = 6
FAULTS = ("crash", "lost", "down", "edit", "late")
_WRITTEN = frozenset(
    f"after {side}.{call}"
    for side in SideName
    for call in ("create", "update", "delete", "mark")
)


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


@dataclass(frozen=True)
class Fault:
    """Something that happens at one effect of a cycle."""

    at: int
    kind: str
    a: int = 0
    b: int = 0


@dataclass
class Story:
    """One world and its oracle."""

    world: World = field(default_factory=World)
    typed: list[Typed] = field(default_factory=list)
    deleted: list[Deleted] = field(default_factory=list)
    people: int = 0
    tokens: int = 0
    parted: set[int] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    written: set[Write] = field(default_factory=set)
    unanswered: set[Write] = field(default_factory=set)
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for side in SideName:
            self.world.side(side).on_write = self._judge_write

    # ------------------------------------------------------------ persons

    def rows(self, side: SideName) -> list[Row]:
        return self.world.side(side).live()

    def pick(self, side: SideName, index: int) -> Row | None:
        rows = self.rows(side)
        return rows[index % len(rows)] if rows else None

    def put(self, where: int) -> None:
        """Create a person: in the CRM, in Google, or on both sides."""
        if self.people >= MOST_PEOPLE:
            return
        self.people += 1
        number = self.people
        for side in SideName:
            if where % 3 in {2, list(SideName).index(side)}:
                values = person(number)
                if where % 5:
                    values["title"] = self._token("title")
                selected = where % 4 != 0 or where % 3 != 2 or side is SideName.CRM
                row = self.world.side(side).put(values, selected=selected)
                for name in EDITED:
                    if name in values:
                        self._note_typed(name, values[name], row, side)
        if where % 3 == 2:
            # A contact that the feed does not show yet cannot be recognised.
            self.world.clock.advance(DELAY + 1)
        self.trace.append(f"put {number} {where % 3}")

    def _token(self, name: str) -> str:
        self.tokens += 1
        long = "-too-long" if name == "notes" and self.tokens % 3 == 0 else ""
        return f"{name[0]}{self.tokens}{long}"

    def _note_typed(self, name: str, value: str, row: Row, side: SideName) -> None:
        self.typed.append(Typed(name, value, (side, row.remote_id)))

    def _supersede(self, side: SideName, name: str, value: str) -> None:
        for typed in self.typed:
            if typed.field == name and (
                typed.value == value or cut(typed.value, 8) == value
            ):
                typed.superseded_on.add(side)

    def edit(self, which: int, index: int, name: int) -> None:
        side = list(SideName)[which % 2]
        row = self.pick(side, index)
        if row is None:
            return
        self._edit(side, row, EDITED[name % len(EDITED)])

    def _edit(self, side: SideName, row: Row, field_name: str) -> None:
        self._supersede(side, field_name, row.values.get(field_name, ""))
        value = self._token(field_name)
        if side is SideName.CRM:
            value = value[:8]
        self.world.side(side).edit(row.remote_id, **{field_name: value})
        self._note_typed(field_name, value, row, side)
        self.trace.append(f"edit {side} {row.remote_id} {field_name}={value}")

    def haste(self, which: int, index: int) -> None:
        """Meddle at once with what the last cycle made or wrote."""
        side = list(SideName)[which % 2]
        made = [row for row in self.rows(side) if row.made_by_us]
        if not made:
            return
        row = made[-1]
        if index % 3 == 0:
            self._remove(side, row)
        else:
            self._edit(side, row, EDITED[index % len(EDITED)])

    def blank(self, which: int, index: int, name: int) -> None:
        """Empty a field; the old value was seen and given up."""
        side = list(SideName)[which % 2]
        row = self.pick(side, index)
        field_name = EDITED[name % len(EDITED)]
        if row is None or field_name not in row.values:
            return
        self._supersede(side, field_name, row.values[field_name])
        self.world.side(side).edit(row.remote_id, **{field_name: ""})
        self.trace.append(f"blank {side} {row.remote_id} {field_name}")

    def remove(self, which: int, index: int) -> None:
        side = list(SideName)[which % 2]
        row = self.pick(side, index)
        if row is not None:
            self._remove(side, row)

    def _remove(self, side: SideName, row: Row) -> None:
        for name in EDITED:
            self._supersede(side, name, row.values.get(name, ""))
        number = int(row.values["first"].removeprefix("First"))
        links = self.world.state.tables.links.values()
        if any(link.remote_id(side) == row.remote_id for link in links):
            self.deleted.append(Deleted(number, side))
        self.parted.add(number)
        self.removed.add(row.remote_id)
        if not links:
            # A first cycle takes the feed's word: it has to be up to date.
            self.world.clock.advance(DELAY + 1)
        self.world.side(side).remove(row.remote_id)
        self.trace.append(f"remove {side} {row.remote_id}")

    def select(self, which: int, index: int, selected: bool) -> None:
        side = list(SideName)[which % 2]
        row = self.pick(side, index)
        if row is None or row.selected is selected:
            return
        number = int(row.values["first"].removeprefix("First"))
        self.parted.add(number)
        if selected:
            for entry in self.deleted:
                if entry.number == number:
                    entry.is_excused = True
        self.world.side(side).set_selected(row.remote_id, selected)
        self.trace.append(f"select {side} {row.remote_id} {selected}")

    def touch(self, index: int) -> None:
        row = self.pick(SideName.GOOGLE, index)
        if row is not None:
            self.world.google.touch(row.remote_id)
            self.trace.append(f"touch {row.remote_id}")

    def expire(self, which: int) -> None:
        side: Memory = self.world.side(list(SideName)[which % 2])
        side.epoch += 1
        self.trace.append(f"expire {side.side}")

    def advance(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        self.trace.append(f"advance {seconds}")

    # ------------------------------------------------------------ cycles

    def cycle(self, faults: list[Fault]) -> CycleReport | None:
        """Run one cycle in which some things go wrong; None if it died."""
        by_effect: dict[int, list[Fault]] = {}
        for fault in faults:
            by_effect.setdefault(fault.at, []).append(fault)

        def at_effect(number: int, name: str) -> None:
            for fault in by_effect.get(number, ()):
                self._strike(fault, name)

        self.written.clear()
        self.trace.append(f"cycle {faults}")
        try:
            report = self.world.cycle(at_effect=at_effect)
        except Crash:
            self.trace.append("crashed")
            return None
        if report.state is CycleState.HELD:
            report = self.world.approve()
        return report

    def _strike(self, fault: Fault, name: str) -> None:
        if fault.kind == "edit":
            # Google has no condition on a delete: nobody can close this gap.
            if name in {"after google.fetch", "before google.delete"}:
                return
            self.edit(fault.a, fault.b, fault.a + fault.b)
        elif fault.kind == "late":
            self.world.clock.advance(fault.b)
        elif fault.kind == "crash":
            self.unanswered |= self.written
            raise Crash
        elif (
            fault.kind == "down" and name.startswith("before ") and "commit" not in name
        ):
            raise ProviderDown("The provider is down.")
        elif fault.kind == "lost" and name in _WRITTEN:
            self.unanswered |= self.written
            raise OutcomeUnknown("No answer came.")

    # ------------------------------------------------------------ what must hold

    def check_always(self) -> None:
        """I6: at no time is a person there twice."""
        for side in SideName:
            firsts = [row.values.get("first", "") for row in self.rows(side)]
            doubled = {first for first in firsts if firsts.count(first) > 1}
            assert not doubled, f"doubled on {side}: {doubled}\n{self.told()}"
        self._check_deletions()

    def _judge_write(self, side: SideName, row: Row, values: Values) -> None:
        """I4: what a person overwrote on a side is never written there again."""
        number = int(row.values["first"].removeprefix("First"))
        by_record = self.world.policy.granularity is Granularity.RECORD
        if by_record or number in self.parted:
            return
        for name, value in values.items():
            # Whether an unanswered write happened cannot be told once a person has
            # written over it: then the rule decides, and the loser is kept.
            write = (side, row.remote_id, name, value)
            again = write in self.unanswered
            self.written.add(write)
            back = not again and self._was_given_up(side, name, value)
            assert not back, f"{value} came back on {side}\n{self.told()}"

    def _was_given_up(self, side: SideName, name: str, value: str) -> bool:
        return any(
            typed.field == name and typed.value == value and side in typed.superseded_on
            for typed in self.typed
        )

    def _check_deletions(self) -> None:
        """CON-12: only what we made and nobody touched is deleted in Google."""
        for row in self.world.google.rows.values():
            if row.gone and row.remote_id not in self.removed:
                place = (SideName.GOOGLE, row.remote_id)
                theirs = {t.value for t in self.typed if t.place == place}
                ours = row.made_by_us and not theirs & set(row.values.values())
                assert ours, f"{row.remote_id} was deleted\n{self.told()}"

    def check_at_rest(self) -> None:
        """Settle, then hold every invariant against what is there."""
        report = self.world.settle()
        assert report.state is CycleState.SUCCEEDED, (report, self.told())
        self.check_always()
        self._check_converged()
        self._check_nothing_lost()
        self._check_nothing_resurrected()
        self._check_quiet()

    def _check_converged(self) -> None:
        linked: dict[SideName, set[str]] = {side: set() for side in SideName}
        for link in self.world.state.tables.links.values():
            crm = self.world.crm.rows[link.crm_id]
            google = self.world.google.rows[link.google_id]
            linked[SideName.CRM].add(link.crm_id)
            linked[SideName.GOOGLE].add(link.google_id)
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
                if row.selected:
                    assert row.remote_id in linked[side], (
                        f"{row.remote_id} is selected and not linked\n{self.told()}"
                    )

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
            if entry.is_excused:
                continue
            alive = [
                row
                for row in self.rows(entry.side)
                if row.values.get("first") == f"First{entry.number}"
            ]
            assert not alive, f"resurrected: {entry}\n{self.told()}"

    def _check_quiet(self) -> None:
        before = self.world.writes()
        self.world.clock.advance(100)
        self.world.cycle()
        assert self.world.writes() == before, f"not at rest\n{self.told()}"
        left = [
            item
            for item in self.world.state.all_items()
            if item.state in {ItemState.SENT, ItemState.UNKNOWN}
        ]
        assert not left, f"without an outcome: {left}\n{self.told()}"

    def told(self) -> str:
        """Return what happened, for a failing test."""
        return "\n".join(self.trace)
