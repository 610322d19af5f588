"""Deciding about linked activities: leaders, members, forks, completion (CAL-4 … 14).

Pure, and built on the merge of single fields: who may change what is said by the role
of the link, as a narrower table of fields.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from crmsync.engine.fit import cut
from crmsync.engine.merge import FieldChange, Winner, losing
from crmsync.engine.plan import Action, Item, Steps, direction_of
from crmsync.engine.policy import MemberEdit, Policy
from crmsync.engine.reconcile import (
    Facts,
    Reconciled,
    dormant,
    reconcile_fields,
    unlinking,
)
from crmsync.engine.roles import narrowed, opened
from crmsync.records.activities import (
    DECLINED,
    TOLD,
    Role,
    is_imported,
    note_of,
    role_by,
    starred,
)
from crmsync.records.recurrence import canonical_rule
from crmsync.records.remote import Base
from crmsync.records.values import FieldTable, SideName, Values


def role_of(facts: Facts) -> Role:
    """Return the role of a link, by what its two records say now."""
    known = Role(facts.link.role) if facts.link.role else Role.OWN
    if Role.IMPORTED in {known, _imported(facts)}:
        return Role.IMPORTED
    leads, organizes = known.leads, known.organizes
    if facts.crm is not None and not facts.is_out(SideName.CRM):
        leads = bool(note_of(facts.crm, "organizer"))
    if facts.google is not None and not facts.is_out(SideName.GOOGLE):
        organizes = bool(note_of(facts.google, "organizer"))
    if (leads, organizes) == (known.leads, known.organizes):
        return known
    if known is Role.OWN and organizes:
        return Role.FORMER  # until the new leader's event is there (CAL-25)
    if known is Role.SEPARATE and organizes:
        return known  # fixed at its first write (CAL-25)
    return role_by(leads=leads, organizes=organizes)


def _imported(facts: Facts) -> Role | None:
    """Return the role of what Google shows as an import now, else None."""
    shows = not facts.is_out(SideName.GOOGLE) and is_imported(facts.google)
    return Role.IMPORTED if shows else None


def reconcile_activity(
    facts: Facts, table: FieldTable, policy: Policy, item_id: str
) -> Reconciled:
    """Decide about one linked activity; see `reconcile`."""
    known, role = facts.link.role, role_of(facts)
    facts = replace(facts, link=replace(facts.link, role=role.value))
    fields = narrowed(table, role)
    if role is Role.INVITED and _writes_back(facts, policy, SideName.GOOGLE):
        fields = opened(fields)
    if facts.is_orphan:
        return Reconciled(_orphaned(facts, fields, item_id), facts.link)
    if role is Role.IMPORTED:
        return _reconcile_imported(facts, fields, policy, item_id)
    if (known, role) == (Role.COPY, Role.INVITED):
        return _taken_over(facts, policy, item_id)
    left = _left(facts, role, fields, policy, item_id)
    if left is not None:
        return left
    edited = _edited_by_member(facts, role, fields, policy, item_id)
    if edited is not None:
        return edited
    forced = _edit_of_cancelled(facts, fields)
    return reconcile_fields(facts, fields, policy, item_id, forced=forced)


def _taken_over(facts: Facts, policy: Policy, item_id: str) -> Reconciled:
    """Let a member who leads now make the shared event anew (CAL-25)."""
    # Until that is done it stays a copy, whatever comes between.
    facts = replace(facts, link=replace(facts.link, role=Role.COPY.value))
    if facts.link.parent:
        return Reconciled(None, facts.link)  # goes with its series
    is_there = not facts.is_out(SideName.GOOGLE)
    item = turned_over(facts, item_id, deletes=is_there and policy.writes_google)
    return Reconciled(item, facts.link)


def turned_over(facts: Facts, item_id: str, *, deletes: bool) -> Item:
    """Return the item that leaves an event for its successor; nobody is told."""
    steps = Steps(delete_google=deletes, ignore_google=True, restage_crm=True)
    item = unlinking(facts, item_id, "turned_over", steps)
    if facts.google is None:
        item = replace(item, google_seen={})  # of a copy, no field is the user's
    return replace(item, action=Action.DELETE) if deletes else item


def _is_edited(facts: Facts, side: SideName, table: FieldTable) -> bool:
    """Whether a side shows other values than both agreed on."""
    remote = facts.remote(side)
    if remote is None or remote.is_gone:
        return False
    now, was = facts.values(side), facts.link.base.of(side)
    return not all(
        table.is_same(name, now.get(name, ""), was.get(name, ""))
        for name in table.names
        if name not in TOLD
    )


def _orphaned(facts: Facts, table: FieldTable, item_id: str) -> Item:
    """End the link of an occurrence without series; what was edited is kept (ENG-3)."""
    again = Steps(restage_crm=True, restage_google=True)
    item = unlinking(facts, item_id, "series_ended", again)
    shown = [s for s in SideName if s is SideName.CRM or not facts.is_out(s)]
    return replace(item, changes=_lost(facts, table, shown))


def _lost(
    facts: Facts, table: FieldTable, sides: Iterable[SideName]
) -> tuple[FieldChange, ...]:
    """Return what was edited on sides whose record goes, so that history keeps it."""
    lost: list[FieldChange] = []
    for side in sides:
        if _is_edited(facts, side, table):
            lost += losing(table, side, facts.link.base.of(side), facts.values(side))
    return tuple(lost)


def _edit_of_cancelled(facts: Facts, table: FieldTable) -> SideName | None:
    """Return the side that edited an occurrence which the other one cancelled."""
    if "cancelled" not in table.names:
        return None
    for side in SideName:
        mine, others = facts.values(side), facts.values(side.other)
        was = facts.link.base.of(side.other).get("cancelled", "")
        is_cancelled = bool(others.get("cancelled")) and not was
        if (
            is_cancelled
            and not mine.get("cancelled")
            and _is_edited(facts, side, table)
        ):
            return side
    return None


# ------------------------------------------------------------------ what left


def _left(
    facts: Facts, role: Role, table: FieldTable, policy: Policy, item_id: str
) -> Reconciled | None:
    crm_out, google_out = facts.is_out(SideName.CRM), facts.is_out(SideName.GOOGLE)
    crm_out = crm_out or bool(note_of(facts.crm, "done"))
    if crm_out and google_out:
        item = unlinking(facts, item_id, "gone_on_both", Steps())
        return Reconciled(item, facts.link)
    is_left_only = crm_out and not facts.is_gone(SideName.CRM)
    if is_left_only and facts.is_shared and role in {Role.OWN, Role.FORMER}:
        # It is the members' event until the new leader's is there (CAL-25).
        return Reconciled(None, replace(facts.link, role=Role.FORMER.value))
    if crm_out:
        if not policy.writes_google:
            return dormant(facts, SideName.CRM)
        return Reconciled(_left_crm(facts, role, table, item_id), facts.link)
    if google_out:
        if not policy.writes_crm:
            return dormant(facts, SideName.GOOGLE)
        item = _left_google(facts, role, table, policy, item_id)
        return Reconciled(item, facts.link)
    return None


def _left_crm(facts: Facts, role: Role, table: FieldTable, item_id: str) -> Item:
    is_gone = facts.is_gone(SideName.CRM)
    reason = "deleted_in_crm" if is_gone else "no_member"
    if note_of(facts.crm, "done"):
        return _completed(facts, role, item_id)
    if role is Role.COPY or _is_occurrence(facts):
        # The leader's cycle, or the series, does what is to be done in Google.
        return unlinking(facts, item_id, reason, Steps())
    if role is Role.INVITED:
        if not is_gone:
            return unlinking(facts, item_id, reason, Steps(ignore_google=True))
        return _ending(facts, item_id, "declined_in_crm", google={"answer": DECLINED})
    if is_gone and role is not Role.SEPARATE:
        kept = edit_beats_delete(facts, SideName.GOOGLE, table, item_id)
        if kept is not None:
            return kept
    return deleting(facts, item_id, reason, Steps(delete_google=True))


def _left_google(
    facts: Facts, role: Role, table: FieldTable, policy: Policy, item_id: str
) -> Item:
    if not facts.is_gone(SideName.GOOGLE) and not note_of(facts.google, "imported"):
        # The user's own, and private now: the CRM keeps nothing of it (CAL-21).
        item = deleting(facts, item_id, "private_in_google", Steps(delete_crm=True))
        return replace(item, changes=_lost(facts, table, [SideName.CRM]))
    if _is_occurrence(facts):
        return unlinking(facts, item_id, "deleted_in_google", Steps())
    if role.leads and note_of(facts.google, "imported"):
        # The CRM can not express it any more: its occurrences come in one by one.
        steps = Steps(delete_crm=True)
        return deleting(facts, item_id, "imported_one_by_one", steps)
    if not role.leads:
        # Only the leader's deletion removes everyone's; anybody else declines (CAL-4).
        return _ending(facts, item_id, "declined_in_google", crm={"answer": DECLINED})
    if role is Role.INVITED:
        if _is_forking(facts, table):
            return _forked_in_crm(facts, item_id)
    else:
        kept = edit_beats_delete(facts, SideName.CRM, table, item_id)
        if kept is not None:
            return kept
    return deleting(facts, item_id, "deleted_in_google", Steps(delete_crm=True))


def _is_occurrence(facts: Facts) -> bool:
    return bool(facts.link.parent)


def deleting(facts: Facts, item_id: str, reason: str, steps: Steps) -> Item:
    """Return the item that deletes the other record and ends the link (CAL-4)."""
    return replace(unlinking(facts, item_id, reason, steps), action=Action.DELETE)


def edit_beats_delete(
    facts: Facts, survivor: SideName, table: FieldTable, item_id: str
) -> Item | None:
    """Keep what was edited on one side and deleted on the other (ENG-11)."""
    if not _is_edited(facts, survivor, table) and not facts.is_edited_within:
        return None
    is_crm = survivor is SideName.CRM
    steps = Steps(restage_crm=is_crm, restage_google=not is_crm)
    base, now = facts.link.base.of(survivor), facts.values(survivor)
    changes = tuple(
        FieldChange(
            name,
            now.get(name, "") if is_crm else "",
            now.get(name, ""),
            "" if is_crm else now.get(name, ""),
            now.get(name, ""),
            Winner(survivor.value),
            "",
            survivor.other,
        )
        for name in table.names
        if not table.is_same(name, now.get(name, ""), base.get(name, ""))
    )
    item = unlinking(facts, item_id, "edit_beats_delete", steps)
    return replace(item, changes=changes)


def _ending(
    facts: Facts,
    item_id: str,
    reason: str,
    *,
    crm: Values | None = None,
    google: Values | None = None,
    steps: Steps | None = None,
) -> Item:
    """Return an item that writes a last word on one side and ends the link."""
    crm = _new(crm or {}, facts.crm_values)
    google = _new(google or {}, facts.google_values)
    steps = replace(steps or Steps(), unlink=True)
    item = unlinking(facts, item_id, reason, steps)
    if not crm and not google:
        return item
    base = facts.link.base
    return replace(
        item,
        action=Action.UPDATE,
        direction=direction_of(bool(crm), bool(google)),
        crm=crm,
        google=google,
        base=Base({**base.crm, **crm}, {**base.google, **google}),
        changes=tuple(
            FieldChange(
                name,
                facts.crm_values.get(name, ""),
                crm.get(name, facts.crm_values.get(name, "")),
                facts.google_values.get(name, ""),
                google.get(name, facts.google_values.get(name, "")),
            )
            for name in {**crm, **google}
        ),
    )


def _new(wanted: Values, shown: Values) -> Values:
    return {n: v for n, v in wanted.items() if shown.get(n, "") != v}


def _completed(facts: Facts, role: Role, item_id: str) -> Item:
    """End the link of a completed activity; its event gets asterisks (CAL-14)."""
    steps = Steps(ignore_google=True, ignore_crm=_is_occurrence(facts))
    if not role.organizes:
        return _ending(facts, item_id, "completed", steps=steps)
    last = {"subject": starred(facts.google_values.get("subject", ""))}
    return _ending(facts, item_id, "completed", google=last, steps=steps)


# ------------------------------------------------------------------ only shown


def _reconcile_imported(
    facts: Facts, table: FieldTable, policy: Policy, item_id: str
) -> Reconciled:
    """Decide about what the CRM only shows: Google is right, and is never written to.

    A record that Google does not show as an import any more has left as one; it is
    looked at anew as what it is now.
    """
    google = facts.google
    if facts.is_out(SideName.CRM):
        reason = "deleted_in_crm" if facts.is_gone(SideName.CRM) else "no_member"
        if facts.is_out(SideName.GOOGLE):
            reason = "gone_on_both"
        if note_of(facts.crm, "done"):
            reason = "completed_import"
        item = unlinking(facts, item_id, reason, Steps(ignore_google=True))
        return Reconciled(item, facts.link)
    if google is not None and (
        facts.is_out(SideName.GOOGLE) or not is_imported(google)
    ):
        if not policy.writes_crm:
            return dormant(facts, SideName.GOOGLE) or Reconciled(None, facts.link)
        again = not facts.is_out(SideName.GOOGLE)
        reason = "not_imported_now" if again else "deleted_in_google"
        steps = Steps(delete_crm=True, restage_google=again)
        return Reconciled(deleting(facts, item_id, reason, steps), facts.link)
    result = reconcile_fields(facts, table, policy, item_id, forced=SideName.GOOGLE)
    lost = result.item is not None and any(c.lost for c in result.item.changes)
    if result.item is None or not lost:
        return result
    return replace(result, item=replace(result.item, reason="import_edited"))


# ------------------------------------------------------------------ members' edits


def _is_forking(facts: Facts, table: FieldTable) -> bool:
    """Whether the CRM's record shows an edit that the organiser did not make."""
    remote = facts.crm
    if remote is None or facts.is_out(SideName.CRM):
        return False
    base = facts.link.base.crm
    return any(
        not table.is_same(name, facts.crm_values.get(name, ""), base.get(name, ""))
        and not table.is_same(
            name, facts.crm_values.get(name, ""), facts.google_values.get(name, "")
        )
        for name in table.names
        if name not in {"answer", "attendees"} | TOLD
    )


