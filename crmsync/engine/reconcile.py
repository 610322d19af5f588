"""Deciding about linked records and making items (CON-8, CON-12 … CON-15, CON-22).

Pure: the same inputs give the same plan. `Facts` is one link with what both sides
show now; a side that shows nothing new stands at its base.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from crmsync.engine.fit import fit
from crmsync.engine.merge import Context, FieldChange, Merged, Note, Winner, merge
from crmsync.engine.plan import Action, Item, ItemDirection, ItemState, Steps
from crmsync.engine.plan import direction_of as _direction
from crmsync.engine.policy import DeleteFromGoogle, Policy
from crmsync.records.remote import Base, Link, Remote, Sent
from crmsync.records.values import FieldDirection, FieldTable, SideName, Values

NEVER = "\ufdd0"
"""A text that no record holds: a base with it counts as edited, even by blanking."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Facts:
    """One link and what both sides show of it.

    Attributes:
        name: what people call the record.
        is_shared: another user's link holds the same Google record (CON-23), or a copy
            of the event (CAL-9).
        is_edited_within: of a series that one side deleted: occurrences were edited on
            the other.
        is_orphan: of an occurrence: its series is not linked any more, or is leaving.
        oldest_send: seconds since the epoch; an older send cannot arrive any more.
        link: the stored bond.
        crm, google: the records now; None if nothing new was seen.
        crm_values, google_values: their mapped fields, read with the base.
        pristine: the Google record holds nothing but what we wrote (CON-12); known
            only for records that left the Contact Sync Group.
    """

    link: Link
    crm: Remote | None
    google: Remote | None
    crm_values: Values
    google_values: Values
    pristine: bool = False
    oldest_send: float = 0.0
    is_shared: bool = False
    name: str = ""
    is_orphan: bool = False
    is_edited_within: bool = False

    def remote(self, side: SideName) -> Remote | None:
        """Return what one side shows."""
        return self.crm if side is SideName.CRM else self.google

    def values(self, side: SideName) -> Values:
        """Return the mapped fields of one side."""
        return self.crm_values if side is SideName.CRM else self.google_values

    def is_gone(self, side: SideName) -> bool:
        """Whether the record is deleted on one side."""
        remote = self.remote(side)
        return remote is not None and remote.is_gone

    def is_out(self, side: SideName) -> bool:
        """Whether the record is deleted or no longer selected on one side."""
        remote = self.remote(side)
        return remote is not None and (remote.is_gone or not remote.is_selected)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What becomes of a link: an item for the plan, and the link as it is now.

    Attributes:
        item: None if nothing has to be written and nothing is worth telling.
        link: with versions, base and unsettled sends brought up to date.
    """

    item: Item | None
    link: Link


def settle_sends(link: Link, facts: Facts, table: FieldTable) -> tuple[Link, set[str]]:
    """Fold earlier writes without an outcome into the base (ENG-3).

    A field that shows what was sent is our own write: it becomes the base of both
    sides. A send stays on the list while the side still shows the version that it
    was based on.

    Returns:
        The link, and the fields in which a value equal to the base may be either
        an untouched one or a person's revert.
    """
    crm, google = dict(link.base.crm), dict(link.base.google)
    disputed: set[str] = set()
    kept: list[Sent] = []
    for sent in link.sends:
        remote = facts.remote(sent.side)
        if remote is None:
            kept.append(sent)
            continue
        shown = facts.values(sent.side)
        mine, others = (crm, google) if sent.side is SideName.CRM else (google, crm)
        for name, value in sent.values.items():
            if name not in table.names:
                continue
            if table.is_same(name, shown.get(name, ""), value):
                mine[name], others[name] = value, sent.other.get(name, "")
                disputed.discard(name)
            elif remote.etag != sent.etag:
                disputed.add(name)
        may_arrive = remote.etag == sent.etag and sent.at > facts.oldest_send
        if may_arrive and not remote.is_gone:
            kept.append(sent)
    return replace(link, base=Base(crm, google), sends=tuple(kept)), disputed


def reconcile(
    facts: Facts, table: FieldTable, policy: Policy, item_id: str
) -> Reconciled:
    """Decide about one link.

    Args:
        facts: the link and both sides.
        table: the mapped fields.
        policy: the pair's rules.
        item_id: the id for a new item.
    """
    crm_out, google_out = facts.is_out(SideName.CRM), facts.is_out(SideName.GOOGLE)
    if crm_out or google_out:
        left = _reconcile_left(facts, policy, item_id)
        if left is not None:
            return left
    return reconcile_fields(facts, table, policy, item_id)


def reconcile_fields(
    facts: Facts,
    table: FieldTable,
    policy: Policy,
    item_id: str,
    *,
    forced: SideName | None = None,
) -> Reconciled:
    """Merge both sides of a link that neither of them left.

    Args:
        facts: the link and both sides.
        table: the mapped fields.
        policy: the pair's rules.
        item_id: the id for a new item.
        forced: the side that wins every field, or None.
    """
    link, disputed = settle_sends(facts.link, facts, table)
    link = _with_versions(link, facts)
    context = Context(table, policy, newest(facts), forced, frozenset(disputed))
    merged = merge(link.base, facts.crm_values, facts.google_values, context)
    edited = facts.google is not None and not _is_as_base(
        table, facts.google_values, link.base.google
    )
    link = replace(link, is_google_edited=link.is_google_edited or edited)
    if merged.is_quiet:
        quiet = replace(link, base=merged.base)
        return Reconciled(_told(merged, quiet, facts, item_id), quiet)
    return Reconciled(_update(merged, link, facts, item_id), link)


def _is_as_base(table: FieldTable, values: Values, base: Values) -> bool:
    return table.are_same(values, base)


def newest(facts: Facts) -> SideName:
    """Return the side edited last; a tie is Google's (architecture, decision 15)."""
    crm = facts.crm.modified_at if facts.crm is not None else None
    google = facts.google.modified_at if facts.google is not None else None
    return (
        SideName.CRM if (crm or _LONG_AGO) > (google or _LONG_AGO) else SideName.GOOGLE
    )


