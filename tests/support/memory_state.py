"""Our own state in memory: the same port as the database, for properties and speed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from crmsync.engine.guard import Allowance
from crmsync.engine.plan import Action, Item, ItemState
from crmsync.engine.report import Carried
from crmsync.errors import LeaseLost, LeaseTaken
from crmsync.ports import (
    ChoiceKind,
    DirectoryEntry,
    PersonsChoice,
    Postponed,
    Subject,
    Unit,
)
from crmsync.records.remote import Link, Remote
from crmsync.records.values import SideName

Place = tuple[SideName, str]
LEASE = 3.0
"""Seconds a lease lasts after each proof; short, so that time to wait is little."""
_LASTS = timedelta(seconds=LEASE)
_OPEN = frozenset(
    {ItemState.PLANNED, ItemState.SENT, ItemState.UNKNOWN, ItemState.HELD}
)


class VirtualClock:
    """A clock that stands still until it is moved; alarms ring on the way."""

    def __init__(self, start: datetime | None = None) -> None:
        self.time = start or datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
        self.alarms: list[tuple[datetime, Callable[[], None]]] = []

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        end = self.time + timedelta(seconds=seconds)
        while self.alarms and self.alarms[0][0] <= end:
            self.time, ring = self.alarms.pop(0)
            ring()
        self.time = end

    def wake(self, seconds: float, ring: Callable[[], None]) -> None:
        """Set an alarm; all of a world lie equally far ahead, so they are in order."""
        self.alarms.append((self.time + timedelta(seconds=seconds), ring))


class CountingIds:
    """Identifiers in ascending order."""

    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return f"{self.count:012d}"


@dataclass
class LeaseRow:
    """Who may run the pair, as `storage.leases` keeps it."""

    token: int = 0
    until: datetime | None = None


@dataclass
class Tables:
    links: dict[str, Link] = field(default_factory=dict)
    by_id: dict[SideName, dict[str, Link]] = field(
        default_factory=lambda: {SideName.CRM: {}, SideName.GOOGLE: {}}
    )
    staged: dict[Place, Remote] = field(default_factory=dict)
    seen: dict[SideName, set[str]] = field(
        default_factory=lambda: {SideName.CRM: set(), SideName.GOOGLE: set()}
    )
    directory: dict[str, DirectoryEntry] = field(default_factory=dict)
    cursors: dict[SideName, str | None] = field(default_factory=dict)
    memos: dict[SideName, Mapping[str, str]] = field(default_factory=dict)
    items: dict[str, tuple[str, Item]] = field(default_factory=dict)
    open_items: dict[str, None] = field(default_factory=dict)
    postponed: dict[Place, Postponed] = field(default_factory=dict)
    choices: dict[Place, PersonsChoice] = field(default_factory=dict)
    lease: LeaseRow = field(default_factory=LeaseRow)
    carried: tuple[str, Carried, Allowance | None] | None = None
    cycles: int = 0

    def put_item(self, cycle: str, item: Item) -> None:
        """Store an item; those with something left to happen are listed."""
        self.items[item.item_id] = (cycle, item)
        if item.state in _OPEN:
            self.open_items[item.item_id] = None
        else:
            self.open_items.pop(item.item_id, None)

    def open_of(self, *states: ItemState) -> list[tuple[str, Item]]:
        """Return open items in some states, with their cycles."""
        if not self.open_items:
            return []
        items = self.items
        return [items[i] for i in self.open_items if items[i][1].state in states]


class MemoryState:
    """One pair's state under one lease; the tables are shared by all its workers."""

    def __init__(self, clock: VirtualClock, tables: Tables | None = None) -> None:
        self.clock = clock
        self.tables = tables or Tables()
        self.token = self.tables.lease.token
        self.cycle = ""
        self.allowed: Allowance | None = None
        self.effect: Callable[[str], None] = lambda name: None
        self.after_commit: Callable[[], None] = lambda: None

    def scratch(self) -> MemoryState:
        """Return a copy for a dry run."""
        return MemoryState(self.clock, copy.deepcopy(self.tables))

    # ------------------------------------------------------------ the lease

    def acquire(self) -> MemoryState:
        """Take the pair over and return its state for the new holder.

        Raises:
            LeaseTaken: if somebody else holds it.
        """
        lease, now = self.tables.lease, self.clock.now()
        if lease.until is not None and lease.until > now:
            raise LeaseTaken("A cycle of this kind is running for this user already.")
        lease.token += 1
        lease.until = now + _LASTS
        return MemoryState(self.clock, self.tables)

    def prove(self) -> None:
        """Prove and prolong the lease.

        Raises:
            LeaseLost: if another worker has taken it over.
        """
        lease = self.tables.lease
        if lease.token != self.token:
            raise LeaseLost("Another worker has taken over this synchronisation.")
        lease.until = self.clock.time + _LASTS

    def release(self) -> None:
        """Give the lease back; one that was taken over is left alone."""
        self.effect("before release")
        if self.tables.lease.token == self.token:
            self.tables.lease.until = None

    def begin(self, allowed: Allowance | None = None) -> str:
        """Open a cycle and put away what a dead one left."""
        self.effect("before commit")
        self.prove()
        tables = self.tables
        tables.cycles += 1
        tables.carried = None
        self.cycle = f"cycle{tables.cycles:06d}"
        self.allowed = allowed
        for cycle, item in tables.open_of(ItemState.PLANNED, ItemState.SENT):
            if item.state is ItemState.PLANNED and not item.sent_at:
                del tables.items[item.item_id]
                del tables.open_items[item.item_id]
            else:
                tables.put_item(cycle, replace(item, state=ItemState.UNKNOWN))
        self.after_commit()
        return self.cycle

    def take_up(self) -> Carried | None:
        """Begin the next slice of a cycle that waits for it, if there is one."""
        if self.tables.carried is None:
            return None
        self.effect("before commit")
        self.prove()
        self.cycle, carried, self.allowed = self.tables.carried
        self.tables.carried = None
        self.after_commit()
        return carried

    def put_down(self, carried: Carried) -> None:
        """End a slice."""
        self.effect("before commit")
        self.prove()
        self.tables.carried = (self.cycle, carried, self.allowed)
        self.after_commit()

    def all_items(self) -> list[Item]:
        return [item for _, item in self.tables.items.values()]

    def cycle_items(self, cycle: str | None = None) -> list[Item]:
        wanted = cycle or self.cycle
        return [item for owner, item in self.tables.items.values() if owner == wanted]

    # ------------------------------------------------------------ the port

    def renew(self) -> None:
        self.effect("before renew")
        self.prove()

    def commit(self, unit: Unit) -> None:
        self.effect("before commit")
        self.prove()
        tables = self.tables
        if unit.links or unit.unlink:
            self._commit_links(unit)
        for place in unit.unstage:  # before what is staged anew
            tables.staged.pop(place, None)
            tables.postponed.pop(place, None)
        for remote in unit.stage:
            place = (remote.side, remote.remote_id)
            tables.staged[place] = remote
            tables.postponed.pop(place, None)
        for side, remote_id in unit.seen:
            tables.seen[side].add(remote_id)
        for entry in unit.directory:
            tables.directory[entry.remote_id] = entry
        for remote_id in unit.forget:
            tables.directory.pop(remote_id, None)
        if unit.cursors:
            tables.cursors.update(unit.cursors)
        if unit.memos:
            tables.memos.update(unit.memos)
        self._commit_items(unit)
        self.after_commit()

    def _commit_links(self, unit: Unit) -> None:
        links = self.tables.links
        for link_id in unit.unlink:
            links.pop(link_id, None)
        for link in unit.links:
            links[link.link_id] = link
        by_id = {
            SideName.CRM: {link.crm_id: link for link in links.values()},
            SideName.GOOGLE: {link.google_id: link for link in links.values()},
        }
        self.tables.by_id = by_id
        for side, known in by_id.items():
            assert len(known) == len(links), f"two links of one {side} record"

    def _commit_items(self, unit: Unit) -> None:
        tables = self.tables
        if unit.resolved:
            for cycle, item in tables.open_of(ItemState.HELD):
                if any(item.remote_id(s) == i for s, i in unit.resolved):
                    done = replace(item, state=ItemState.SKIPPED, reason="superseded")
                    tables.put_item(cycle, done)
        for item in unit.items:
            tables.put_item(self._cycle_of(item), item)
        for item_id in unit.drop_items:
            tables.items.pop(item_id, None)
            tables.open_items.pop(item_id, None)
        for postponed in unit.postponed:
            place = (postponed.side, postponed.remote_id)
            if place in tables.staged:
                tables.postponed[place] = postponed
        for place in unit.choices_done:
            tables.choices.pop(place, None)
        for choice in unit.choices:
            tables.choices[choice.side, choice.remote_id] = choice

    def _cycle_of(self, item: Item) -> str:
        """Return where an item belongs: its first cycle, unless planned again."""
        known = self.tables.items.get(item.item_id)
        if known is None or item.state is ItemState.PLANNED:
            return self.cycle
        return known[0]

    def cursor(self, side: SideName) -> str | None:
        return self.tables.cursors.get(side)

    def memo(self, side: SideName) -> Mapping[str, str]:
        return self.tables.memos.get(side, {})

    def start_full_read(self, side: SideName) -> None:
        self.effect("before commit")
        self.prove()
        self.tables.seen[side] = set()
        self.after_commit()

    def absent(self, side: SideName, after: str, limit: int) -> Sequence[str]:
        tables = self.tables
        known = set(tables.by_id[side])
        known |= {i for s, i in tables.staged if s is side}
        if side is SideName.GOOGLE:
            known |= set(tables.directory)
        missing = sorted(i for i in known - tables.seen[side] if i > after)
        return missing[:limit]

    def link_count(self) -> int:
        return len(self.tables.links)

    def links_by(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Link]:
        known = self.tables.by_id[side]
        return {i: known[i] for i in ids if i in known}

    def links(self, after: str, limit: int) -> Sequence[Link]:
        ids = sorted(i for i in self.tables.links if i > after)[:limit]
        return [self.tables.links[i] for i in ids]

    def _due(self, place: Place) -> Remote | None:
        remote = self.tables.staged.get(place)
        postponed = self.tables.postponed.get(place)
        if remote is None or (postponed and postponed.not_before > self.clock.now()):
            return None
        return remote

    def subjects(self, after: str, limit: int) -> Sequence[Subject]:
        tables, now = self.tables, self.clock.now()
        found: list[Subject] = []
        for link_id in sorted(i for i in tables.links if i > after):
            link = tables.links[link_id]
            places = ((SideName.CRM, link.crm_id), (SideName.GOOGLE, link.google_id))
            staged = [tables.staged.get(place) for place in places]
            if not link.sends and staged == [None, None]:
                continue
            late = [
                place in tables.postponed and tables.postponed[place].not_before > now
                for place in places
            ]
            due = any(
                r is not None and not off for r, off in zip(staged, late, strict=True)
            )
            if due or (link.sends and not any(late)):
                found.append(Subject(link, *staged))
            if len(found) == limit:
                break
        return found

    def unlinked(self, side: SideName, after: str, limit: int) -> Sequence[Remote]:
        linked = self.tables.by_id[side]
        places = sorted(p for p in self.tables.staged if p[0] is side and p[1] > after)
        found = [
            remote
            for place in places
            if place[1] not in linked
            and (remote := self._due(place)) is not None
            and remote.is_selected
            and not remote.is_gone
        ]
        return found[:limit]

    def staged(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Remote]:
        staged = self.tables.staged
        return {i: staged[side, i] for i in ids if (side, i) in staged}

    def tries(self, side: SideName, ids: Sequence[str]) -> Mapping[str, int]:
        postponed = self.tables.postponed
        return {i: postponed[side, i].tries for i in ids if (side, i) in postponed}

    def directory_find(self, match_keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        linked = self.tables.by_id[SideName.GOOGLE]
        found: dict[str, list[str]] = {}
        wanted = set(match_keys)
        for entry in self.tables.directory.values():
            if entry.remote_id not in linked:
                for key in wanted.intersection(entry.match_keys):
                    found.setdefault(key, []).append(entry.remote_id)
        return found

    def directory_keys(self, keys: Sequence[str]) -> Mapping[str, str]:
        wanted = set(keys)
        return {
            entry.key: entry.remote_id
            for entry in self.tables.directory.values()
            if entry.key in wanted
        }

    def directory(self, ids: Sequence[str]) -> Mapping[str, DirectoryEntry]:
        directory = self.tables.directory
        return {i: directory[i] for i in ids if i in directory}

    def items(
        self,
        states: Sequence[ItemState],
        actions: Sequence[Action],
        after: str,
        limit: int,
    ) -> Sequence[Item]:
        found = [
            item
            for cycle, item in self.tables.open_of(*states)
            if cycle == self.cycle and item.action in actions and item.item_id > after
        ]
        return sorted(found, key=lambda item: item.item_id)[:limit] if found else found

    def planned(self, side: SideName, ids: Sequence[str]) -> frozenset[str]:
        wanted = set(ids)
        return frozenset(
            item.remote_id(side)
            for cycle, item in self.tables.open_of(ItemState.PLANNED)
            if cycle == self.cycle and item.remote_id(side) in wanted
        )

    def unsettled(self) -> Sequence[Item]:
        return [item for _, item in self.tables.open_of(ItemState.UNKNOWN)]

    def held(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Item]:
        wanted = set(ids)
        return {
            item.remote_id(side): item
            for _, item in self.tables.open_of(ItemState.HELD)
            if item.remote_id(side) in wanted
        }

    def shared(self, google_ids: Sequence[str]) -> frozenset[str]:
        return frozenset()

    def children(self, crm_ids: Sequence[str]) -> Sequence[Link]:
        wanted = set(crm_ids)
        return [link for link in self.tables.links.values() if link.parent in wanted]

    def turned(self, after: str, limit: int) -> Sequence[Link]:
        found = [
            link
            for key, link in sorted(self.tables.links.items())
            if key > after and self._is_over(link.google_id)
        ]
        return found[:limit]

    def _is_over(self, google_id: str) -> bool:
        choice = self.tables.choices.get((SideName.GOOGLE, google_id))
        return choice is not None and choice.kind is ChoiceKind.OVER

    def elsewhere(self, crm_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
        return {}

    def choices(
        self, side: SideName, ids: Sequence[str]
    ) -> Mapping[str, PersonsChoice]:
        choices = self.tables.choices
        return {i: choices[side, i] for i in ids if (side, i) in choices}

    def allowance(self) -> Allowance | None:
        return self.allowed
