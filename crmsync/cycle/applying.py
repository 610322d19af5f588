"""Applying a plan: intent, call, outcome (architecture, section 3, step 7).

Before every write what is about to be sent is stored; after it, links, base and items
in one commit. A write whose outcome nobody knows leaves its intent behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial

from crmsync.cycle.outcomes import (
    Applied,
    Results,
    Stop,
    call,
    fail,
    stop_on,
)
from crmsync.cycle.removing import apply_removals
from crmsync.cycle.run import Run, SliceOver, chunks, pages
from crmsync.engine.plan import Action, Item, ItemState
from crmsync.errors import (
    CrmSyncError,
    OutcomeUnknown,
    PreconditionFailed,
)
from crmsync.ports import (
    Edit,
    NewRecord,
    Outcome,
    Side,
    Unit,
)
from crmsync.records.activities import TOLD, Role, note_of
from crmsync.records.remote import Base, Link, Remote, Sent
from crmsync.records.values import SideName

_ORDER = (
    Action.LINK,
    Action.UPDATE,
    Action.RESTORE,
    Action.CREATE,
    Action.UNLINK,
    Action.DELETE,
)

_GUESTS = frozenset({Role.INVITED.value, Role.COPY.value})
"""Roles in whose events Google may refuse even our key (contract, 5.3)."""

Outcomes = dict[str, dict[SideName, Outcome]]


def apply(run: Run, applied: Applied) -> None:
    """Apply all planned items of the running cycle, page by page.

    Raises:
        SliceOver: between two pages; what is planned stays planned.
    """
    try:
        for action in _ORDER:
            _apply_action(run, action, applied)
    except Stop as stop:
        applied.stopped = stop.cause
        _leave(run)


def _apply_action(run: Run, action: Action, applied: Applied) -> None:
    def load(after: str, limit: int) -> Sequence[Item]:
        return run.state.items((ItemState.PLANNED,), (action,), after, limit)

    worker: Callable[[Run, Sequence[Item], Applied], None] = {
        Action.LINK: _apply_links,
        Action.UPDATE: _apply_updates,
        Action.RESTORE: _apply_updates,
        Action.CREATE: _apply_creates,
    }.get(action, apply_removals)
    for page in pages(load, lambda item: item.item_id):
        if applied.pages and run.is_over():
            raise SliceOver
        run.state.renew()
        worker(run, page, applied)
        applied.pages += 1


def _leave(run: Run) -> None:
    """Mark what this cycle did not come to."""

    def load(after: str, limit: int) -> Sequence[Item]:
        return run.state.items((ItemState.PLANNED,), tuple(Action), after, limit)

    for page in pages(load, lambda item: item.item_id):
        left = tuple(
            replace(i, state=_left_state(i), reason="left_for_later") for i in page
        )
        run.state.commit(Unit(items=left))


def _left_state(item: Item) -> ItemState:
    # A create that left us once keeps waiting for its outcome.
    return ItemState.UNKNOWN if item.sent_at else ItemState.SKIPPED


# ------------------------------------------------------------------ links, updates


def _apply_links(run: Run, items: Sequence[Item], applied: Applied) -> None:
    """Select on both sides first: an unselected half would end the link again."""
    google = [item for item in items if item.steps.select_google]
    crm = [item for item in items if item.steps.select_crm]
    refused: dict[str, Outcome] = {}
    for side, chosen in ((SideName.GOOGLE, google), (SideName.CRM, crm)):
        target = run.side(side)
        outcomes = call(run, chosen, partial(_select, target), target.batch_size)
        refused.update({i: o for i, o in outcomes.items() if o.error is not None})
    if refused:
        fail(run, [item for item in items if item.item_id in refused], refused, applied)
    links = {
        item.link_id: _new_link(item) for item in items if item.item_id not in refused
    }
    ready = [item for item in items if item.item_id not in refused]
    _write(run, ready, links, applied)
    stop_on(list(refused.values()))


def _new_link(item: Item) -> Link:
    return Link(
        link_id=item.link_id,
        crm_id=item.crm_id,
        google_id=item.google_id,
        base=item.base_before,
        crm_etag=item.crm_etag,
        google_etag=item.google_etag,
        crm_stamp=item.crm_stamp,
        google_stamp=item.google_stamp,
        role=item.role,
        parent=item.parent,
    )


def _apply_updates(run: Run, items: Sequence[Item], applied: Applied) -> None:
    ids = [item.google_id for item in items]
    known = run.state.links_by(SideName.GOOGLE, ids)
    links = {link.link_id: link for link in known.values()}
    ready = [item for item in items if item.link_id in links]
    _write(run, ready, links, applied)


def _write(
    run: Run, items: Sequence[Item], links: Mapping[str, Link], applied: Applied
) -> None:
    """Write fields on both sides: intent, calls, outcome."""
    intents = {
        item.link_id: _with_sends(run, item, links[item.link_id]) for item in items
    }
    run.state.commit(
        Unit(
            links=tuple(intents.values()),
            items=tuple(replace(item, state=ItemState.SENT) for item in items),
        )
    )
    outcomes: Outcomes = {item.item_id: {} for item in items}
    for side in SideName:
        chosen = [item for item in items if item.writes(side)]
        edits = {i.item_id: _edit(run, i, side, intents[i.link_id]) for i in chosen}
        target = run.side(side)
        send = partial(_send_edits, target, edits)
        for item_id, outcome in call(run, chosen, send, target.batch_size).items():
            outcomes[item_id][side] = outcome
    _record_writes(run, items, intents, outcomes, applied)
    stop_on([o for by_side in outcomes.values() for o in by_side.values()])


def _select(target: Side, items: Sequence[Item]) -> Sequence[Outcome]:
    return target.select([item.remote_id(target.name) for item in items])


def _send_edits(
    target: Side, edits: Mapping[str, Edit], items: Sequence[Item]
) -> Sequence[Outcome]:
    return target.update([edits[item.item_id] for item in items])


def _edit(run: Run, item: Item, side: SideName, link: Link) -> Edit:
    is_guests = link.role in _GUESTS
    needs_key = side is SideName.GOOGLE and not link.has_key and not is_guests
    key = (item.key or run.new_key(item.crm_id)) if needs_key else ""
    return Edit(
        item.remote_id(side),
        item.etag(side),
        item.seen(side),
        item.writes(side),
        link.base.of(side),
        key,
        notifies=side is SideName.GOOGLE and item.guests > 0,
    )


def _with_sends(run: Run, item: Item, link: Link) -> Link:
    sends = list(link.sends)
    for side in SideName:
        writes = item.writes(side)
        if writes:
            other = item.base.of(side.other)
            sends.append(
                Sent(
                    side,
                    item.etag(side),
                    writes,
                    {name: other.get(name, "") for name in writes},
                    run.clock.now().timestamp(),
                )
            )
    return replace(link, sends=tuple(sends))


def _record_writes(
    run: Run,
    items: Sequence[Item],
    links: Mapping[str, Link],
    outcomes: Outcomes,
    applied: Applied,
) -> None:
    unit = Results(run, applied)
    for item in items:
        by_side = outcomes[item.item_id]
        link = links[item.link_id]
        errors = {s: o.error for s, o in by_side.items() if o.error is not None}
        link = _settled_link(item, link, by_side)
        if not errors:
            if item.steps.unlink:
                unit.ended(item)
            else:
                unit.links.append(link)
            unit.done(item)
            continue
        unit.links.append(link)
        for side, outcome in by_side.items():
            if isinstance(outcome.error, PreconditionFailed):
                gone = Remote(
                    side, item.remote_id(side), is_gone=True, is_selected=False
                )
                unit.stage.append(outcome.remote or gone)
        unit.failed(item, _telling(errors))
    run.state.commit(unit.unit())


def _telling(errors: Mapping[SideName, CrmSyncError]) -> CrmSyncError:
    """Return the error that says what must happen next.

    What was changed meanwhile is merged again, even if the other side refused what
    stood there before: the change may be the correction.
    """
    changed = (e for e in errors.values() if isinstance(e, PreconditionFailed))
    return next(changed, next(iter(errors.values())))


def _settled_link(item: Item, link: Link, outcomes: Mapping[SideName, Outcome]) -> Link:
    """Return the link with base, versions and sends after both calls.

    If one half failed, its fields keep their old base. What was staged of the half
    that arrived is out of date then: an empty send makes the next plan read it anew.
    """
    failed = {s for s, outcome in outcomes.items() if outcome.error is not None}
    sends = list(link.sends)
    for side, outcome in outcomes.items():
        if outcome.error is None:
            link = _with_version(link, side, outcome.remote)
            if side is SideName.GOOGLE:
                link = replace(link, has_key=True)
            sends = [s for s in sends if s.side is not side]
            if failed:
                sends.append(Sent(side, "", {}, {}))
        elif not isinstance(outcome.error, OutcomeUnknown):
            sends.remove([s for s in sends if s.side is side][-1])
    return replace(link, base=_base_after(item, failed), sends=tuple(sends))


def _base_after(item: Item, failed: Set[SideName]) -> Base:
    crm, google = dict(item.base.crm), dict(item.base.google)
    for side in failed:
        for name in item.writes(side):
            crm[name] = item.base_before.crm.get(name, "")
            google[name] = item.base_before.google.get(name, "")
    return Base(
        {n: v for n, v in crm.items() if v}, {n: v for n, v in google.items() if v}
    )


def _with_version(link: Link, side: SideName, remote: Remote | None) -> Link:
    if remote is None:
        return link
    if side is SideName.CRM:
        return replace(
            link, crm_id=remote.remote_id, crm_etag=remote.etag, crm_stamp=remote.stamp
        )
    return replace(
        link,
        google_id=remote.remote_id,
        google_etag=remote.etag,
        google_stamp=remote.stamp or link.google_stamp,
    )


# ------------------------------------------------------------------ creates


def _apply_creates(run: Run, items: Sequence[Item], applied: Applied) -> None:
    for side in SideName:
        chosen = [item for item in items if item.creates_in is side]
        target = run.side(side)
        for part in chunks(chosen, target.batch_size):
            _create(run, side, part, applied)


def _create(run: Run, side: SideName, items: Sequence[Item], applied: Applied) -> None:
    now = run.clock.now().timestamp()
    sent = [replace(item, state=ItemState.SENT, sent_at=now) for item in items]
    run.state.commit(Unit(items=tuple(sent)))
    target = run.side(side)

    def send(part: Sequence[Item]) -> Sequence[Outcome]:
        return target.create([_new_record(item, side) for item in part])

    outcomes = call(run, sent, send, target.batch_size)
    unit = Results(run, applied)
    looked_at = _origins(run, side.other, sent)
    for item in sent:
        outcome = outcomes[item.item_id]
        if outcome.error is None and outcome.remote is not None:
            done, link = _created_link(run, side, item, outcome.remote)
            unit.links.append(link)
            unit.done(done)
            is_told = any(outcome.remote.values.get(name) for name in TOLD)
            if outcome.remote.is_gone or item.clean_reads or is_told:
                unit.stage.append(outcome.remote)
                # What Google tells of the guests comes into the CRM at once.
                applied.restaged += is_told
            origin = looked_at.get(item.remote_id(side.other))
            # The link of a completed occurrence ends at once (CAL-14).
            if origin and (item.clean_reads or note_of(origin, "done")):
                unit.stage.append(origin)
        else:
            error = outcome.error or OutcomeUnknown(
                "The answer did not say what happened."
            )
            unit.failed(item, error)
    run.state.commit(unit.unit())
    stop_on(list(outcomes.values()))


def _origins(run: Run, side: SideName, items: Sequence[Item]) -> Mapping[str, Remote]:
    """Return the staged records that may be looked at once more when they are made."""
    ids = [item.remote_id(side) for item in items if item.clean_reads or item.parent]
    return run.state.staged(side, ids) if ids else {}


def _new_record(item: Item, side: SideName) -> NewRecord:
    notifies = side is SideName.GOOGLE and item.guests > 0
    return NewRecord(item.key, item.writes(side), item.account, notifies)


def _created_link(
    run: Run, side: SideName, item: Item, made: Remote
) -> tuple[Item, Link]:
    """Return the item and the link of a record that was made.

    A create that was sent twice may be answered with what the first one made and
    somebody has edited since: then the base is what was sent, and both are merged.
    """
    is_crm = side is SideName.CRM
    crm_id = made.remote_id if is_crm else item.crm_id
    google_id = item.google_id if is_crm else made.remote_id
    base = item.base
    if is_crm and made.values and not item.clean_reads:
        base = Base(run.values(made), base.google)
    link = Link(
        link_id=run.ids.new(),
        crm_id=crm_id,
        google_id=google_id,
        base=base,
        crm_etag=made.etag if is_crm else item.crm_etag,
        google_etag=item.google_etag if is_crm else made.etag,
        crm_stamp=made.stamp if is_crm else item.crm_stamp,
        google_stamp=item.google_stamp if is_crm else made.stamp,
        created_in=side,
        has_key=not is_crm,
        role=item.role,
        parent=item.parent,
    )
    return replace(item, crm_id=crm_id, google_id=google_id, link_id=link.link_id), link
