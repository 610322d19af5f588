"""Pairing selected records without a link: link, create or hold (CON-6 … CON-8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from crmsync.cycle.planning import Plan
from crmsync.cycle.reading import directory_entry
from crmsync.cycle.run import Progress, Run, pages
from crmsync.engine.match import (
    Decision,
    Identity,
    Verdict,
    decide,
    match_keys,
)
from crmsync.engine.plan import Action, Choice, Item, ItemDirection, ItemState
from crmsync.engine.policy import Match
from crmsync.engine.reconcile import LinkRequest, plan_create, plan_linking
from crmsync.ports import ChoiceKind, PersonsChoice, Query, Unit
from crmsync.records.contacts import display_name, facts
from crmsync.records.remote import Remote
from crmsync.records.slots import linking_base
from crmsync.records.values import SideName


@dataclass(slots=True)
class _Neighbourhood:
    """A page of unlinked records with all that could be the same person.

    Attributes:
        mine: the page, by id.
        others: candidates on the other side, by id.
        my_ids, other_ids: their identities.
        rivals: per candidate, selected and unlinked records of this side.
    """

    mine: Mapping[str, Remote]
    others: dict[str, Remote] = field(default_factory=dict)
    rivals: dict[str, list[Identity]] = field(default_factory=dict)
    my_ids: dict[str, Identity] = field(default_factory=dict)
    other_ids: dict[str, Identity] = field(default_factory=dict)


def pair_side(run: Run, side: SideName, progress: Progress, plan: Plan) -> None:
    """Plan all selected, unlinked records of one side.

    A one-way pair leaves the records of its target side alone (CON-5).
    """
    policy = run.policy
    if not (policy.writes_google if side is SideName.CRM else policy.writes_crm):
        return

    def load(after: str, limit: int) -> Sequence[Remote]:
        return run.state.unlinked(side, after, limit)

    for page in pages(load, lambda remote: remote.remote_id):
        _pair_page(run, side, page, progress, plan)


def _pair_page(
    run: Run, side: SideName, page: Sequence[Remote], progress: Progress, plan: Plan
) -> None:
    ids = [remote.remote_id for remote in page]
    planned = run.state.planned(side, ids)
    mine = {
        remote.remote_id: remote
        for remote in page
        if remote.remote_id not in planned
        and (side, remote.remote_id) not in progress.waiting
    }
    if not mine:
        return
    choices = run.state.choices(side, list(mine))
    held = run.state.held(side, list(mine))
    around = _gather(run, side, mine, progress)
    items: list[Item] = []
    taken: set[str] = set()
    for remote_id, remote in mine.items():
        chosen = choices.get(remote_id)
        item = _decided(run, remote, chosen, around, taken)
        if item is None:
            item = _created(run, remote, chosen, progress)
        asked = held.get(remote_id)
        if item.state is ItemState.HELD and _is_known(asked, item):
            continue
        if chosen is None and _waits_for_account(asked, item):
            continue
        if chosen is not None and chosen.kind is ChoiceKind.IGNORE:
            continue
        items.append(item)
    left = late(run, items) if progress.confirms else {}
    items = [item for item in items if item.google_id not in left]
    for item in items:
        plan.add(item)
    run.state.commit(
        Unit(
            items=tuple(items),
            unstage=(
                *((SideName.GOOGLE, remote_id) for remote_id in left),
                *((side, i.remote_id(side)) for i in items if _is_empty(i)),
            ),
            # A new question about a record takes the place of the old one.
            resolved=tuple(
                (side, item.remote_id(side))
                for item in items
                if item.state is ItemState.HELD and item.remote_id(side) in held
            ),
            directory=tuple(
                directory_entry(run, remote)
                for remote in left.values()
                if not remote.is_gone
            ),
            forget=tuple(i for i, remote in left.items() if remote.is_gone),
        )
    )


def _is_empty(item: Item) -> bool:
    return item.reason == "nothing_mapped"


def late(run: Run, items: Sequence[Item]) -> dict[str, Remote]:
    """Return Google records that the feed still shows, but that left meanwhile.

    Looked at one by one before they are linked or created in the CRM. A first cycle
    takes the feed's word, or it would read every contact twice.
    """
    wanted = [
        item.google_id
        for item in items
        if item.google_id
        and item.state is ItemState.PLANNED
        and not item.steps.select_google
    ]
    if not wanted:
        return {}
    now = run.google.fetch(wanted)
    return {i: r for i, r in now.items() if r.is_gone or not r.is_selected}


def _is_known(old: Item | None, new: Item) -> bool:
    """Whether the same question is already waiting for a person."""
    return old is not None and (old.reason, old.choices) == (new.reason, new.choices)


def _waits_for_account(asked: Item | None, new: Item) -> bool:
    """Whether a person has been asked which account a new contact gets (CON-9)."""
    return (
        asked is not None
        and asked.reason == "ambiguous_account"
        and new.action is Action.CREATE
    )


# ------------------------------------------------------------------ gathering


def _gather(
    run: Run, side: SideName, mine: Mapping[str, Remote], progress: Progress
) -> _Neighbourhood:
    around = _Neighbourhood(mine)
    for remote_id, remote in mine.items():
        around.my_ids[remote_id] = run.identity(remote)
    if side is SideName.CRM:
        _gather_google(run, around, progress)
    else:
        _gather_crm(run, around, progress)
    return around


def _gather_google(run: Run, around: _Neighbourhood, progress: Progress) -> None:
    """Find Google candidates of CRM records by the directory, then their rivals."""
    keys: set[str] = set()
    for remote_id, remote in around.mine.items():
        keys.update(match_keys(around.my_ids[remote_id]))
        keys.add(f"o:{remote_id}")
        origin = run.origin_of(remote.key)
        if origin:
            around.others.update(_google_remotes(run, [origin]))
    found = run.state.directory_find(sorted(keys))
    ids = sorted({i for hits in found.values() for i in hits})
    around.others.update(_google_remotes(run, ids))
    _drop_unfit(run, SideName.GOOGLE, around, progress)
    who = list(around.other_ids.values())
    rivals = _crm_like(run, who, selected_only=True)
    _set_rivals(around, [run.identity(r) for r in rivals])


def _gather_crm(run: Run, around: _Neighbourhood, progress: Progress) -> None:
    """Find CRM candidates of Google records by a search, then their rivals."""
    who = list(around.my_ids.values())
    origins = frozenset(around.mine)
    named = {run.origin_of(r.key) for r in around.mine.values()} - {""}
    found = _crm_like(run, who, origins=origins)
    around.others.update({remote.remote_id: remote for remote in found})
    missing = sorted(named - set(around.others))
    if missing:
        fetched = run.crm.fetch(missing)
        around.others.update({i: r for i, r in fetched.items() if not r.is_gone})
    _drop_unfit(run, SideName.CRM, around, progress)
    keys = {k for other in around.other_ids.values() for k in match_keys(other)}
    hits = run.state.directory_find(sorted(keys))
    ids = sorted({i for found_ids in hits.values() for i in found_ids})
    staged = run.state.staged(SideName.GOOGLE, ids)
    _set_rivals(around, [run.identity(r) for r in staged.values() if r.is_selected])


def _google_remotes(run: Run, ids: Sequence[str]) -> dict[str, Remote]:
    """Return Google records: staged ones as read, the others as they are now."""
    known = run.state.directory(ids)
    wanted = [i for i in ids if i in known]
    found = dict(run.state.staged(SideName.GOOGLE, wanted))
    rest = [i for i in wanted if i not in found]
    if rest and run.policy.match is Match.ALL:
        fetched = run.google.fetch(rest)
        found.update({i: r for i, r in fetched.items() if not r.is_gone})
    return found


def _crm_like(
    run: Run,
    who: Iterable[Identity],
    *,
    origins: frozenset[str] = frozenset(),
    selected_only: bool = False,
) -> list[Remote]:
    """Return live, unlinked CRM records that may be one of these persons."""
    people = list(who)
    if not people and not origins:
        return []
    query = Query(
        addresses=frozenset(a for p in people for a in p.addresses),
        names=frozenset(p.name for p in people if p.weak),
        origins=origins,
    )
    found = run.crm.find(query)
    linked = run.state.links_by(SideName.CRM, [r.remote_id for r in found])
    return [
        remote
        for remote in found
        if remote.remote_id not in linked and (remote.is_selected or not selected_only)
    ]


def _drop_unfit(
    run: Run, side: SideName, around: _Neighbourhood, progress: Progress
) -> None:
    """Leave out candidates that are linked, planned, waiting or out of scope."""
    ids = list(around.others)
    linked = run.state.links_by(side, ids)
    planned = run.state.planned(side, ids)
    for remote_id in ids:
        remote = around.others[remote_id]
        if (
            remote_id in linked
            or remote_id in planned
            or (side, remote_id) in progress.waiting
            or (run.policy.match is Match.SELECTED and not remote.is_selected)
        ):
            del around.others[remote_id]
        else:
            around.other_ids[remote_id] = run.identity(remote)


def _set_rivals(around: _Neighbourhood, rivals: Sequence[Identity]) -> None:
    by_key: dict[str, dict[str, Identity]] = {}
    for rival in (*rivals, *around.my_ids.values()):
        for key in match_keys(rival):
            by_key.setdefault(key, {})[rival.record_id] = rival
    for candidate_id, candidate in around.other_ids.items():
        found: dict[str, Identity] = {}
        for key in match_keys(candidate):
            found.update(by_key.get(key, {}))
        around.rivals[candidate_id] = list(found.values())


# ------------------------------------------------------------------ deciding


def _decided(
    run: Run,
    remote: Remote,
    chosen: PersonsChoice | None,
    around: _Neighbourhood,
    taken: set[str],
) -> Item | None:
    """Return the item that links or holds the record; None if it is to be created."""
    if chosen is not None and chosen.kind is ChoiceKind.NEW:
        return None
    if chosen is not None and chosen.kind is ChoiceKind.LINK:
        target = _chosen(run, remote.side.other, chosen.target)
        if target is not None and target.remote_id not in taken:
            taken.add(target.remote_id)
            return _linked(run, remote, target, "chosen")
    decision = _by_key(run, remote, around, taken) or _by_identity(
        run, remote, around, taken
    )
    if decision.verdict is Verdict.LINK:
        target = around.others[decision.candidates[0]]
        taken.add(target.remote_id)
        return _linked(run, remote, target, decision.reason)
    if decision.verdict is Verdict.HOLD:
        return _held(run, remote, decision, around)
    return None


def _chosen(run: Run, side: SideName, target: str) -> Remote | None:
    if run.state.links_by(side, [target]) or run.state.planned(side, [target]):
        return None
    staged = run.state.staged(side, [target]).get(target)
    remote = staged or run.side(side).fetch([target])[target]
    return None if remote.is_gone else remote


def _by_key(
    run: Run, remote: Remote, around: _Neighbourhood, taken: set[str]
) -> Decision | None:
    """Decide by the key that one of the two records carries (CON-20)."""
    origin = run.origin_of(remote.key)
    if origin and remote.side is SideName.GOOGLE and _is_one_of_several(run, origin):
        return Decision(Verdict.HOLD, "several_candidates", (origin,))
    carriers = [
        other.remote_id
        for other in around.others.values()
        if other.remote_id == origin or run.origin_of(other.key) == remote.remote_id
    ]
    if len(carriers) == 1 and carriers[0] not in taken:
        return Decision(Verdict.LINK, "key", (carriers[0],))
    if carriers:
        return Decision(Verdict.HOLD, "several_candidates", tuple(sorted(carriers)))
    if origin and remote.side is SideName.GOOGLE:
        linked = run.state.links_by(SideName.CRM, [origin])
        if origin in linked:
            return Decision(Verdict.HOLD, "copy_of_linked", (origin,))
    return None


def _is_one_of_several(run: Run, origin: str) -> bool:
    """Whether more than one Google contact carries a key of the same CRM contact."""
    found = run.state.directory_find([f"o:{origin}"])
    ids = sorted({i for hits in found.values() for i in hits})
    staged = run.state.staged(SideName.GOOGLE, ids)
    return sum(run.origin_of(r.key) == origin for r in staged.values()) > 1


def _by_identity(
    run: Run, remote: Remote, around: _Neighbourhood, taken: set[str]
) -> Decision:
    who = around.my_ids[remote.remote_id]
    mine = set(match_keys(who))
    selected: list[Identity] = []
    others: list[Identity] = []
    for candidate_id, candidate in around.other_ids.items():
        if candidate_id in taken or not mine & set(match_keys(candidate)):
            continue
        pool = selected if around.others[candidate_id].is_selected else others
        pool.append(candidate)
    return decide(who, (selected, others), around.rivals, run.policy.weak_match)


def _linked(run: Run, remote: Remote, other: Remote, reason: str) -> Item:
    is_crm = remote.side is SideName.CRM
    crm, google = (remote, other) if is_crm else (other, remote)
    crm_values = run.values(crm)
    request = LinkRequest(
        run.ids.new(),
        run.ids.new(),
        reason,
        crm,
        google,
        crm_values,
        run.values(google, linking_base(crm_values)),
        display_name(crm_values),
    )
    item, _ = plan_linking(request, run.table, run.policy)
    return replace(item, key=key_for(run, crm, google))


def key_for(run: Run, crm: Remote, google: Remote) -> str:
    return google.key if run.origin_of(google.key) else run.new_key(crm.remote_id)


def _held(run: Run, remote: Remote, decision: Decision, around: _Neighbourhood) -> Item:
    is_crm = remote.side is SideName.CRM
    others = {
        i: run.values(around.others[i])
        for i in decision.candidates
        if i in around.others
    }
    choices = tuple(Choice(i, display_name(v), facts(v)) for i, v in others.items())
    values = run.values(remote)
    return Item(
        item_id=run.ids.new(),
        action=Action.LINK,
        direction=ItemDirection.NONE,
        state=ItemState.HELD,
        reason=decision.reason,
        crm_id=remote.remote_id if is_crm else "",
        google_id="" if is_crm else remote.remote_id,
        name=display_name(values),
        crm_seen=values if is_crm else {},
        google_seen={} if is_crm else values,
        choices=choices,
    )


def _created(
    run: Run, remote: Remote, chosen: PersonsChoice | None, progress: Progress
) -> Item:
    """Plan a create, or plan an earlier one again: the same request, word for word.

    Whichever of the two arrives, the base is what was sent; later edits are merged.
    """
    earlier = progress.resend.get((remote.side, remote.remote_id))
    if earlier is not None:
        item = replace(earlier, state=ItemState.PLANNED, reason="no_counterpart")
    else:
        key = run.new_key(remote.remote_id)
        values = run.values(remote)
        name = display_name(values)
        item = plan_create(run.ids.new(), remote, values, run.table, key, name=name)
    if chosen is not None and chosen.kind is ChoiceKind.NEW:
        item = replace(item, account=chosen.target)
    if not item.crm and not item.google:
        # A record without a mapped field would be an empty shell on the other side.
        return replace(
            item,
            direction=ItemDirection.NONE,
            state=ItemState.SKIPPED,
            reason="nothing_mapped",
        )
    return item
