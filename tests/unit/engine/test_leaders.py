"""What a change of leader makes of a link, per role and side (CAL-25)."""

from __future__ import annotations

import pytest

from crmsync.engine.activities import reconcile_activity, role_of
from crmsync.engine.guard import count
from crmsync.engine.policy import Direction, Policy
from crmsync.engine.reconcile import Facts
from crmsync.records.activities import FIELDS, Role
from crmsync.records.remote import Base, Link, Remote
from crmsync.records.values import FieldTable, SideName

TABLE = FieldTable(FIELDS, {})
WAS = {"subject": "Review", "start": "2026-12-01T09:00:00Z", "duration": "60"}
pytestmark = pytest.mark.rule("CAL-25")


def facts(
    role: Role,
    *,
    leads: bool,
    organizes: bool,
    takes_part: bool = True,
    is_shared: bool = False,
    event_is_gone: bool = False,
    parent: str = "",
) -> Facts:
    """Return a link of a role and what both sides show of it now."""
    base = Base(WAS, WAS)
    link = Link("L1", "V1", "e1", base, role=role.value, parent=parent)
    notes = {"organizer": leads}
    crm = Remote(SideName.CRM, "V1", "2", WAS, notes, is_selected=takes_part)
    google = Remote(
        SideName.GOOGLE, "e1", "2", WAS, {"organizer": organizes}, is_gone=event_is_gone
    )
    return Facts(link, crm, google, WAS, WAS, is_shared=is_shared)


@pytest.mark.parametrize(
    ("known", "leads", "organizes", "role"),
    [
        (Role.OWN, True, True, Role.OWN),
        (Role.OWN, False, True, Role.FORMER),
        (Role.FORMER, False, True, Role.FORMER),
        (Role.FORMER, True, True, Role.OWN),
        (Role.SEPARATE, True, True, Role.SEPARATE),
        (Role.SEPARATE, False, True, Role.SEPARATE),
        (Role.COPY, False, False, Role.COPY),
        (Role.INVITED, True, False, Role.INVITED),
    ],
)
def test_a_role_follows_who_leads(
    known: Role, leads: bool, organizes: bool, role: Role
) -> None:
    assert role_of(facts(known, leads=leads, organizes=organizes)) is role


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize("direction", [Direction.BOTH, Direction.TO_CRM])
def test_a_member_who_leads_leaves_their_copy_and_deletes_nothing_in_the_crm(
    gone: bool, direction: Direction
) -> None:
    now = facts(Role.COPY, leads=True, organizes=False, event_is_gone=gone)

    decided = reconcile_activity(now, TABLE, Policy(direction=direction), "I1")

    assert decided.link.role == Role.COPY.value
    item = decided.item
    assert item is not None
    assert item.reason == "turned_over"
    assert item.steps.delete_google is (not gone and direction is Direction.BOTH)
    assert not item.steps.delete_crm
    assert item.steps.restage_crm
    assert count(item).removals == 0


def test_an_occurrence_of_such_a_series_goes_with_it() -> None:
    now = facts(Role.COPY, leads=True, organizes=False, parent="V0")

    assert reconcile_activity(now, TABLE, Policy(), "I1").item is None


@pytest.mark.parametrize(("shared", "reason"), [(True, None), (False, "no_member")])
def test_a_leader_who_takes_part_no_more_leaves_the_members_event(
    shared: bool, reason: str | None
) -> None:
    now = facts(
        Role.OWN, leads=False, organizes=True, takes_part=False, is_shared=shared
    )

    decided = reconcile_activity(now, TABLE, Policy(), "I1")

    assert (decided.item.reason if decided.item else None) == reason
    if shared:
        assert decided.link.role == Role.FORMER.value
