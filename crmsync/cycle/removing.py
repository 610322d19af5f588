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
from crmsync.records.values import SideName


def apply_removals(run: Run, items: Sequence[Item], applied: Applied) -> None:
    run.state.commit(Unit(items=tuple(replace(i, state=ItemState.SENT) for i in items)))
    ready, etags = _still_as_planned(run, items, applied)
    outcomes: dict[str, Outcome] = {}
    google, crm = run.google, run.crm
    for chosen, do, size in (
        (
            [i for i in ready if i.steps.delete_google],
            lambda part: google.delete(
                [i.google_id for i in part],
                etags=etags[SideName.GOOGLE],
                notifies=frozenset(i.google_id for i in part if i.guests),
            ),
            google.batch_size,
        ),
        (
            [i for i in ready if i.steps.delete_crm],
            lambda part: crm.delete(
                [i.crm_id for i in part], etags=etags[SideName.CRM]
            ),
            crm.batch_size,
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
) -> tuple[Sequence[Item], Mapping[SideName, Mapping[str, str]]]:
    """Read what is to be deleted just before, and leave what was edited.

    Returns:
        What is as planned, and the versions that were looked at (People takes none).
    """
    changed: dict[str, Remote] = {}
    etags: dict[SideName, dict[str, str]] = {side: {} for side in SideName}
    for side in SideName:
        doomed = [item for item in items if _deletes(item, side)]
        now = (
            run.side(side).fetch([i.remote_id(side) for i in doomed]) if doomed else {}
        )
        etags[side] = {i: remote.etag for i, remote in now.items()}
        for item in doomed:
            remote = now[item.remote_id(side)]
            if not remote.is_gone and _was_edited(run, item, remote):
                changed[item.item_id] = remote
    if changed:
        unit = Results(run, applied)
        for item in items:
            if item.item_id in changed:
                unit.stage.append(changed[item.item_id])
                where = "the CRM" if item.steps.delete_crm else "Google"
                error = EtagMismatch(f"It was edited in {where} meanwhile.")
                unit.failed(item, error)
        run.state.commit(unit.unit())
    return [item for item in items if item.item_id not in changed], etags


def _deletes(item: Item, side: SideName) -> bool:
    is_crm = side is SideName.CRM
    return item.steps.delete_crm if is_crm else item.steps.delete_google


def _was_edited(run: Run, item: Item, remote: Remote) -> bool:
    """Whether a record that is to be deleted is no longer as it was planned from."""
    if not item.seen(remote.side):
        return False  # it goes whatever it holds
    values = run.values(remote, item.base.of(remote.side))
    is_deleted_anyway = run.policy.delete_from_google is DeleteFromGoogle.ALWAYS
    has_more = run.kind.has_label and bool(remote.extras) and not is_deleted_anyway
    return has_more or not run.table.are_same(values, item.seen(remote.side))


def _record_removals(
    run: Run, items: Sequence[Item], outcomes: Mapping[str, Outcome], applied: Applied
) -> None:
    unit = Results(run, applied)
    for item in items:
        outcome = outcomes.get(item.item_id, Outcome())
        error = outcome.error
        if error is not None and not isinstance(error, NotFound):
            if outcome.remote is not None:
                unit.stage.append(outcome.remote)
            unit.failed(item, error)
            continue
        unit.directory.append(_parted(run, item))
        unit.ended(item)
        unit.done(item)
    run.state.commit(unit.unit())


def _parted(run: Run, item: Item) -> DirectoryEntry:
    """Return the directory's entry of a contact whose link has ended.

    The feed may not have shown the contact at all yet: with its match keys it is
    found again if somebody selects the CRM contact anew.
    """
    keys: tuple[str, ...] = ()
    if run.kind.has_label:
        who = identity(item.google_id, item.google_seen, run.table)
        keys = (f"o:{item.crm_id}", *match_keys(who))
    return DirectoryEntry(
        item.google_id,
        is_selected=False,
        match_keys=keys,
        is_parted=True,
        stamp=item.google_stamp,
    )
