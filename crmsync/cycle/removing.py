"""Removals: unlinking, unlabelling and deleting (CON-12 … CON-14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crmsync.cycle.outcomes import Applied, Results, call, stop_on
from crmsync.cycle.run import Run
from crmsync.engine.match import identity, match_keys
from crmsync.engine.plan import Item, ItemState
from crmsync.engine.policy import DeleteFromGoogle
from crmsync.errors import EtagMismatch, NotFound
from crmsync.ports import DirectoryEntry, Outcome, Unit
from crmsync.records.remote import Remote


def apply_removals(run: Run, items: Sequence[Item], applied: Applied) -> None:
    run.state.commit(Unit(items=tuple(replace(i, state=ItemState.SENT) for i in items)))
    ready = _still_as_planned(run, items, applied)
    outcomes: dict[str, Outcome] = {}
    google, crm = run.google, run.crm
    for chosen, do, size in (
        (
            [i for i in ready if i.steps.delete_google],
            lambda part: google.delete([i.google_id for i in part]),
            google.batch_size,
        ),
        (
            [i for i in ready if i.steps.deselect_google],
            lambda part: google.deselect([i.google_id for i in part]),
            google.batch_size,
        ),
        (
            [i for i in ready if i.steps.deselect_crm],
            lambda part: crm.deselect([i.crm_id for i in part]),
            crm.batch_size,
        ),
    ):
        outcomes.update(call(run, chosen, do, size))
    _record_removals(run, ready, outcomes, applied)
    stop_on(list(outcomes.values()))


def _still_as_planned(
    run: Run, items: Sequence[Item], applied: Applied
) -> Sequence[Item]:
    """People has no etag on delete: read just before, and leave what was edited."""
    doomed = [item for item in items if item.steps.delete_google]
    if not doomed:
        return items
    now = run.google.fetch([item.google_id for item in doomed])
    changed: dict[str, Remote] = {}
    is_deleted_anyway = run.policy.delete_from_google is DeleteFromGoogle.ALWAYS
    for item in doomed:
        remote = now[item.google_id]
        if remote.is_gone:
            continue
        values = run.values(remote, item.base.google)
        has_more = bool(remote.extras) and not is_deleted_anyway
        if has_more or not run.table.are_same(values, item.google_seen):
            changed[item.item_id] = remote
    if changed:
        unit = Results(run, applied)
        for item in doomed:
            if item.item_id in changed:
                unit.stage.append(changed[item.item_id])
                unit.failed(item, EtagMismatch("It was edited in Google meanwhile."))
        run.state.commit(unit.unit())
    return [item for item in items if item.item_id not in changed]


def _record_removals(
    run: Run, items: Sequence[Item], outcomes: Mapping[str, Outcome], applied: Applied
) -> None:
    unit = Results(run, applied)
    for item in items:
        error = outcomes.get(item.item_id, Outcome()).error
        if error is not None and not isinstance(error, NotFound):
            unit.failed(item, error)
            continue
        unit.unlink.append(item.link_id)
        unit.directory.append(_parted(run, item))
        unit.done(item)
    run.state.commit(unit.unit())


def _parted(run: Run, item: Item) -> DirectoryEntry:
    """Return the directory's entry of a contact whose link has ended.

    The feed may not have shown the contact at all yet: with its match keys it is
    found again if somebody selects the CRM contact anew.
    """
    who = identity(item.google_id, item.google_seen, run.table)
    return DirectoryEntry(
        item.google_id,
        is_selected=False,
        match_keys=(f"o:{item.crm_id}", *match_keys(who)),
        is_parted=True,
        stamp=item.google_stamp,
    )
