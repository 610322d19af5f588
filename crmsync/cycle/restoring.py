"""Restoring a losing value: a write to both sides, under the lease (HIS-3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crmsync.cycle.applying import apply
from crmsync.cycle.outcomes import Applied
from crmsync.cycle.run import Run
from crmsync.engine.fit import fit
from crmsync.engine.merge import FieldChange, Note, Winner
from crmsync.engine.plan import Action, Item, direction_of
from crmsync.engine.report import CycleReport, CycleState
from crmsync.errors import UsageError
from crmsync.ports import Unit
from crmsync.records.activities import Role
from crmsync.records.remote import Base, Link
from crmsync.records.values import SideName, Values


def restore(run: Run, item: Item, names: Sequence[str]) -> CycleReport:
    """Bring the losing values of an item back on both sides.

    Args:
        run: the pair, under its lease.
        item: from Sync History.
        names: the fields to restore; empty for all that lost.

    Raises:
        UsageError: if nothing was lost, or the records are not linked any more.
    """
    lost = {
        change.field: change.lost
        for change in item.changes
        if change.lost is not None and (not names or change.field in names)
    }
    lost = {name: value for name, value in lost.items() if name in run.table.names}
    if not lost:
        raise UsageError("No value was lost in this item, so there is none to restore.")
    link = _link_of(run, item)
    if link.role == Role.IMPORTED:
        raise UsageError(
            "It comes from a calendar that is only read.",
            next_step="Change it there; the value stands in Sync History.",
        )
    planned = _planned(run, link, lost)
    if not planned.crm and not planned.google:
        return CycleReport(CycleState.SUCCEEDED)
    run.state.commit(Unit(items=(planned,)))
    applied = Applied()
    apply(run, applied)
    whole = not applied.failures and not applied.mismatches and applied.stopped is None
    return CycleReport(CycleState.SUCCEEDED if whole else CycleState.PARTIAL)


def _link_of(run: Run, item: Item) -> Link:
    for side in SideName:
        remote_id = item.remote_id(side)
        links = run.state.links_by(side, [remote_id]) if remote_id else {}
        if remote_id in links:
            return links[remote_id]
    raise UsageError(
        "The two records are not linked any more.",
        next_step="Copy the value by hand; it stands in Sync History.",
    )


def _planned(run: Run, link: Link, lost: Values) -> Item:
    now = {side: run.side(side).fetch([link.remote_id(side)]) for side in SideName}
    crm = now[SideName.CRM][link.crm_id]
    google = now[SideName.GOOGLE][link.google_id]
    if crm.is_gone or google.is_gone:
        raise UsageError("One of the two records was deleted.")
    crm_values = run.values(crm, link.base.crm)
    google_values = run.values(google, link.base.google)
    crm_new, google_new, changes = _written(run, lost, crm_values, google_values)
    return Item(
        item_id=run.ids.new(),
        action=Action.RESTORE,
        direction=direction_of(bool(crm_new), bool(google_new)),
        reason="restored",
        link_id=link.link_id,
        crm_id=link.crm_id,
        google_id=link.google_id,
        name=run.kind.display_name(crm_values),
        crm=crm_new,
        google=google_new,
        base=Base(_over(link.base.crm, lost, crm_new, crm_values),
                  _over(link.base.google, lost, google_new, google_values)),
        base_before=link.base,
        crm_etag=crm.etag,
        google_etag=google.etag,
        crm_stamp=crm.stamp,
        google_stamp=google.stamp,
        crm_seen=crm_values,
        google_seen=google_values,
        changes=changes,
    )  # fmt: skip


def _over(base: Values, lost: Values, new: Values, shown: Values) -> Values:
    """Return a base in which the restored fields stand as they will be shown."""
    return {**base, **{name: new.get(name, shown.get(name, "")) for name in lost}}


def _written(
    run: Run, lost: Values, crm: Values, google: Values
) -> tuple[Values, Values, tuple[FieldChange, ...]]:
    crm_new: dict[str, str] = {}
    google_new: dict[str, str] = {}
    changes: list[FieldChange] = []
    for name, value in lost.items():
        field = run.table[name]
        fitted = fit(field, value, run.table.crm_limits.get(name))
        text = crm.get(name, "") if fitted.value is None else fitted.value
        if text != crm.get(name, ""):
            crm_new[name] = text
        if value != google.get(name, ""):
            google_new[name] = value
        change = FieldChange(
            name,
            crm.get(name, ""),
            text,
            google.get(name, ""),
            value,
            Winner.MERGED,
            note=Note.TRUNCATED if fitted.is_cut else None,
        )
        changes.append(_keeping(change))
    return crm_new, google_new, tuple(changes)


def _keeping(change: FieldChange) -> FieldChange:
    """Keep what the restored value replaces, so that a restore can be taken back."""
    replaced = change.google_before
    if not replaced or replaced == change.google_after:
        return change
    return replace(change, lost=replaced, lost_side=SideName.GOOGLE)