def _with_versions(link: Link, facts: Facts) -> Link:
    if facts.crm is not None:
        link = replace(link, crm_etag=facts.crm.etag, crm_stamp=facts.crm.stamp)
    if facts.google is not None:
        link = replace(
            link,
            google_id=facts.google.remote_id,
            google_etag=facts.google.etag,
            google_stamp=max(link.google_stamp, facts.google.stamp),
            has_key=link.has_key or bool(facts.google.key),
        )
    return link


def _reconcile_left(facts: Facts, policy: Policy, item_id: str) -> Reconciled | None:
    """Decide about a link that one side left; None if the merge goes on."""
    crm_out, google_out = facts.is_out(SideName.CRM), facts.is_out(SideName.GOOGLE)
    if crm_out and google_out:
        item = unlinking(facts, item_id, "gone_on_both", Steps())
        return Reconciled(item, facts.link)
    if crm_out:
        if not policy.writes_google:
            return dormant(facts, SideName.CRM)
        return Reconciled(_leave_google(facts, policy, item_id), facts.link)
    if not policy.writes_crm:
        return dormant(facts, SideName.GOOGLE)
    is_gone = facts.is_gone(SideName.GOOGLE)
    reason = "deleted_in_google" if is_gone else "left_label"
    item = unlinking(facts, item_id, reason, Steps(deselect_crm=True))
    return Reconciled(item, facts.link)


def dormant(facts: Facts, side: SideName) -> Reconciled | None:
    """Leave the other side as it is, for the direction forbids to act (CON-5)."""
    if not facts.is_gone(side):
        return None
    return Reconciled(None, replace(facts.link, dormant=side))


