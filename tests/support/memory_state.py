"""Our own state in memory: the same port as the database, for properties and speed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from crmsync.engine.guard import Allowance
from crmsync.engine.plan import Action, Item, ItemState
from crmsync.ports import (
    DirectoryEntry,
    PersonsChoice,
    Postponed,
    Subject,
    Unit,
)
from crmsync.records.remote import Link, Remote
from crmsync.records.values import SideName

Place = tuple[SideName, str]


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime | None = None) -> None:
        self.time = start or datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class CountingIds:
    """Identifiers in ascending order."""

    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return f"{self.count:012d}"


@dataclass
class Tables:
    links: dict[str, Link] = field(default_factory=dict)
    staged: dict[Place, Remote] = field(default_factory=dict)
    seen: dict[SideName, set[str]] = field(
        default_factory=lambda: {SideName.CRM: set(), SideName.GOOGLE: set()}
    )
    directory: dict[str, DirectoryEntry] = field(default_factory=dict)
    cursors: dict[SideName, str | None] = field(default_factory=dict)
    memos: dict[SideName, Mapping[str, str]] = field(default_factory=dict)
    items: dict[str, tuple[str, Item]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    postponed: dict[Place, Postponed] = field(default_factory=dict)
    choices: dict[Place, PersonsChoice] = field(default_factory=dict)


class MemoryState:
    """One pair's state; `begin` starts a cycle as the database's one does."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.tables = Tables()
        self.cycle = ""
        self.cycles = 0
        self.allowed: Allowance | None = None
        self.before_commit: Callable[[], None] = lambda: None
        self.after_commit: Callable[[], None] = lambda: None

    def scratch(self) -> MemoryState:
        """Return a copy for a dry run."""
        other = MemoryState(self.clock)
        other.tables = copy.deepcopy(self.tables)
        other.cycles = self.cycles
        return other

    def begin(self, allowed: Allowance | None = None) -> str:
        self.cycles += 1
        self.cycle = f"cycle{self.cycles:06d}"
        self.allowed = allowed
        tables = self.tables
        for item_id, (cycle, item) in list(tables.items.items()):
            if item.state is ItemState.PLANNED and not item.sent_at:
                del tables.items[item_id]
            elif item.state in {ItemState.PLANNED, ItemState.SENT}:
                tables.items[item_id] = (cycle, replace(item, state=ItemState.UNKNOWN))
        return self.cycle

    def all_items(self) -> list[Item]:
        return [item for _, item in self.tables.items.values()]

    def cycle_items(self, cycle: str | None = None) -> list[Item]:
        wanted = cycle or self.cycle
        return [item for owner, item in self.tables.items.values() if owner == wanted]

    # ------------------------------------------------------------ the port

    def renew(self) -> None:
        return None

    def commit(self, unit: Unit) -> None:
        self.before_commit()
        tables = self.tables
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
        tables.cursors.update(unit.cursors)
        tables.memos.update(unit.memos)
        self._commit_items(unit)
        self.after_commit()

    def _commit_links(self, unit: Unit) -> None:
        links = self.tables.links
        for link_id in unit.unlink:
            links.pop(link_id, None)
        for link in unit.links:
            links[link.link_id] = link
        for side in SideName:
            ids = [link.remote_id(side) for link in links.values()]
            assert len(ids) == len(set(ids)), f"two links of one {side} record"

    def _commit_items(self, unit: Unit) -> None:
        tables = self.tables
        for place in unit.resolved:
            for item_id, (cycle, item) in list(tables.items.items()):
                if (
                    item.state is ItemState.HELD
                    and item.remote_id(place[0]) == place[1]
                ):
                    done = replace(item, state=ItemState.SKIPPED, reason="superseded")
                    tables.items[item_id] = (cycle, done)
        for item in unit.items:
            tables.items[item.item_id] = (self.cycle, item)
        for item_id in unit.drop_items:
            tables.items.pop(item_id, None)
        for postponed in unit.postponed:
            tables.postponed[postponed.side, postponed.remote_id] = postponed
        for place in unit.choices_done:
            tables.choices.pop(place, None)

    def cursor(self, side: SideName) -> str | None:
        return self.tables.cursors.get(side)

    def memo(self, side: SideName) -> Mapping[str, str]:
        return self.tables.memos.get(side, {})

    def start_full_read(self, side: SideName) -> None:
        self.tables.seen[side] = set()

    def absent(self, side: SideName, after: str, limit: int) -> Sequence[str]:
        tables = self.tables
        known = {link.remote_id(side) for link in tables.links.values()}
        known |= {i for s, i in tables.staged if s is side}
        if side is SideName.GOOGLE:
            known |= set(tables.directory)
        missing = sorted(i for i in known - tables.seen[side] if i > after)
        return missing[:limit]

    def link_count(self) -> int:
        return len(self.tables.links)

    def links_by(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Link]:
        wanted = set(ids)
        return {
            link.remote_id(side): link
            for link in self.tables.links.values()
            if link.remote_id(side) in wanted
        }

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
        found: list[Subject] = []
        for link_id in sorted(i for i in self.tables.links if i > after):
            link = self.tables.links[link_id]
            crm = self._due((SideName.CRM, link.crm_id))
            google = self._due((SideName.GOOGLE, link.google_id))
            if crm is not None or google is not None or link.sends:
                found.append(Subject(link, crm, google))
            if len(found) == limit:
                break
        return found

    def unlinked(self, side: SideName, after: str, limit: int) -> Sequence[Remote]:
        linked = {link.remote_id(side) for link in self.tables.links.values()}
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
        linked = {link.google_id for link in self.tables.links.values()}
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
            for item in self.cycle_items()
            if item.state in states and item.action in actions and item.item_id > after
        ]
        return sorted(found, key=lambda item: item.item_id)[:limit]

    def planned(self, side: SideName, ids: Sequence[str]) -> frozenset[str]:
        wanted = set(ids)
        return frozenset(
            item.remote_id(side)
            for item in self.cycle_items()
            if item.state is ItemState.PLANNED and item.remote_id(side) in wanted
        )

    def unsettled(self) -> Sequence[Item]:
        return [
            item
            for _, item in self.tables.items.values()
            if item.state is ItemState.UNKNOWN
        ]

    def held(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Item]:
        wanted = set(ids)
        return {
            item.remote_id(side): item
            for cycle, item in self.tables.items.values()
            if item.state is ItemState.HELD and item.remote_id(side) in wanted
        }

    def shared(self, google_ids: Sequence[str]) -> frozenset[str]:
        return frozenset()

    def choices(
        self, side: SideName, ids: Sequence[str]
    ) -> Mapping[str, PersonsChoice]:
        choices = self.tables.choices
        return {i: choices[side, i] for i in ids if (side, i) in choices}

    def allowance(self) -> Allowance | None:
        return self.allowed
