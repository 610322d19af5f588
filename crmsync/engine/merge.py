"""The three-way merge of one linked record, field by field (CON-11, CON-15, CON-22).

Pure: no I/O, no clock. A side's value has *changed* when it differs from that side's
base under the field's equivalence; the two halves of the base may differ from each
other (a truncated text, a one-way field) and that alone is no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from crmsync.engine.fit import fit
from crmsync.engine.policy import Conflict, Direction, Granularity, Policy
from crmsync.records.remote import Base
from crmsync.records.values import Field, FieldDirection, FieldTable, SideName, Values


class Winner(StrEnum):
    """Whose value a field has after the merge; `merged` for a whole item."""

    GOOGLE = "google"
    CRM = "crm"
    MERGED = "merged"


class Note(StrEnum):
    """What else a person should know about one field."""

    TRUNCATED = "truncated"
    TOO_LONG = "too_long"
    COMPANY_EDITED = "company_edited"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one item, before and after, on both sides (HIS-2).

    Attributes:
        winner: whose value was taken; None where nothing was to decide.
        lost: the losing value of a conflict, kept for restoring (CON-11).
        lost_side: where the losing value stood.
        note: truncation and the like.
    """

    field: str
    crm_before: str
    crm_after: str
    google_before: str
    google_after: str
    winner: Winner | None = None
    lost: str | None = None
    lost_side: SideName | None = None
    note: Note | None = None

    @property
    def is_conflict(self) -> bool:
        """Whether a value lost."""
        return self.lost is not None


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome of one merge.

    Attributes:
        crm, google: fields to write on each side, with their new values.
        base: both sides once everything is written.
        changes: what people see of it.
    """

    crm: Values
    google: Values
    base: Base
    changes: tuple[FieldChange, ...] = ()

    @property
    def is_quiet(self) -> bool:
        """Whether neither side has to be written."""
        return not self.crm and not self.google

    @property
    def has_conflict(self) -> bool:
        """Whether some value lost."""
        return any(change.is_conflict for change in self.changes)

    @property
    def truncated(self) -> tuple[str, ...]:
        """The fields that were shortened."""
        return tuple(c.field for c in self.changes if c.note is Note.TRUNCATED)


@dataclass(frozen=True, slots=True)
class Versions:
    """The four texts of one field that a merge looks at; base is None at linking."""

    crm: str
    google: str
    crm_base: str | None
    google_base: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """What all fields of one merge share.

    Attributes:
        newest: the side that was edited last, for `conflict = newest`.
        forced: the side that wins every field (record granularity).
        disputed: fields whose earlier write has an unsettled outcome: a value there
            that equals the base may be a revert, so what is overwritten is kept.
    """

    table: FieldTable
    policy: Policy
    newest: SideName = SideName.GOOGLE
    forced: SideName | None = None
    disputed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one field comes to: `source` is the side whose value goes to the other."""

    source: SideName | None = None
    is_conflict: bool = False
    note: Note | None = None


@dataclass(slots=True)
class _Tally:
    crm: dict[str, str] = field(default_factory=dict)
    google: dict[str, str] = field(default_factory=dict)
    crm_base: dict[str, str] = field(default_factory=dict)
    google_base: dict[str, str] = field(default_factory=dict)
    changes: list[FieldChange] = field(default_factory=list)


def merge(base: Base | None, crm: Values, google: Values, context: Context) -> Merged:
    """Merge both sides of one linked record.

    Args:
        base: as last agreed on; None when the two are being linked (CON-22).
        crm: the CRM side now.
        google: the Google side now, read with the same base.
        context: table, policy and who was edited last.
    """
    if context.forced is None and context.policy.granularity is Granularity.RECORD:
        loser = _record_conflict(base, crm, google, context)
        if loser is not None:
            forced = Context(
                context.table,
                context.policy,
                context.newest,
                loser.other,
                context.disputed,
            )
            return merge(base, crm, google, forced)
    tally = _Tally()
    for item in context.table.fields:
        versions = _versions(item.name, base, crm, google)
        _settle(item, versions, _decide(item, versions, context), context, tally)
    return Merged(
        {k: v for k, v in tally.crm.items() if v != crm.get(k, "")},
        {k: v for k, v in tally.google.items() if v != google.get(k, "")},
        # A field that is switched off keeps its base for the day it comes back.
        Base(
            _present({**(base.crm if base else {}), **tally.crm_base}),
            _present({**(base.google if base else {}), **tally.google_base}),
        ),
        tuple(tally.changes),
    )