def _leave_google(facts: Facts, policy: Policy, item_id: str) -> Item:
    is_gone = facts.is_gone(SideName.CRM)
    reason = "deleted_in_crm" if is_gone else "left_group"
    if facts.is_shared:
        # Two users of one Google account: the other one goes on with the record.
        return unlinking(facts, item_id, reason, Steps())
    if is_gone:
        return unlinking(facts, item_id, reason, Steps(deselect_google=True))
    mode = policy.delete_from_google
    ours = facts.link.created_in is SideName.GOOGLE and facts.pristine
    deletes = mode is DeleteFromGoogle.ALWAYS or (
        mode is DeleteFromGoogle.CREATED and ours
    )
    if deletes:
        item = unlinking(facts, item_id, "left_group", Steps(delete_google=True))
        return replace(item, action=Action.DELETE)
    return unlinking(facts, item_id, "left_group", Steps(deselect_google=True))


def unlinking(facts: Facts, item_id: str, reason: str, steps: Steps) -> Item:
    """Return the item that ends a link, with what else is to be done."""
    crm = steps.deselect_crm or steps.delete_crm
    google = steps.deselect_google or steps.delete_google
    return Item(
        item_id=item_id,
        action=Action.UNLINK,
        direction=_direction(crm, google),
        reason=reason,
        link_id=facts.link.link_id,
        crm_id=facts.link.crm_id,
        google_id=facts.link.google_id,
        name=facts.name,
        base=facts.link.base,
        base_before=facts.link.base,
        crm_etag=facts.link.crm_etag,
        google_etag=facts.link.google_etag,
        google_stamp=max(
            facts.link.google_stamp, facts.google.stamp if facts.google else ""
        ),
        crm_seen=facts.crm_values,
        google_seen=facts.google_values,
        steps=steps,
        changes=_kept_edits(facts, steps),
    )


def _kept_edits(facts: Facts, steps: Steps) -> tuple[FieldChange, ...]:
    """Note what a deletion takes away, so that it can be restored."""
    if steps.delete_crm:
        return tuple(
            FieldChange(n, v, "", facts.google_values.get(n, ""), "", Winner.GOOGLE)
            for n, v in facts.crm_values.items()
            if v
        )
    if not steps.delete_google:
        return ()
    kept: list[FieldChange] = []
    for name, value in facts.google_values.items():
        crm = facts.crm_values.get(name, "")
        if value:
            kept.append(FieldChange(name, crm, crm, value, "", Winner.CRM))
    return tuple(kept)


def _update(merged: Merged, link: Link, facts: Facts, item_id: str) -> Item:
    crm_changed = any(c.crm_before != c.crm_after for c in merged.changes)
    google_changed = any(c.google_before != c.google_after for c in merged.changes)
    reason = "edited_on_both"
    if crm_changed != google_changed:
        reason = "edited_in_google" if crm_changed else "edited_in_crm"
    return Item(
        item_id=item_id,
        action=Action.UPDATE,
        direction=_direction(bool(merged.crm), bool(merged.google)),
        reason=reason,
        link_id=link.link_id,
        crm_id=link.crm_id,
        google_id=link.google_id,
        name=facts.name,
        crm=merged.crm,
        google=merged.google,
        base=merged.base,
        base_before=link.base,
        crm_etag=link.crm_etag,
        google_etag=link.google_etag,
        crm_stamp=link.crm_stamp,
        google_stamp=link.google_stamp,
        crm_seen=facts.crm_values,
        google_seen=facts.google_values,
        changes=merged.changes,
    )


def _told(merged: Merged, link: Link, facts: Facts, item_id: str) -> Item | None:
    """Return an item for what is worth telling although nothing is written."""
    worth = [
        c for c in merged.changes if c.note in {Note.COMPANY_EDITED, Note.TOO_LONG}
    ]
    if not worth:
        return None
    return Item(
        item_id=item_id,
        action=Action.SKIP,
        direction=ItemDirection.NONE,
        state=ItemState.SKIPPED,
        reason=worth[0].note or "",
        link_id=link.link_id,
        crm_id=link.crm_id,
        google_id=link.google_id,
        name=facts.name,
        base=link.base,
        base_before=link.base,
        changes=tuple(worth),
    )


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """Two records that are to be linked, why, and what people call them."""

    item_id: str
    link_id: str
    reason: str
    crm: Remote
    google: Remote
    crm_values: Values
    google_values: Values
    name: str = ""


