"""Planning: from staged records to items, page by page (architecture, section 3).

Nothing is written on either side here. Whatever would unlink or delete is first
confirmed by reading the records themselves: a late listing is no absence (ENG-6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from crmsync.cycle.candidates import parents_of
from crmsync.cycle.labels import verify_label
from crmsync.cycle.notifying import guests_of
from crmsync.cycle.run import Progress, Run, pages, postpone
from crmsync.cycle.settling import close_pending
from crmsync.engine.guard import Totals, count
from crmsync.engine.merge import Note
from crmsync.engine.plan import Action, Item, ItemDirection, ItemState
from crmsync.engine.reconcile import NEVER, Facts, Reconciled
from crmsync.ports import Postponed, Query, Subject, Unit
from crmsync.records.activities import Role, series_of
from crmsync.records.contacts import addresses_of
from crmsync.records.remote import Link, Remote
from crmsync.records.values import SideName


@dataclass(slots=True)
class Plan:
    """What planning came to, in numbers.

    Attributes:
        totals: for the guards.
        size: planned items, held and skipped ones not counted.
        out: linked records that left, per side.
        poisoned: records that our own code could not digest.
        survivors: records that took over a link in this plan (CON-21).
    """

    totals: Totals = field(default_factory=Totals)
    size: int = 0
    poisoned: int = 0
    survivors: set[tuple[SideName, str]] = field(default_factory=set)
    out: dict[SideName, int] = field(
        default_factory=lambda: {SideName.CRM: 0, SideName.GOOGLE: 0}
    )

    def add(self, item: Item) -> None:
        """Count an item."""
        if item.state is ItemState.PLANNED:
            self.totals += count(item)
            self.size += 1


def plan_links(run: Run, progress: Progress, plan: Plan) -> None:
    """Plan all links with something new."""
    again: list[str] = []
    moved = _plan_all(run, progress, plan, again)
    if moved:
        # A survivor of a merge has news of its own for the link it took over.
        _plan_all(run, progress, plan, again)
    close_pending(run, progress, again)


def _plan_all(run: Run, progress: Progress, plan: Plan, again: list[str]) -> int:
    moved = 0
    for page in pages(run.state.subjects, lambda s: s.link.link_id):
        draft = _plan_page(run, page, progress, plan)
        run.state.commit(draft.unit())
        moved += draft.moved
        again += [i.link_id for i in draft.items if i.state is ItemState.PLANNED]
    return moved


@dataclass(slots=True)
class _Draft:
    """What becomes of one page of links."""

    links: list[Link] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    stage: list[Remote] = field(default_factory=list)
    unstage: list[tuple[SideName, str]] = field(default_factory=list)
    postponed: list[Postponed] = field(default_factory=list)
    moved: int = 0

    def unit(self) -> Unit:
        return Unit(
            links=tuple(self.links),
            items=tuple(self.items),
            stage=tuple(self.stage),
            unstage=tuple(self.unstage),
            postponed=tuple(self.postponed),
        )


def _plan_page(
    run: Run, page: Sequence[Subject], progress: Progress, plan: Plan
) -> _Draft:
    draft = _Draft()
    planned = run.state.planned(SideName.CRM, [s.link.crm_id for s in page])
    page = [s for s in page if s.link.crm_id not in planned]
    if run.kind.has_label and any(_is_out(subject.google) for subject in page):
        verify_label(run, progress)
    shared = _shared(run, [s.link for s in page if _is_out(s.crm)])
    parents = parents_of(run, SideName.CRM, (s.link.parent for s in page))
    for was, subject in zip(page, _confirm(run, page, progress), strict=True):
        facts = facts_of(run, subject)
        if subject.link.link_id in shared:
            facts = replace(facts, is_shared=True)
        if subject.link.parent:
            facts = replace(facts, is_orphan=parents.has_lost(subject.link.parent))
        elif subject.link.base.crm.get("recurrence"):
            facts = replace(facts, is_edited_within=_is_edited_within(run, facts))
        for side in SideName:
            plan.out[side] += int(facts.is_out(side))
        moved = _merged_elsewhere(run, facts, plan)
        if moved is not None:
            draft.links.append(moved)
            draft.unstage += _staged_of(subject)
            draft.moved += 1
            continue
        result = _told(run, was, _reconciled(run, facts, draft.items))
        if result is None:
            draft.postponed += postpone(run, _staged_of(subject))
            plan.poisoned += 1
            continue
        _take(draft, was, subject, result)
        if result.item is not None:
            plan.add(result.item)
    return draft


def _shared(run: Run, links: Sequence[Link]) -> frozenset[str]:
    """Return those links whose Google record is not the user's alone."""
    if not links:
        return frozenset()
    if run.kind.has_label:
        found = run.state.shared([link.google_id for link in links])
        return frozenset(link.link_id for link in links if link.google_id in found)
    roles = run.state.elsewhere([link.crm_id for link in links])
    copied = {crm_id for crm_id, known in roles.items() if Role.COPY.value in known}
    return frozenset(link.link_id for link in links if link.crm_id in copied)


