"""Pairing activities and to-dos without a link: link, create, wait (CAL-2, TSK-1).

A record is known by our key, else by a colleague's marker (CAL-26), else by being equal
in what people would recognise it by. An occurrence is known by its series and slot and
waits until its series is linked. Nothing here asks a person: what is not equal is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from crmsync.cycle.candidates import Candidates, Parents, look_up, parents_of
from crmsync.cycle.notifying import guests_of
from crmsync.cycle.pairing import key_for
from crmsync.cycle.planning import Plan
from crmsync.cycle.run import Progress, Run, pages
from crmsync.engine.activities import match_key, task_match_key
from crmsync.engine.plan import Action, Item, ItemDirection, ItemState
from crmsync.engine.policy import Conflict
from crmsync.engine.reconcile import LinkRequest, plan_create, plan_linking
from crmsync.engine.roles import creating, narrowed
from crmsync.ports import ChoiceKind, PersonsChoice, Unit
from crmsync.records.activities import (
    DECLINED,
    Role,
    end_of,
    is_imported,
    note_of,
    role_by,
    series_of,
)
from crmsync.records.remote import Link, Remote
from crmsync.records.values import FieldTable, SideName, Values


def activity_keys(run: Run, remote: Remote) -> tuple[str, ...]:
    """Return by what the directory finds an event: equality, slot, marker."""
    values = run.values(remote)
    slot, marker = values.get("slot", ""), str(note_of(remote, "marker"))
    if slot:
        return (_slot_key(series_of(remote), slot),)
    key = match_key(values, run.table)
    found = (f"a:{key}" if key else "", f"m:{marker}" if marker else "")
    return tuple(item for item in found if item)


def task_keys(run: Run, remote: Remote) -> tuple[str, ...]:
    """Return by what the directory finds a task."""
    key = task_match_key(run.values(remote), run.table)
    return (f"t:{key}",) if key else ()


def _slot_key(series: str, slot: str) -> str:
    return f"s:{series}|{slot}"


def pair_activities(run: Run, side: SideName, progress: Progress, plan: Plan) -> None:
    """Plan all unlinked activities of one side."""
    for page in _pages(run, side):
        _Activities(run, side, page, progress, plan).plan_page()


def pair_tasks(run: Run, side: SideName, progress: Progress, plan: Plan) -> None:
    """Plan all unlinked to-dos of one side."""
    for page in _pages(run, side):
        _Page(run, side, page, progress, plan).plan_page()


def _pages(run: Run, side: SideName) -> Sequence[Sequence[Remote]]:
    may = run.policy.writes_google if side is SideName.CRM else run.policy.writes_crm
    if not may:
        return ()

    def load(after: str, limit: int) -> Sequence[Remote]:
        return run.state.unlinked(side, after, limit)

    return pages(load, lambda remote: remote.remote_id)  # type: ignore[return-value]  # read once, in order


class Later(Exception):
    """The record has to wait; it stays staged."""


class Never(Exception):
    """The record is not synchronised; it is looked at again when it changes."""


@dataclass(slots=True)
class _Page:
    """One page of unlinked to-dos, and what becomes of them."""

    run: Run
    side: SideName
    page: Sequence[Remote]
    progress: Progress
    plan: Plan
    choices: Mapping[str, PersonsChoice] = field(default_factory=dict)
    others: Candidates = field(default_factory=Candidates)

    def plan_page(self) -> None:
        """Decide about each record, then store the items at once."""
        run, side = self.run, self.side
        ids = [remote.remote_id for remote in self.page]
        planned = run.state.planned(side, ids)
        self.choices = run.state.choices(side, ids)
        self.prepare(ids)
        self.others = look_up(run, side.other, *self.wanted())
        items: list[Item] = []
        never: list[tuple[SideName, str]] = []
        for remote in self.page:
            place = (side, remote.remote_id)
            if remote.remote_id in planned or place in self.progress.waiting:
                continue
            try:
                item = self.decided(remote, run.values(remote))
            except Never:
                never.append(place)
                continue
            except Later:
                continue
            items.append(item)
            if item.state is ItemState.SKIPPED:
                never.append(place)
            self.plan.add(item)
        run.state.commit(Unit(items=tuple(items), unstage=tuple(never)))

    def prepare(self, ids: Sequence[str]) -> None:
        """Look up what all records of the page need."""

    def wanted(self) -> tuple[set[str], set[str]]:
        """Return by which ids and keys of the directory candidates are looked up."""
        ids = {self.run.origin_of(remote.key) for remote in self.page} - {""}
        if self.side is SideName.GOOGLE:
            return ids, set()
        keys = {key for remote in self.page for key in self.keys(remote)}
        return ids, keys

    def keys(self, remote: Remote) -> tuple[str, ...]:
        """Return under what the directory may have the twin of a CRM record."""
        return (f"o:{remote.remote_id}", *self.run.kind.keys(self.run, remote))

    # ------------------------------------------------------------ deciding

    def decided(self, remote: Remote, values: Values) -> Item:
        """Return the item of one record.

        Raises:
            Later, Never: see there.
        """
        self.check(remote, values)
        other = self.by_key(remote) or self.twin(remote)
        if other is not None:
            return self.linked(remote, *other)
        return self.created(remote, values)

    def check(self, remote: Remote, values: Values) -> None:
        """Leave out what is not synchronised."""
        chosen = self.choices.get(remote.remote_id)
        if chosen is not None and chosen.kind is ChoiceKind.IGNORE:
            raise Never

    def by_key(self, remote: Remote) -> tuple[Remote, str] | None:
        """Return the record that our key in this one names, if it is free."""
        origin = self.run.origin_of(remote.key)
        found = self.others.free(origin)
        if found is None or self.others.is_ignored(origin):
            return None
        return found, "key"

    def twin(self, remote: Remote) -> tuple[Remote, str] | None:
        """Return an equal record of Google's; the CRM's records look first."""
        if self.side is SideName.GOOGLE:
            return None
        own, *equal = self.keys(remote)
        for key in (own, *equal):
            twin = self.equal(key)
            if twin is not None:
                return twin, "key" if key == own else "twin"
        return None

    def equal(self, key: str) -> Remote | None:
        """Return the first free Google record under a key that may be linked."""
        for google_id in self.others.found(key):
            if self.others.is_ignored(google_id) or self.others.is_new(google_id):
                continue
            found = self.others.free(google_id)
            if found is not None and not is_imported(found):
                return found
        return None

    # ------------------------------------------------------------ items

    def role(self, crm: Remote | None, google: Remote | None) -> str:
        """Return the role of a new link; to-dos have none."""
        return ""

    def fields(self, role: str) -> FieldTable:
        """Return the fields of a link in this role."""
        return self.run.table

    def new_fields(self, role: str) -> FieldTable:
        """Return the fields that a new counterpart gets."""
        return self.run.table

    def linked(self, remote: Remote, other: Remote, reason: str) -> Item:
        """Plan a link of two records that are there."""
        run = self.run
        self.others.taken.add(other.remote_id)
        is_crm = self.side is SideName.CRM
        crm, google = (remote, other) if is_crm else (other, remote)
        crm_values, google_values = run.values(crm), run.values(google)
        alive = _alive(crm_values, google_values)
        role = self.role(crm, google)
        request = LinkRequest(
            run.ids.new(),
            run.ids.new(),
            reason,
            crm,
            google,
            {} if alive is SideName.GOOGLE else crm_values,
            {} if alive is SideName.CRM else google_values,
            run.kind.display_name(crm_values),
        )
        policy, key = run.policy, key_for(run, crm, google)
        if role == Role.IMPORTED:
            policy, key = replace(policy, conflict=Conflict.GOOGLE), ""
        item, _ = plan_linking(request, self.fields(role), policy)
        item = replace(item, key=key, role=role)
        if alive is SideName.CRM:
            back = {**item.google, "cancelled": ""}
            return replace(item, google=back, google_seen=google_values)
        if alive is SideName.GOOGLE:
            back = {**item.crm, "cancelled": ""}
            return replace(item, crm=back, crm_seen=crm_values)
        return item

    def created(
        self,
        remote: Remote,
        values: Values,
        *,
        role: str = "",
        parent: Link | None = None,
    ) -> Item:
        """Plan a create, or plan an earlier one again, word for word."""
        run = self.run
        earlier = self.progress.resend.get((self.side, remote.remote_id))
        if earlier is not None:
            return replace(earlier, state=ItemState.PLANNED, reason="no_counterpart")
        item = plan_create(
            run.ids.new(),
            remote,
            values,
            self.new_fields(role),
            run.new_key(remote.remote_id),
            name=self.name_of(values, parent),
        )
        if not item.crm and not item.google:
            return self.skipped(item, "nothing_mapped")
        series = parent.remote_id(self.side.other) if parent is not None else ""
        of = parent.crm_id if parent is not None else ""
        item = replace(item, role=role, parent=of, account=series)
        many = guests_of(run, item, role, is_backlog=remote.is_backlog)
        return replace(item, guests=many)

    def name_of(self, values: Values, parent: Link | None) -> str:
        """Return what people call a record; an occurrence is told by its day."""
        if parent is None or not values.get("slot"):
            return self.run.kind.display_name(values)
        subject = values.get("subject") or parent.base.crm.get("subject", "")
        return f"{subject}, {values['slot'][:10]}".lstrip(", ")

    def skipped(self, item: Item, reason: str) -> Item:
        """Tell of a record that is left out."""
        return replace(
            item,
            action=Action.SKIP,
            direction=ItemDirection.NONE,
            state=ItemState.SKIPPED,
            reason=reason,
        )


def _alive(crm: Values, google: Values) -> SideName | None:
    """Return the side that keeps an occurrence which the other one has cancelled."""
    if bool(crm.get("cancelled")) == bool(google.get("cancelled")):
        return None
    return SideName.GOOGLE if crm.get("cancelled") else SideName.CRM


_SHARED = frozenset({Role.OWN.value, Role.FORMER.value})
_COPIED = frozenset({Role.COPY.value})


@dataclass(slots=True)
class _Activities(_Page):
    """One page of unlinked activities: leaders, members, copies, occurrences."""

    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    parents: Parents = field(default_factory=Parents)

    def prepare(self, ids: Sequence[str]) -> None:
        held = list(ids) if self.side is SideName.CRM else sorted(self.wanted()[0])
        self.roles = self.run.state.elsewhere(held) if held else {}
        series = (series_of(remote) for remote in self.page)
        self.parents = parents_of(self.run, self.side, series)

    def wanted(self) -> tuple[set[str], set[str]]:
        ids, keys = _Page.wanted(self)
        if self.side is SideName.GOOGLE:
            ids |= {str(note_of(remote, "marker")) for remote in self.page} - {""}
        return ids, keys

    def keys(self, remote: Remote) -> tuple[str, ...]:
        slot = self.run.values(remote).get("slot", "")
        if slot:
            parent = self.parents.links.get(series_of(remote))
            return (_slot_key(parent.google_id, slot),) if parent is not None else ()
        return (*_Page.keys(self, remote), f"m:{remote.remote_id}")

    def check(self, remote: Remote, values: Values) -> None:
        _Page.check(self, remote, values)
        leads = bool(note_of(remote, "organizer"))
        if values.get("answer") == DECLINED and not leads:
            raise Never
        if self._is_over(values):
            raise Never

    def _is_over(self, values: Values) -> bool:
        if self.run.since is None or values.get("recurrence") or values.get("slot"):
            return False
        end = end_of(values)
        return end is not None and end < self.run.since

    def decided(self, remote: Remote, values: Values) -> Item:
        self.check(remote, values)
        odd = str(note_of(remote, "odd"))
        if odd:
            return self._odd(remote, values, odd)
        chosen = self.choices.get(remote.remote_id)
        if chosen is not None and chosen.kind is ChoiceKind.ALONE:
            return self.created(remote, values, role=Role.SOLO.value)
        if values.get("slot"):
            return self._occurrence(remote, values)
        if is_imported(remote):
            return self._import(remote, values)
        if chosen is not None and chosen.kind is ChoiceKind.NEW:
            return self.created(remote, values, role=self._new_role(remote))
        other = self._copy(remote) or self.by_key(remote) or self.twin(remote)
        if other is not None:
            return self.linked(remote, *other)
        return self.created(remote, values, role=self._new_role(remote))

    def _odd(self, remote: Remote, values: Values, why: str) -> Item:
        item = self.created(remote, values, role=Role.OWN.value)
        error = {
            "code": "odd",
            "message": why,
            "next_step": str(note_of(remote, "odd_step"))
            or "Change it there, and it is looked at again.",
        }
        reason = str(note_of(remote, "odd_reason")) or "odd"
        return replace(self.skipped(item, reason), error=error, crm={}, google={})

    def _import(self, remote: Remote, values: Values) -> Item:
        """Show in the CRM what Google only shows; what the CRM has is known by key."""
        if self.side is SideName.GOOGLE:
            return self.created(remote, values, role=Role.IMPORTED.value)
        known = self.by_key(remote)
        if known is None or not is_imported(known[0]):
            raise Never
        return self.linked(remote, *known)

    def _copy(self, remote: Remote) -> tuple[Remote, str] | None:
        """Return the other half of a colleague's activity (CAL-9, CAL-26)."""
        if self.side is SideName.GOOGLE:
            marker = str(note_of(remote, "marker"))
            if not marker:
                return None
            found = self.others.free(marker)
            if found is None:
                raise Never
            return found, "colleagues_copy"
        copy = self.equal(f"m:{remote.remote_id}")
        return (copy, "colleagues_copy") if copy is not None else None

    def _new_role(self, remote: Remote) -> str:
        """Return the role of a new counterpart (CAL-9, CAL-10, CAL-25)."""
        leads = bool(note_of(remote, "organizer"))
        if self.side is SideName.GOOGLE:
            return role_by(leads=True, organizes=leads).value
        roles = self.roles.get(remote.remote_id, frozenset())
        is_separate, is_shared = Role.SEPARATE.value in roles, bool(roles & _SHARED)
        if leads and is_shared and remote.key:
            raise Never  # made in Google: there its organiser stays (CAL-25)
        if leads:
            return Role.SEPARATE.value if is_separate else Role.OWN.value
        if is_shared or (note_of(remote, "leader_syncs") and not is_separate):
            raise Later  # the leader's event will bring a copy
        return Role.SEPARATE.value

    def created(
        self,
        remote: Remote,
        values: Values,
        *,
        role: str = "",
        parent: Link | None = None,
    ) -> Item:
        """Plan a create; guests who had an event of it before are not told (CAL-25)."""
        item = _Page.created(self, remote, values, role=role, parent=parent)
        known = self.roles.get(remote.remote_id, frozenset())
        return replace(item, guests=0) if known & (_SHARED | _COPIED) else item

    def _occurrence(self, remote: Remote, values: Values) -> Item:
        parent = self._parent(remote)
        role = Role(parent.role) if parent.role else Role.OWN
        if self.side is SideName.CRM:
            (key,) = self.keys(remote)
            for google_id in self.others.found(key):
                twin = self.others.free(google_id)
                if twin is not None:
                    item = self.linked(remote, twin, "same_occurrence")
                    return replace(item, parent=parent.crm_id, role=role.value)
        if role is Role.COPY:
            raise Later  # the leader's cycle makes the other half
        if note_of(remote, "plain") or (
            role is Role.IMPORTED and self.side is SideName.CRM
        ):
            raise Never
        is_anothers = role is (
            Role.INVITED if self.side is SideName.CRM else Role.SEPARATE
        )
        if is_anothers:
            # Who changes one occurrence of another's series gets it as their own.
            if values.get("cancelled") or note_of(remote, "done"):
                raise Never
            single = Role.SOLO if self.side is SideName.CRM else Role.OWN
            return self.created(remote, {**values, "slot": ""}, role=single.value)
        return self.created(remote, values, role=role.value, parent=parent)

    def _parent(self, remote: Remote) -> Link:
        """Return the link of an occurrence's series.

        Raises:
            Later: if the series is about to be linked.
            Never: if it is not synchronised.
        """
        series = series_of(remote)
        parent = self.parents.links.get(series)
        if parent is None and series in self.parents.waiting:
            self.progress.parked += 1
            raise Later
        if parent is None:
            raise Never
        if parent.link_id in self.parents.leaving:
            raise Later
        return parent

    def role(self, crm: Remote | None, google: Remote | None) -> str:
        if is_imported(google):
            return Role.IMPORTED.value
        leads = bool(note_of(crm, "organizer"))
        organizes = bool(note_of(google, "organizer"))
        role = role_by(leads=leads, organizes=organizes)
        if crm is None or not organizes:
            return role.value
        # Shared or separate is fixed by whoever was first (CAL-25).
        roles = self.roles.get(crm.remote_id, frozenset())
        if role is Role.OWN and Role.SEPARATE.value in roles:
            return Role.SEPARATE.value
        if role is Role.SEPARATE and Role.OWN.value in roles:
            return Role.FORMER.value
        return role.value

    def fields(self, role: str) -> FieldTable:
        return narrowed(self.run.table, Role(role))

    def new_fields(self, role: str) -> FieldTable:
        return creating(self.run.table, Role(role))
