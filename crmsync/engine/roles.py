"""Which fields a user synchronises, and which way, by their role in an activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from crmsync.engine.policy import MemberEdit, Policy
from crmsync.records.activities import TOLD, Role
from crmsync.records.remote import Link
from crmsync.records.values import FieldDirection, FieldTable, SideName

_NOT_FOR_GUESTS = frozenset({"visibility", "context", "imported"})
_ORGANIZERS_OWN = frozenset({"attendees", "answer", "cancelled", "slot"}) | TOLD
"""What a guest never writes to the event itself, even where Google allows edits."""
_DROPPED: Mapping[Role, frozenset[str]] = {
    Role.OWN: frozenset({"answer", "imported"}),
    Role.SOLO: frozenset({"answer", "attendees", "slot", "imported"}) | TOLD,
    Role.SEPARATE: frozenset({"answer", "attendees", "imported"}) | TOLD,
    Role.FORMER: frozenset({"answer", "attendees", "imported"}) | TOLD,
    Role.INVITED: _NOT_FOR_GUESTS,
    # Members would get events of their own for what nobody here organises.
    Role.IMPORTED: frozenset({"attendees", "visibility", "context"}),
}


def narrowed(table: FieldTable, role: Role) -> FieldTable:
    """Return the fields that a user in this role synchronises, and which way."""
    if role is Role.COPY:
        fields = tuple(field for field in table.fields if field.name == "answer")
    else:
        dropped = _DROPPED[role]
        fields = tuple(field for field in table.fields if field.name not in dropped)
    if role is Role.INVITED:
        # Only the organiser changes an event; what a guest owns is the answer.
        fields = tuple(
            field
            if field.name == "answer"
            else replace(field, direction=FieldDirection.TO_CRM)
            for field in fields
        )
    if role is Role.IMPORTED:
        fields = tuple(replace(f, direction=FieldDirection.TO_CRM) for f in fields)
    return replace(table, fields=fields)


def opened(table: FieldTable) -> FieldTable:
    """Return the fields of a guest whom Google lets change the event (CAL-8)."""
    fields = tuple(
        field
        if field.name in _ORGANIZERS_OWN
        else replace(field, direction=FieldDirection.BOTH)
        for field in table.fields
    )
    return replace(table, fields=fields)


def looked_at(link: Link, policy: Policy) -> SideName | None:
    """Return the side that says whether the user may edit the original (CAL-8)."""
    if policy.member_edit is not MemberEdit.WRITE_BACK:
        return None
    sides = {Role.INVITED.value: SideName.GOOGLE, Role.SEPARATE.value: SideName.CRM}
    return sides.get(link.role)


def creating(table: FieldTable, role: Role) -> FieldTable:
    """Return the fields that a new counterpart gets."""
    fields = narrowed(table, role)
    if role not in {Role.INVITED, Role.IMPORTED}:
        return fields
    # Whether it is private decides the type of the new activity (CAL-3).
    return replace(fields, fields=(*fields.fields, table["visibility"]))