def _take(draft: _Draft, was: Subject, subject: Subject, result: Reconciled) -> None:
    if result.link != was.link:
        draft.links.append(result.link)
    if result.item is not None:
        draft.items.append(result.item)
        told = company_told(result.item)
        draft.items += [told] if told is not None else []
    if result.item is None or result.item.state is not ItemState.PLANNED:
        draft.unstage += _staged_of(subject)
        return
    # What was read just now outlives a plan that is not carried out.
    for old, new in ((was.crm, subject.crm), (was.google, subject.google)):
        if new is not None and new is not old:
            draft.stage.append(new)


def company_told(item: Item) -> Item | None:
    """Return what tells of a company edited in Google beside other edits (CON-18)."""
    edits = tuple(c for c in item.changes if c.note is Note.COMPANY_EDITED)
    if item.state is not ItemState.PLANNED or not edits:
        return None
    return replace(
        item,
        item_id=f"{item.item_id}c",
        action=Action.SKIP,
        direction=ItemDirection.NONE,
        state=ItemState.SKIPPED,
        reason="company_edited",
        crm={},
        google={},
        changes=edits,
    )


def _told(run: Run, was: Subject, result: Reconciled | None) -> Reconciled | None:
    """Note on an item how many guests Google may tell of it (CAL-20)."""
    if result is None or result.item is None:
        return result
    is_backlog = any(r is not None and r.is_backlog for r in (was.crm, was.google))
    role = result.link.role
    many = guests_of(run, result.item, role, is_backlog=is_backlog)
    return replace(result, item=replace(result.item, guests=many)) if many else result


def _is_edited_within(run: Run, facts: Facts) -> bool:
    """Whether occurrences have news on the side that still has their series."""
    left = [side for side in SideName if facts.is_out(side)]
    if len(left) != 1:
        return False
    side = left[0].other
    link = facts.link
    children = run.state.children([link.crm_id])
    news = run.state.staged(side, [child.remote_id(side) for child in children])
    if any(not _is_out(remote) for remote in news.values()):
        return True
    series = link.remote_id(side)

    def load(after: str, limit: int) -> Sequence[Remote]:
        return run.state.unlinked(side, after, limit)

    waiting = pages(load, lambda remote: remote.remote_id)
    return any(series_of(remote) == series for page in waiting for remote in page)


def _reconciled(run: Run, facts: Facts, items: list[Item]) -> Reconciled | None:
    """Decide about one link; a record that breaks us is set aside (ENG-8)."""
    try:
        return run.kind.reconcile(facts, run.table, run.policy, run.ids.new())
    except Exception as error:  # noqa: BLE001  the one place that isolates poison
        items.append(poisoned(run, facts.link, error))
        return None


def poisoned(run: Run, link: Link, error: Exception) -> Item:
    """Return the failed item of a record that our own code cannot digest."""
    return Item(
        item_id=run.ids.new(),
        action=Action.SKIP,
        direction=ItemDirection.NONE,
        state=ItemState.FAILED,
        link_id=link.link_id,
        crm_id=link.crm_id,
        google_id=link.google_id,
        error={
            "code": "internal",
            "message": f"This record could not be processed ({type(error).__name__}).",
            "next_step": "Report this to the maintainers; the other records go on.",
        },
    )


def _staged_of(subject: Subject) -> list[tuple[SideName, str]]:
    return [
        (remote.side, remote.remote_id)
        for remote in (subject.crm, subject.google)
        if remote is not None
    ]


def _confirm(
    run: Run, page: Sequence[Subject], progress: Progress
) -> Sequence[Subject]:
    """Read the records themselves where a listing is not enough.

    That is: Google records that seem to have left, both sides of links with unsettled
    sends, both sides of a link whose CRM record left (CON-12 looks at what else the
    Google record holds), and the side that says whether the user may edit it (CAL-8).
    """
    google: list[str] = []
    crm: list[str] = []
    for subject in page:
        if _is_out(subject.crm):
            crm.append(subject.link.crm_id)
        unsure = _is_unsure(subject.link)
        looked = run.kind.looked_at(subject.link, run.policy)
        if unsure or _is_out(subject.crm) or _is_out(subject.google):
            google.append(subject.link.google_id)
        if looked is SideName.GOOGLE and subject.google is None:
            google.append(subject.link.google_id)
        is_asked = looked is SideName.CRM and subject.crm is None
        if (unsure or is_asked) and not _is_out(subject.crm):
            crm.append(subject.link.crm_id)
    crm_now = run.crm.fetch(crm) if crm else {}
    google_now = run.google.fetch(list(dict.fromkeys(google))) if google else {}
    return [
        Subject(
            subject.link,
            crm_now.get(subject.link.crm_id, subject.crm),
            _labelled(google_now.get(subject.link.google_id, subject.google), progress),
        )
        for subject in page
    ]