def _forked_in_crm(facts: Facts, item_id: str) -> Item:
    steps = Steps(ignore_google=True, alone=True, restage_crm=True)
    return unlinking(facts, item_id, "forked_in_crm", steps)


def _writes_back(facts: Facts, policy: Policy, original: SideName) -> bool:
    """Whether an edit goes to the original, for its side lets the user do so."""
    shown = facts.remote(original)
    return (
        policy.member_edit is MemberEdit.WRITE_BACK
        and shown is not None
        and not note_of(shown, "locked")
    )


def _edited_by_member(
    facts: Facts, role: Role, table: FieldTable, policy: Policy, item_id: str
) -> Reconciled | None:
    """Decide about an edit by somebody who does not organise it (CAL-8, CAL-11)."""
    if role is Role.INVITED and policy.writes_google and _is_dropped(facts):
        # To cancel one occurrence of somebody else's series is to decline it (CAL-4).
        steps = Steps(ignore_crm=True, ignore_google=True)
        answer = {"answer": DECLINED}
        item = _ending(facts, item_id, "declined_in_crm", google=answer, steps=steps)
        return Reconciled(item, facts.link)
    if role is Role.INVITED and policy.writes_google and _is_forking(facts, table):
        original, forked = SideName.GOOGLE, _forked_in_crm
    elif (
        role is Role.SEPARATE
        and policy.writes_crm
        and _is_edited(facts, SideName.GOOGLE, table)
    ):
        original, forked = SideName.CRM, partial(_forked_in_google, policy)
    else:
        return None
    if policy.member_edit is MemberEdit.FORK:
        return Reconciled(forked(facts, item_id), facts.link)
    if _writes_back(facts, policy, original):
        return None
    return _proposed(facts, table, policy, item_id, original)


