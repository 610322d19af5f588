"""The invitation firewall: whom Google may write to because of us (CAL-20).

A first cycle, a backfill and a retry tell nobody, nor does a write that guests would
not see, the asterisks of completion, or a change of something that is over.
"""

from __future__ import annotations

from crmsync.cycle.run import Run
from crmsync.engine.plan import Action, Item
from crmsync.records.activities import GUEST_FIELDS, Role, end_of
from crmsync.records.values import Values

_SHARED = frozenset({Role.OWN.value, Role.INVITED.value})


_QUIET = frozenset({"completed", "turned_over", "no_member"})
"""What never makes Google write: asterisks, and events that go over (CAL-25)."""


def guests_of(run: Run, item: Item, role: str, *, is_backlog: bool) -> int:
    """Return how many guests Google may tell of one planned item.

    Args:
        run: the running cycle.
        item: what is planned.
        role: of its link.
        is_backlog: it is part of a first cycle or a backfill.
    """
    is_new = item.action is Action.CREATE and bool(item.google)
    is_early = is_backlog or run.is_first
    if run.kind.name != "calendar" or is_early or role not in _SHARED:
        return 0
    if item.action is Action.RESTORE or item.sent_at or item.clean_reads:
        return 0
    if item.reason in _QUIET:
        return 0
    is_seen = bool(GUEST_FIELDS.intersection(item.google)) or item.steps.delete_google
    if not (is_new or is_seen):
        return 0
    now = {**item.google_seen, **item.google}
    if _is_over(run, now) and _is_over(run, item.google_seen or now):
        return 0
    return len(_guests(item.google_seen) | _guests(now))


def _guests(values: Values) -> set[str]:
    return set(values.get("attendees", "").splitlines()) - {""}


def _is_over(run: Run, values: Values) -> bool:
    end = end_of(values)
    return end is not None and not values.get("recurrence") and end < run.clock.now()
