"""The kinds that a cycle knows: contacts, calendar, tasks."""

from __future__ import annotations

from crmsync.cycle import twinning
from crmsync.cycle.kind import Kind
from crmsync.cycle.pairing import pair_side
from crmsync.cycle.run import Run
from crmsync.engine.activities import reconcile_activity
from crmsync.engine.match import match_keys
from crmsync.engine.reconcile import reconcile
from crmsync.engine.roles import looked_at
from crmsync.engine.todos import reconcile_todo
from crmsync.records import activities, contacts, tasks
from crmsync.records.remote import Remote


def _contact_keys(run: Run, record: Remote) -> tuple[str, ...]:
    return match_keys(run.identity(record))


CONTACTS = Kind(
    name="contacts",
    display_name=contacts.display_name,
    reconcile=reconcile,
    keys=_contact_keys,
    pair=pair_side,
    has_label=True,
)
CALENDAR = Kind(
    name="calendar",
    display_name=activities.display_name,
    reconcile=reconcile_activity,
    keys=twinning.activity_keys,
    pair=twinning.pair_activities,
    looked_at=looked_at,
    may_repeat=True,
)
TASKS = Kind(
    name="tasks",
    display_name=tasks.display_name,
    reconcile=reconcile_todo,
    keys=twinning.task_keys,
    pair=twinning.pair_tasks,
)
KINDS = {kind.name: kind for kind in (CONTACTS, CALENDAR, TASKS)}
