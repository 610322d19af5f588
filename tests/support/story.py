"""A story: what persons do to both sides, and what goes wrong in the meantime.

The same story is told by the state machine (Hypothesis chooses) and by the seeded
simulation (a random generator chooses). The oracle judges (`tests.support.oracle`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from crmsync.engine.plan import ItemState
from crmsync.engine.report import CycleReport, CycleState
from crmsync.errors import LeaseTaken, OutcomeUnknown, ProviderDown
from crmsync.records.values import SideName
from tests.support.memory_sides import Disorder, Memory, NotYet, Row
from tests.support.memory_state import LEASE
from tests.support.oracle import EDITED, Oracle, number_of
from tests.support.workers import AtEffect, Crash, Worker
from tests.support.world import DELAY, SETTLE, World, person

MOST_PEOPLE = 6
MOST_STOPPED = 2
FAULTS = (
    "crash",
    "lost",
    "wire",
    "down",
    "edit",
    "act",
    "late",
    "expire",
    "pages",
    "slice",
    "stop",
    "rival",
)
ON_WIRE = SETTLE - DELAY - 1
"""A write that got no answer happens within this time, or never (ENG-2)."""
SIDES = tuple(SideName)
_CALLS = ("create", "update", "delete", "mark")
_WRITES = frozenset(f"{side}.{call}" for side in SideName for call in _CALLS)
_ON_WIRE = frozenset(
    f"before {side}.{call}" for side in SideName for call in ("create", "update")
)
_WHOLE = frozenset({CycleState.SUCCEEDED, CycleState.PARTIAL})
_LOST = (("before",), ("after",), ("within", "after"))
"""When an answer is lost: the write did not happen, it did, or half a batch did."""


@dataclass(frozen=True)
class Fault:
    """Something that happens at one effect of a cycle, or the next that fits."""

    at: int
    kind: str
    a: int = 0
    b: int = 0

    def fits(self, name: str) -> bool:
        """Whether it can strike at an effect; it waits for the first that fits."""
        if self.kind == "lost":
            when, _, call = name.partition(" ")
            return call in _WRITES and when in _LOST[self.a % len(_LOST)]
        if self.kind == "wire":
            return name in _ON_WIRE
        if self.kind == "down":
            return name.startswith("before ") and "." in name
        if self.is_for_gap:
            return name == "after google.fetch"
        return True

    @property
    def is_for_gap(self) -> bool:
        """Whether it waits until a worker has looked at what it is about to delete."""
        return self.kind == "rival" and self.a == 5


class Story:
    """One world, its persons, and what goes wrong."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.trace: list[tuple[object, ...]] = []
        self.oracle = Oracle(self.world, self.trace)
        self.counts: Counter[str] = self.oracle.counts
        self.people = 0
        self.most_people = MOST_PEOPLE
        self.tokens = 0
        self.stopped: list[Worker] = []
        self.last_edit: tuple[SideName, Row, str] | None = None

    # ------------------------------------------------------------ persons

    def rows(self, side: SideName) -> list[Row]:
        return self.world.side(side).live()

    def pick(self, side: SideName, index: int) -> Row | None:
        rows = self.rows(side)
        return rows[index % len(rows)] if rows else None

    def put(self, where: int) -> None:
        """Create a person: in the CRM, in Google, or on both sides."""
        if self.people >= self.most_people:
            return
        self.people += 1
        number = self.people
        for side in SIDES:
            if where % 3 in {2, SIDES.index(side)}:
                values = person(number)
                if where % 5:
                    values["title"] = self._token("title")
                selected = where % 4 != 0 or where % 3 != 2 or side is SideName.CRM
                row = self.world.side(side).put(values, selected=selected)
                if where % 2:
                    self._scribble(side, row)
                for name in EDITED:
                    if name in values:
                        self.oracle.note_typed(name, values[name], side, row)
        if where % 3 == 2:
            # A contact that the feed does not show yet cannot be recognised.
            self.world.clock.advance(DELAY + 1)
        self.trace.append(("put", number, where % 3))

    def _token(self, name: str) -> str:
        self.tokens += 1
        long = "-too-long" if name == "notes" and self.tokens % 3 == 0 else ""
        return f"{name[0]}{self.tokens}{long}"

    def edit(self, which: int, index: int, name: int) -> None:
        side = SIDES[which % 2]
        row = self.pick(side, index)
        if row is not None:
            self._edit(side, row, EDITED[name % len(EDITED)])

    def _edit(self, side: SideName, row: Row, name: str) -> str:
        self.oracle.note_seen(side, name, row.values.get(name, ""))
        value = self._token(name)
        if side is SideName.CRM:
            value = value[:8]
        self.world.side(side).edit(row.remote_id, **{name: value})
        self.oracle.note_typed(name, value, side, row)
        self.oracle.note_touched(row)
        self.last_edit = (side, row, name)
        self.trace.append(("edit", side, row.remote_id, name, "=", value))
        return value

    def haste(self, which: int, index: int) -> None:
        """Meddle at once with what the last cycle made or wrote."""
        side = SIDES[which % 2]
        made = [row for row in self.rows(side) if row.made_by_us]
        if not made:
            return
        row = made[-1]
        if index % 3 == 0:
            self._remove(side, row)
        else:
            self._edit(side, row, EDITED[index % len(EDITED)])

    def edit_again(self) -> None:
        """Edit once more what was edited last, whatever became of that."""
        if self.last_edit is not None and not self.last_edit[1].gone:
            self._edit(*self.last_edit)

    def blank(self, which: int, index: int, name: int) -> None:
        """Empty a field; the old value was seen and given up."""
        side = SIDES[which % 2]
        row = self.pick(side, index)
        field_name = EDITED[name % len(EDITED)]
        if row is None or field_name not in row.values:
            return
        self.oracle.note_seen(side, field_name, row.values[field_name])
        self.world.side(side).edit(row.remote_id, **{field_name: ""})
        self.oracle.note_touched(row)
        self.trace.append(("blank", side, row.remote_id, field_name))

    def remove(self, which: int, index: int) -> None:
        side = SIDES[which % 2]
        row = self.pick(side, index)
        if row is not None:
            self._remove(side, row)

    def _remove(self, side: SideName, row: Row) -> None:
        self.oracle.note_removed(side, row)
        self.oracle.note_touched(row)
        if not self.world.state.tables.links.values():
            # A first cycle takes the feed's word: it has to be up to date.
            self.world.clock.advance(DELAY + 1)
        self.world.side(side).remove(row.remote_id)
        self.trace.append(("remove", side, row.remote_id))

    def select(self, which: int, index: int, selected: bool) -> None:
        side = SIDES[which % 2]
        row = self.pick(side, index)
        if row is not None and row.selected is not selected:
            self._select(side, row, selected)

    def _select(self, side: SideName, row: Row, selected: bool) -> None:
        self.oracle.note_selected(row, selected=selected)
        self.oracle.note_touched(row)
        self.world.side(side).set_selected(row.remote_id, selected)
        self.trace.append(("select", side, row.remote_id, selected))

    def touch(self, index: int) -> None:
        row = self.pick(SideName.GOOGLE, index)
        if row is not None:
            self.world.google.touch(row.remote_id)
            self.oracle.note_touched(row)
            self.trace.append(("touch", row.remote_id))

    def scribble(self, which: int, index: int) -> None:
        """Fill in something that synchronisation does not know."""
        side = SIDES[which % 2]
        row = self.pick(side, index)
        if row is not None:
            self._scribble(side, row)

    def _scribble(self, side: SideName, row: Row) -> None:
        self.tokens += 1
        text = f"ü{self.tokens} \u200b "
        unknown = self.oracle.unknown.setdefault(row.remote_id, {})
        unknown[f"x{self.tokens % 2}"] = text
        self.world.side(side).scribble(row.remote_id, **unknown)
        self.oracle.note_touched(row)
        self.trace.append(("scribble", side, row.remote_id, text))

    def poison(self, which: int, index: int) -> None:
        """Type something that the other side refuses (I11, I12)."""
        side = SIDES[which % 2]
        row = self.pick(side, index)
        if row is None or self.oracle.poisoned:
            return
        value = self._edit(side, row, "department")
        self.oracle.poisoned[value] = number_of(row.values)
        self.world.side(side.other).poison.add(value)
        self.counts["poison"] += 1
        self.trace.append(("poison", value))

    def heal(self) -> None:
        """Correct what was refused, or let the side accept it after all."""
        if not self.oracle.poisoned:
            return
        by_hand = self.tokens % 2 == 0
        for side in SIDES:
            self.world.side(side).poison.clear()
            for row in self.rows(side):
                if by_hand and row.values.get("department") in self.oracle.poisoned:
                    self._edit(side, row, "department")
        self.oracle.poisoned.clear()
        if not by_hand:
            self.world.clock.advance(2 * 86_400)
        self.trace.append(("heal", by_hand))

    def exodus(self, which: int, how: int, many: int) -> None:
        """Remove or unselect many records of one side at once (I9)."""
        side = SIDES[which % 2]
        for row in self.rows(side)[:many]:
            if how % 2:
                self._remove(side, row)
            elif row.selected:
                self._select(side, row, False)
        self.counts["exoduses"] += 1

    def expire(self, which: int) -> None:
        side: Memory = self.world.side(SIDES[which % 2])
        side.epoch += 1
        self.trace.append(("expire", side.side))

    def advance(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.trace.append(("advance", seconds))

    def _land(self) -> None:
        """Let arrive what is on the wire."""
        for side in (self.world.crm, self.world.google):
            if side.on_wire:
                self.trace.append(("landed", side.side))
                self.counts["landed late"] += 1
                self.world.without_worker(side.land)

    # ------------------------------------------------------------ cycles

    def cycle(self, faults: list[Fault]) -> CycleReport | None:
        """Run one cycle in which some things go wrong; None if it did not end."""
        self.trace.append(("cycle", faults))
        for fault in faults:
            if fault.kind == "pages":
                side = self.world.side(SIDES[fault.a % 2])
                kind = (6 * (fault.a // 2) + fault.b) % (len(Disorder) - 1)
                side.disorder = Disorder(1 + kind)
                self.counts["disorder"] += 1
        worker = self._worker(faults)
        worker.is_sliced = any(fault.kind == "slice" for fault in faults)
        before = self.world.writes()
        self.world.let(worker)
        self.world.crm.disorder = self.world.google.disorder = Disorder.NONE
        report = self._ended(worker)
        if report is not None and report.state is CycleState.RUNNING:
            self.counts["slices"] += 1
            self.trace.append(("slice over",))
        if report is not None and report.state is CycleState.HELD:
            held = self.world.writes() == before
            assert held or faults or worker.is_next_slice, (
                f"a held cycle wrote\n{self.oracle.told()}"
            )
            self.counts["held"] += 1
            report = self.world.approve()
        return report

    def twice(self) -> None:
        """I3: a job that is run again changes nothing."""
        report = self.cycle([])
        if report is None or report.state is not CycleState.SUCCEEDED:
            return
        holder = self.world.holder
        if self.world.state.unsettled() or holder is None or holder.is_next_slice:
            return  # not done yet
        # A record whose partner has just left it is paired anew by the next run.
        self.cycle([])
        before = self.world.writes()
        self.cycle([])
        assert self.world.writes() == before, f"twice is not once\n{self.oracle.told()}"
        self.counts["run again"] += 1

    def go_on(self, index: int, effects: int) -> None:
        """Let a stopped worker go on, for some effects or to its end (0)."""
        if not self.stopped:
            return
        worker = self.stopped.pop(index % len(self.stopped))
        self.trace.append(("go on", effects))
        self.counts["resumed"] += 1
        self.world.let(worker, effects)
        self._ended(worker)

    def end_stopped(self, kill: int) -> None:
        """Let all stopped workers end, or die where they are."""
        while self.stopped:
            worker = self.stopped.pop()
            if kill % 2:
                self._bury(worker)
            else:
                self.world.let(worker)
                self._ended(worker)

    def check_at_rest(self) -> None:
        """Settle, then hold every invariant; what was refused is healed, then again."""
        self.end_stopped(self.tokens)
        self._land()
        self.oracle.check_at_rest()
        if self.oracle.poisoned:
            self.heal()
            self.oracle.check_at_rest()

    def check_always(self) -> None:
        self.oracle.check_always()

    def _worker(self, faults: list[Fault]) -> Worker:
        holder = self.world.holder
        worker = self.world.wait_for_lease()
        worker.at_effect = self._striking(worker, faults)
        self._watch(worker)
        self.counts["cycles"] += 1
        if holder is not None and holder.fate in {"", "crashed"}:
            self.counts["take-overs"] += 1
            self.oracle.note_unanswered(holder.written)
        return worker

    def _watch(self, worker: Worker) -> None:
        worker.may_stop = lambda name: not self._is_gap(worker, name)

    def _striking(self, worker: Worker, faults: list[Fault]) -> AtEffect | None:
        waiting = [f for f in faults if f.kind not in {"pages", "slice"}]
        if not waiting:
            return None

        def at_effect(number: int, name: str) -> None:
            for fault in tuple(waiting):
                if number < fault.at or not fault.fits(name):
                    continue
                if not fault.is_for_gap or self._is_gap(worker, name):
                    waiting.remove(fault)
                    self._strike(worker, fault, name)

        return at_effect

    def _ended(self, worker: Worker) -> CycleReport | None:
        """Note how a worker's turn ended."""
        if worker.is_stopped:
            self.stopped.append(worker)
            self.counts["stopped"] += 1
            self.trace.append(("stopped at", worker.last))
            if len(self.stopped) > MOST_STOPPED:
                self._bury(self.stopped.pop(0))
            return None
        if worker.fate != "ended":
            self.oracle.note_unanswered(worker.written)
            self.counts["crashed" if worker.fate == "crashed" else "leases lost"] += 1
            self.trace.append((worker.fate,))
        elif worker.report is not None and worker.report.state in _WHOLE:
            self.oracle.note_whole_cycle()
        return worker.report

    def _bury(self, worker: Worker) -> None:
        self.world.kill(worker)
        self._ended(worker)

    # ------------------------------------------------------------ what goes wrong

    def _strike(self, worker: Worker, fault: Fault, name: str) -> None:
        kind = fault.kind
        if kind == "crash":
            self.oracle.note_unanswered(worker.written)
            raise Crash
        if kind in {"edit", "act", "stop", "rival"} and self._is_gap(worker, name):
            # Who takes over there is seen by the proof before the delete.
            if kind == "rival" and name != "before google.delete":
                self._rival_in_gap(worker, fault)
            return
        if kind == "late":
            self.world.clock.advance(fault.b)
        elif kind == "expire":
            self.expire(fault.a)
            self.counts["expired within"] += 1
        elif kind == "edit":
            self.edit(fault.a, fault.b, fault.a + fault.b)
        elif kind == "act":
            self._act(worker, fault.a, fault.b)
        elif kind == "stop":
            worker.stop()
        elif kind == "rival":
            self._rival(worker, fault)
        else:
            self._fail(worker, kind, name)

    def _fail(self, worker: Worker, kind: str, name: str) -> None:
        if kind == "down":
            self.counts["down"] += 1
            raise ProviderDown("The provider is down.")
        if kind == "wire":
            self.counts["on the wire"] += 1
            self.world.clock.wake(ON_WIRE, self._land)
            raise NotYet
        self.oracle.note_unanswered(worker.written)
        happened = {"before": "did not happen", "within": "half", "after": "did"}
        self.counts["lost"] += 1
        self.counts[f"lost: {happened[name.partition(' ')[0]]}"] += 1
        raise OutcomeUnknown("No answer came.")

    def _is_gap(self, worker: Worker, name: str) -> bool:
        """Google has no condition on a delete: nobody can close this gap."""
        here = name in {"after google.fetch", "before google.delete"}
        if not here and (name, worker.last) != ("before renew", "after google.fetch"):
            return False
        return bool(self._doomed(worker, ItemState.SENT))

    def _doomed(self, worker: Worker, *states: ItemState) -> list[Row]:
        """Return the Google records that a worker is about to delete."""
        rows = self.world.google.rows
        return [
            rows[item.google_id]
            for item in worker.state.cycle_items()
            if item.state in states and item.steps.delete_google
        ]

    def _act(self, worker: Worker, a: int, b: int) -> None:
        """Let a person do something else than edit a field."""
        doomed = self._doomed(worker, ItemState.PLANNED, ItemState.SENT)
        alive = [row for row in doomed if not row.gone]
        if alive:
            self._scribble(SideName.GOOGLE, alive[b % len(alive)])
        self.counts["acts within"] += 1
        if a == 0:
            self.put(b + 2)
        elif a == 1:
            self.blank(b, b // 2, b)
        elif a == 2:
            self.remove(b, b // 2)
        elif a == 3:
            self.select(b, b // 2, b < 3)
        elif a == 4:
            self.scribble(b, b // 2)
        else:
            self._land()

    def _rival(self, worker: Worker, fault: Fault) -> None:
        """Let another worker try, or go on, in the middle of this one."""
        if worker is not self.world.worker:
            return
        if self.stopped and fault.a % 3 == 0:
            self.go_on(fault.b, fault.a + fault.b)
            return
        if fault.a % 3 == 1:
            self.world.clock.advance(LEASE)
        try:
            rival = self.world.start()
        except LeaseTaken:
            self.counts["refused"] += 1
            return
        self._take_over(worker, rival, (0, 3, 6, 9, 12, 0)[fault.b])

    def _rival_in_gap(self, worker: Worker, fault: Fault) -> None:
        """Let somebody edit what is about to be deleted, and another worker see it."""
        self.world.clock.advance(LEASE)
        try:
            rival = self.world.start()
        except LeaseTaken:
            return
        for row in self._doomed(worker, ItemState.SENT):
            if not row.gone:
                self._edit(SideName.GOOGLE, row, EDITED[fault.a % len(EDITED)])
        self._take_over(worker, rival, 0)

    def _take_over(self, worker: Worker, rival: Worker, effects: int) -> None:
        self.trace.append(("a rival takes over",))
        self.counts["take-overs"] += 1
        self.counts["cycles"] += 1
        self.oracle.note_unanswered(worker.written)
        self._watch(rival)
        self.world.let(rival, effects)
        self._ended(rival)