def _present(values: Mapping[str, str]) -> Values:
    return {name: value for name, value in values.items() if value}


def _versions(name: str, base: Base | None, crm: Values, google: Values) -> Versions:
    if base is None:
        return Versions(crm.get(name, ""), google.get(name, ""), None, None)
    return Versions(
        crm.get(name, ""),
        google.get(name, ""),
        base.crm.get(name, ""),
        base.google.get(name, ""),
    )


def conflict_winner(context: Context) -> SideName:
    """Return who wins a conflict under the pair's direction and policy."""
    if context.forced is not None:
        return context.forced
    if context.policy.direction is Direction.TO_GOOGLE:
        return SideName.CRM
    if context.policy.direction is Direction.TO_CRM:
        return SideName.GOOGLE
    if context.policy.conflict is Conflict.NEWEST:
        return context.newest
    return SideName(context.policy.conflict.value)


def _record_conflict(
    base: Base | None, crm: Values, google: Values, context: Context
) -> SideName | None:
    """Return the losing side if any field is in conflict, else None."""
    for item in context.table.fields:
        versions = _versions(item.name, base, crm, google)
        if _decide(item, versions, context).is_conflict:
            return conflict_winner(context).other
    return None


def _decide(item: Field, versions: Versions, context: Context) -> _Outcome:
    if versions.crm_base is None or versions.google_base is None:
        outcome = _decide_linking(item, versions, context)
    else:
        outcome = _decide_linked(item, versions, context)
    return _within_direction(item, versions, outcome, context)


def _decide_linking(item: Field, versions: Versions, context: Context) -> _Outcome:
    if context.table.is_same(item.name, versions.crm, versions.google):
        return _Outcome()
    if _agrees_when_cut(item, versions, context):
        return _Outcome(note=Note.TRUNCATED)
    if not versions.crm:
        return _Outcome(SideName.GOOGLE)
    if not versions.google:
        return _Outcome(SideName.CRM)
    return _Outcome(conflict_winner(context), is_conflict=True)


def _decide_linked(item: Field, versions: Versions, context: Context) -> _Outcome:
    table = context.table
    crm_changed = not table.is_same(item.name, versions.crm, versions.crm_base or "")
    google_changed = not table.is_same(
        item.name, versions.google, versions.google_base or ""
    )
    if not crm_changed and not google_changed:
        return _Outcome()
    if table.is_same(item.name, versions.crm, versions.google):
        return _Outcome()
    if crm_changed and google_changed:
        if _agrees_when_cut(item, versions, context):
            return _Outcome(note=Note.TRUNCATED)
        return _Outcome(conflict_winner(context), is_conflict=True)
    if context.forced is not None:
        changed = SideName.CRM if crm_changed else SideName.GOOGLE
        return _Outcome(context.forced, is_conflict=changed is not context.forced)
    if crm_changed:
        # CON-15: the edited short text replaces the long one, which is kept.
        was_cut = not table.is_same(
            item.name, versions.crm_base or "", versions.google_base or ""
        )
        is_loss = bool(versions.google) and (was_cut or item.name in context.disputed)
        return _Outcome(SideName.CRM, is_conflict=is_loss)
    return _Outcome(
        SideName.GOOGLE,
        is_conflict=item.name in context.disputed and bool(versions.crm),
    )


def _agrees_when_cut(item: Field, versions: Versions, context: Context) -> bool:
    limit = context.table.crm_limits.get(item.name)
    if limit is None or not item.is_cut or len(versions.google) <= limit:
        return False
    fitted = fit(item, versions.google, limit).value or ""
    return context.table.is_same(item.name, fitted, versions.crm)


