"""Edits by somebody who does not organise it, per role and rule (CAL-8, CAL-11)."""

from __future__ import annotations

from typing import Any

import pytest

from crmsync.engine.activities import reconcile_activity
from crmsync.engine.plan import Action
from crmsync.engine.policy import Direction, MemberEdit, Policy
from crmsync.engine.reconcile import Facts, Reconciled
from crmsync.engine.roles import looked_at
from crmsync.records.activities import FIELDS, Role
from crmsync.records.remote import Base, Link, Remote
from crmsync.records.values import FieldTable, SideName

TABLE = FieldTable(FIELDS, {})
WAS = {"subject": "Review", "start": "2026-12-01T09:00:00Z", "duration": "60"}
CRM, GOOGLE = SideName
FORK, PROPOSE, WRITE_BACK = MemberEdit


def decide(
    role: Role,
    mode: MemberEdit,
    edited: SideName,
    *,
    locked: bool = False,
    direction: Direction = Direction.BOTH,
    **edit: str,
) -> Reconciled:
    """Let one side of a link be edited, and decide about it."""
    values = {side: {**WAS, **(edit if side is edited else {})} for side in SideName}
    notes: dict[SideName, dict[str, Any]] = {
        CRM: {"organizer": role.leads},
        GOOGLE: {"organizer": role.organizes},
    }
    notes[edited.other]["locked"] = locked
    remotes = {
        side: Remote(side, f"{side}1", "2", values[side], notes[side])
        for side in SideName
    }
    link = Link("L1", "crm1", "google1", Base(WAS, WAS), role=role.value)
    facts = Facts(link, remotes[CRM], remotes[GOOGLE], values[CRM], values[GOOGLE])
    policy = Policy(member_edit=mode, direction=direction)
    return reconcile_activity(facts, TABLE, policy, "I1")


@pytest.mark.rule("CAL-8", "CAL-11")
@pytest.mark.parametrize(
    ("role", "edited", "mode", "locked", "reason", "written"),
    [
        (Role.INVITED, CRM, FORK, False, "forked_in_crm", None),
        (Role.INVITED, CRM, PROPOSE, False, "proposed", CRM),
        (Role.INVITED, CRM, PROPOSE, True, "proposed", CRM),
        (Role.INVITED, CRM, WRITE_BACK, True, "proposed", CRM),
        (Role.INVITED, CRM, WRITE_BACK, False, "edited_in_crm", GOOGLE),
        (Role.SEPARATE, GOOGLE, FORK, False, "forked_in_google", None),
        (Role.SEPARATE, GOOGLE, PROPOSE, False, "proposed", GOOGLE),
        (Role.SEPARATE, GOOGLE, WRITE_BACK, True, "proposed", GOOGLE),
        (Role.SEPARATE, GOOGLE, WRITE_BACK, False, "edited_in_google", CRM),
        (Role.OWN, CRM, FORK, False, "edited_in_crm", GOOGLE),
        (Role.OWN, GOOGLE, PROPOSE, True, "edited_in_google", CRM),
        (Role.SEPARATE, CRM, WRITE_BACK, False, "edited_in_crm", GOOGLE),
        (Role.INVITED, GOOGLE, WRITE_BACK, False, "edited_in_google", CRM),
    ],
)
def test_an_edit_goes_where_its_role_and_the_rule_say(
    role: Role,
    edited: SideName,
    mode: MemberEdit,
    locked: bool,
    reason: str,
    written: SideName | None,
) -> None:
    item = decide(role, mode, edited, locked=locked, location="Garden").item

    assert item is not None
    assert item.reason == reason
    for side in SideName:
        assert bool(item.writes(side)) is (side is written)
    if reason == "proposed":
        assert [change.lost for change in item.changes] == ["Garden"]


@pytest.mark.rule("CAL-8")
@pytest.mark.parametrize("mode", MemberEdit)
@pytest.mark.parametrize("name", ["answer", "attendees"])
def test_answers_and_guests_never_fork_and_are_never_proposed(
    mode: MemberEdit, name: str
) -> None:
    edit = decide(Role.INVITED, mode, CRM, answer="declined")
    if name == "attendees":
        edit = decide(Role.INVITED, mode, CRM, attendees="jo@customer.example")
    item = edit.item

    if name == "answer":
        assert item is not None
        assert item.google == {"answer": "declined"}
    else:
        assert item is None or item.action is Action.SKIP


@pytest.mark.rule("CAL-8", "CON-5")
@pytest.mark.parametrize("mode", MemberEdit)
def test_where_nothing_may_be_written_nothing_is_proposed(mode: MemberEdit) -> None:
    to_crm = decide(Role.INVITED, mode, CRM, direction=Direction.TO_CRM, notes="x")
    to_google = decide(
        Role.SEPARATE, mode, GOOGLE, direction=Direction.TO_GOOGLE, notes="x"
    )

    for decided in (to_crm, to_google):
        assert decided.item is None or decided.item.reason != "proposed"


@pytest.mark.rule("CAL-8")
@pytest.mark.parametrize(
    ("role", "mode", "side"),
    [
        (Role.INVITED, WRITE_BACK, GOOGLE),
        (Role.SEPARATE, WRITE_BACK, CRM),
        (Role.INVITED, PROPOSE, None),
        (Role.SEPARATE, FORK, None),
        (Role.OWN, WRITE_BACK, None),
        (Role.COPY, WRITE_BACK, None),
    ],
)
def test_the_original_is_looked_at_only_where_it_matters(
    role: Role, mode: MemberEdit, side: SideName | None
) -> None:
    link = Link("L1", "crm1", "google1", Base(WAS, WAS), role=role.value)

    assert looked_at(link, Policy(member_edit=mode)) is side


@pytest.mark.rule("CAL-4", "CAL-8")
@pytest.mark.parametrize("mode", MemberEdit)
def test_cancelling_an_occurrence_of_anothers_series_declines_it(
    mode: MemberEdit,
) -> None:
    item = decide(Role.INVITED, mode, CRM, cancelled="yes").item

    assert item is not None
    assert item.google == {"answer": "declined"}
    assert not item.crm
    assert item.steps.unlink
    assert item.steps.ignore_google
    assert item.steps.ignore_crm