def _is_dropped(facts: Facts) -> bool:
    """Whether an occurrence was cancelled in the CRM, and takes place in Google."""
    was, shown = facts.link.base.crm, (facts.crm_values, facts.google_values)
    is_cancelled, is_cancelled_there = (bool(v.get("cancelled")) for v in shown)
    return is_cancelled and not was.get("cancelled") and not is_cancelled_there


def _forked_in_google(policy: Policy, facts: Facts, item_id: str) -> Item:
    steps = Steps(
        ignore_crm=not policy.keeps_original,
        restage_crm=policy.keeps_original,
        restage_google=True,
        alone=True,
    )
    return unlinking(facts, item_id, "forked_in_google", steps)


def _proposed(
    facts: Facts, table: FieldTable, policy: Policy, item_id: str, original: SideName
) -> Reconciled:
    """Return the member's copy to the original; the edit is kept as a losing value."""
    result = reconcile_fields(facts, table, policy, item_id, forced=original)
    if result.item is None:
        return result
    return replace(result, item=replace(result.item, reason="proposed"))


def match_key(values: Values, table: FieldTable) -> str:
    """Return the one key by which activities are linked (CAL-2); "" matches nothing.

    Regarding at the CRM's length, start and duration; series by their rule, too.
    """
    start = values.get("start", "")
    if not start or values.get("slot"):
        return ""
    parts = (
        _short("subject", values, table),
        table.canonical("start", start),
        values.get("duration", ""),
        canonical_rule(values.get("recurrence", "")),
    )
    return "\x1f".join(parts)


def task_match_key(values: Values, table: FieldTable) -> str:
    """Return the one key by which to-dos are linked (TSK-1); "" matches nothing."""
    title = _short("title", values, table)
    return f"{title}\x1f{values.get('due', '')[:10]}" if title else ""


def _short(name: str, values: Values, table: FieldTable) -> str:
    """Return a text in canonical form at the CRM's length."""
    value, limit = values.get(name, ""), table.crm_limits.get(name)
    return table.canonical(name, value if limit is None else cut(value, limit))