def plan_linking(
    request: LinkRequest, table: FieldTable, policy: Policy
) -> tuple[Item, Link]:
    """Plan the linking of two records that exist on both sides (CON-6, CON-22).

    Returns:
        The item, and the link to store before anything is written: its base is such
        that the ordinary merge would do the rest if the cycle died in between.
    """
    crm, google = request.crm, request.google
    facts = Facts(
        Link(request.link_id, crm.remote_id, google.remote_id, Base()),
        crm,
        google,
        request.crm_values,
        request.google_values,
        name=request.name,
    )
    context = Context(table, policy, newest(facts))
    merged = merge(None, request.crm_values, request.google_values, context)
    before = _base_at_linking(merged, request.crm_values, request.google_values)
    link = Link(
        link_id=request.link_id,
        crm_id=crm.remote_id,
        google_id=google.remote_id,
        base=before,
        crm_etag=crm.etag,
        google_etag=google.etag,
        crm_stamp=crm.stamp,
        google_stamp=google.stamp,
        has_key=bool(google.key),
    )
    steps = Steps(select_google=not google.is_selected, select_crm=not crm.is_selected)
    item = replace(
        _update(merged, link, facts, request.item_id),
        action=Action.LINK,
        reason=request.reason,
        steps=steps,
        direction=_direction(
            bool(merged.crm) or steps.select_crm,
            bool(merged.google) or steps.select_google,
        ),
    )
    return item, link


def _base_at_linking(merged: Merged, crm: Values, google: Values) -> Base:
    """Return a base from which the winner of each field counts as edited."""
    crm_base, google_base = dict(crm), dict(google)
    for change in merged.changes:
        if change.field in merged.google:
            crm_base[change.field] = NEVER
        if change.field in merged.crm:
            google_base[change.field] = NEVER
    return Base(crm_base, google_base)


def plan_create(
    item_id: str,
    remote: Remote,
    values: Values,
    table: FieldTable,
    key: str,
    *,
    name: str = "",
) -> Item:
    """Plan the creation of a record's counterpart on the other side (CON-8)."""
    target = remote.side.other
    writes: dict[str, str] = {}
    changes: list[FieldChange] = []
    for item in table.fields:
        value = values.get(item.name, "")
        if not value or not _may_create(item.direction, target):
            continue
        limit = (
            table.crm_limits.get(item.name)
            if target is SideName.CRM
            else item.google_limit
        )
        fitted = fit(item, value, limit)
        note = Note.TRUNCATED if fitted.is_cut else None
        if fitted.value is None:
            note = Note.TOO_LONG
        else:
            writes[item.name] = fitted.value
        changes.append(_created(item.name, value, fitted.value or "", target, note))
    base = Base(writes, values) if target is SideName.CRM else Base(values, writes)
    is_crm = target is SideName.CRM
    return Item(
        item_id=item_id,
        action=Action.CREATE,
        direction=_direction(is_crm, not is_crm),
        reason="no_counterpart",
        crm_id="" if is_crm else remote.remote_id,
        google_id=remote.remote_id if is_crm else "",
        name=name,
        crm=writes if is_crm else {},
        google={} if is_crm else writes,
        base=base,
        base_before=base,
        crm_etag="" if is_crm else remote.etag,
        google_etag=remote.etag if is_crm else "",
        crm_stamp="" if is_crm else remote.stamp,
        google_stamp=remote.stamp if is_crm else "",
        crm_seen={} if is_crm else values,
        google_seen=values if is_crm else {},
        changes=tuple(changes),
        key=key,
    )


def _may_create(direction: FieldDirection, target: SideName) -> bool:
    # CON-18: the company does go to the CRM at creation, only later it does not.
    return not (direction is FieldDirection.TO_CRM and target is SideName.GOOGLE)


def _created(
    name: str, source: str, made: str, target: SideName, note: Note | None
) -> FieldChange:
    if target is SideName.CRM:
        return FieldChange(name, "", made, source, source, note=note)
    return FieldChange(name, source, source, "", made, note=note)