def _is_unsure(link: Link) -> bool:
    """Whether the base alone does not say what the sides hold."""
    base = link.base
    return (
        bool(link.sends) or NEVER in base.crm.values() or NEVER in base.google.values()
    )


def _is_out(remote: Remote | None) -> bool:
    return remote is not None and (remote.is_gone or not remote.is_selected)


def _labelled(remote: Remote | None, progress: Progress) -> Remote | None:
    """A label that was made again unselects nobody (CON-3)."""
    if remote is None or remote.is_gone or not progress.was_restored:
        return remote
    return replace(remote, is_selected=True)


def facts_of(run: Run, subject: Subject) -> Facts:
    """Return a link with what both sides show, read with its base."""
    link = subject.link
    crm, google = (_on_our_clock(run, r) for r in (subject.crm, subject.google))
    if link.dormant is SideName.GOOGLE and google is None:
        google = Remote(SideName.GOOGLE, link.google_id, is_gone=True)
    if link.dormant is SideName.CRM and crm is None:
        crm = Remote(SideName.CRM, link.crm_id, is_gone=True)
    if link.dormant is not None:
        link = replace(link, dormant=None)
    crm_values, google_values = link.base.crm, link.base.google
    if crm is not None and not crm.is_gone:
        crm_values = run.values(crm, link.base.crm)
    if google is not None and not google.is_gone:
        google_values = run.values(google, link.base.google)
    return Facts(
        link,
        crm,
        google,
        crm_values,
        google_values,
        pristine=run.kind.has_label and _is_pristine(run, subject),
        name=run.kind.display_name(crm_values or google_values),
        oldest_send=run.clock.now().timestamp() - 2 * run.settle_seconds,
    )


def _on_our_clock(run: Run, remote: Remote | None) -> Remote | None:
    """Correct a provider's time, for `conflict = newest` compares two of them."""
    if remote is None or remote.modified_at is None:
        return remote
    skew = run.side(remote.side).skew
    if not skew:
        return remote
    return replace(remote, modified_at=remote.modified_at - skew)


def _is_pristine(run: Run, subject: Subject) -> bool:
    """Whether the Google record holds nothing but what we wrote (CON-12)."""
    link, google = subject.link, subject.google
    if google is None or google.is_gone or google.extras or link.is_google_edited:
        return False
    values = run.values(google, link.base.google)
    return run.table.are_same(values, link.base.google)


def _merged_elsewhere(run: Run, facts: Facts, plan: Plan) -> Link | None:
    """Return the link moved to the survivor of a merge, if there is one (CON-21).

    A deleted record whose address stands in a selected, unlinked record of the same
    side was merged into that one: the link follows, and nothing is created or deleted.
    """
    for side in SideName if run.kind.has_label else ():
        if not facts.is_gone(side) or facts.is_out(side.other):
            continue
        survivor = _survivor(run, facts, side)
        if survivor is not None and (side, survivor.remote_id) not in plan.survivors:
            plan.survivors.add((side, survivor.remote_id))
            return _moved(facts.link, survivor, side)
    return None


def _survivor(run: Run, facts: Facts, side: SideName) -> Remote | None:
    addresses = addresses_of(facts.values(side))
    if not addresses:
        return None
    if side is SideName.CRM:
        found = list(run.crm.find(Query(addresses=frozenset(addresses))))
    else:
        keys = [f"e:{address}" for address in addresses]
        ids = [i for hits in run.state.directory_find(keys).values() for i in hits]
        found = list(run.state.staged(side, sorted(set(ids))).values())
    linked = run.state.links_by(side, [remote.remote_id for remote in found])
    free = [
        remote
        for remote in found
        if remote.is_selected and not remote.is_gone and remote.remote_id not in linked
    ]
    return free[0] if len(free) == 1 else None


def _moved(link: Link, survivor: Remote, side: SideName) -> Link:
    if side is SideName.CRM:
        return replace(
            link, crm_id=survivor.remote_id, crm_etag="", crm_stamp="", dormant=None
        )
    return replace(
        link,
        google_id=survivor.remote_id,
        google_etag="",
        google_stamp="",
        created_in=None,
        dormant=None,
    )


def emptied_side(plan: Plan, links: int) -> SideName | None:
    """Return a side that shows none of the linked records any more (ENG-6)."""
    if links < 2:
        return None
    for side in SideName:
        if plan.out[side] >= links:
            return side
    return None
