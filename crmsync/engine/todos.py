"""Deciding about linked to-dos and tasks (TSK-3, TSK-4, ENG-11)."""

from __future__ import annotations

from crmsync.engine.activities import deleting, edit_beats_delete
from crmsync.engine.plan import Steps
from crmsync.engine.policy import Policy
from crmsync.engine.reconcile import (
    Facts,
    Reconciled,
    dormant,
    reconcile_fields,
    unlinking,
)
from crmsync.records.values import FieldTable, SideName


def reconcile_todo(
    facts: Facts, table: FieldTable, policy: Policy, item_id: str
) -> Reconciled:
    """Decide about one linked to-do; see `reconcile`."""
    crm_out, google_out = facts.is_out(SideName.CRM), facts.is_out(SideName.GOOGLE)
    if crm_out and google_out:
        item = unlinking(facts, item_id, "gone_on_both", Steps())
        return Reconciled(item, facts.link)
    for side, may_write in (
        (SideName.CRM, policy.writes_google),
        (SideName.GOOGLE, policy.writes_crm),
    ):
        if not facts.is_out(side):
            continue
        if not may_write:
            quiet = dormant(facts, side)
            if quiet is not None:
                return quiet
            continue
        return _left(facts, side, table, item_id)
    return reconcile_fields(facts, table, policy, item_id)


def _left(facts: Facts, side: SideName, table: FieldTable, item_id: str) -> Reconciled:
    if not facts.is_gone(side):
        # It recurs now, or was moved to another list: it stays, unlinked (TSK-3).
        steps = Steps(ignore_crm=True, ignore_google=True)
        return Reconciled(unlinking(facts, item_id, "left_list", steps), facts.link)
    kept = edit_beats_delete(facts, side.other, table, item_id)
    if kept is not None:
        return Reconciled(kept, facts.link)
    is_crm = side is SideName.CRM
    steps = Steps(delete_google=is_crm, delete_crm=not is_crm)
    reason = "deleted_in_crm" if is_crm else "deleted_in_google"
    return Reconciled(deleting(facts, item_id, reason, steps), facts.link)