def _within_direction(
    item: Field, versions: Versions, outcome: _Outcome, context: Context
) -> _Outcome:
    """Stop what the pair's direction or the field's own one does not let pass."""
    if outcome.source is None:
        return outcome
    source = outcome.source
    if item.direction is FieldDirection.TO_GOOGLE and source is SideName.GOOGLE:
        # CON-18: an edit of the company in Google stays there and is shown once.
        was_edited = item.tells_edits and versions.google_base is not None
        return _Outcome(note=Note.COMPANY_EDITED if was_edited else None)
    if item.direction is FieldDirection.TO_CRM and source is SideName.CRM:
        return _Outcome()
    if item.keeps_when_blank and not _of(versions, source):
        return _Outcome()
    blocked = (
        not context.policy.writes_crm
        if source is SideName.GOOGLE
        else not context.policy.writes_google
    )
    return _Outcome(note=None) if blocked else outcome


def _of(versions: Versions, side: SideName) -> str:
    return versions.crm if side is SideName.CRM else versions.google


def _settle(
    item: Field, versions: Versions, outcome: _Outcome, context: Context, tally: _Tally
) -> None:
    """Write one field's outcome into the tally."""
    crm, google, note = versions.crm, versions.google, outcome.note
    if outcome.source is SideName.CRM:
        fitted = fit(item, crm, item.google_limit)
        google, note = _fitted(fitted.value, google), _note(fitted.value, fitted.is_cut)
    elif outcome.source is SideName.GOOGLE:
        fitted = fit(item, google, context.table.crm_limits.get(item.name))
        crm, note = _fitted(fitted.value, crm), _note(fitted.value, fitted.is_cut)
    name = item.name
    tally.crm[name], tally.google[name] = crm, google
    tally.crm_base[name], tally.google_base[name] = _base_after(
        item, versions, outcome, context, (crm, google)
    )
    change = _change(name, versions, (crm, google), outcome, note)
    if change is not None:
        tally.changes.append(change)


def _fitted(value: str | None, unchanged: str) -> str:
    return unchanged if value is None else value


def _note(value: str | None, is_cut: bool) -> Note | None:
    if value is None:
        return Note.TOO_LONG
    return Note.TRUNCATED if is_cut else None


def _base_after(
    item: Field,
    versions: Versions,
    outcome: _Outcome,
    context: Context,
    after: tuple[str, str],
) -> tuple[str, str]:
    """Return the base of one field once everything is written.

    What the pair's direction holds back is not agreed on: it keeps its old base, so
    that it crosses when the direction changes, and a later edit on the other side
    sees the conflict (CON-5).
    """
    if outcome.source is not None or versions.crm_base is None:
        return after
    same = context.table.is_same(item.name, versions.crm, versions.google)
    if same or outcome.note is not None or item.direction is not FieldDirection.BOTH:
        return after
    return versions.crm_base, versions.google_base or ""


def _change(
    name: str,
    versions: Versions,
    after: tuple[str, str],
    outcome: _Outcome,
    note: Note | None,
) -> FieldChange | None:
    crm, google = after
    if (crm, google) == (versions.crm, versions.google) and note is None:
        return None
    lost, lost_side = None, None
    if outcome.is_conflict and outcome.source is not None:
        lost_side = outcome.source.other
        lost = _of(versions, lost_side)
        if (crm, google) == (versions.crm, versions.google):
            lost, lost_side = None, None
    winner = Winner(outcome.source.value) if outcome.source is not None else None
    return FieldChange(
        name, versions.crm, crm, versions.google, google, winner, lost, lost_side, note
    )


def losing(
    table: FieldTable, side: SideName, base: Values, now: Values
) -> list[FieldChange]:
    """Return what a side has edited, as values that lose."""
    changes = []
    for name, value in now.items():
        if name in table.names and not table.is_same(name, value, base.get(name, "")):
            crm, google = (value, "") if side is SideName.CRM else ("", value)
            changes.append(FieldChange(name, crm, "", google, "", None, value, side))
    return changes
