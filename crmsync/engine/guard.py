"""Guards: when a plan as a whole has to wait for a person (ENG-6)."""

from __future__ import annotations

from dataclasses import dataclass

from crmsync.engine.plan import Action, Item
from crmsync.engine.policy import Policy
from crmsync.records.values import SideName


@dataclass(frozen=True, slots=True)
class Totals:
    """What a plan amounts to.

    Attributes:
        removals: records deleted or unlinked.
        blanked: records with a field that loses its value without another one.
        creates: records made, on both sides together.
        told: guests that Google would tell (CAL-20).
    """

    removals: int = 0
    blanked: int = 0
    creates: int = 0
    told: int = 0

    def __add__(self, other: Totals) -> Totals:
        """Add up two plans."""
        return Totals(
            self.removals + other.removals,
            self.blanked + other.blanked,
            self.creates + other.creates,
            self.told + other.told,
        )


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a person accepted: the totals of the plan they saw."""

    totals: Totals = Totals()
    is_first: bool = False


def count(item: Item) -> Totals:
    """Count one item."""
    is_removal = item.action in {Action.DELETE, Action.UNLINK}
    if item.reason == "turned_over":
        is_removal = False  # its record stays, with another event
    return Totals(
        removals=int(is_removal),
        blanked=int(not is_removal and _blanks(item)),
        creates=int(item.action is Action.CREATE),
        told=item.guests,
    )


def _blanks(item: Item) -> bool:
    """Whether the item empties more than it fills on some side."""
    for side in SideName:
        writes = item.writes(side)
        if not writes:
            continue
        emptied = sum(1 for n, v in writes.items() if not v and item.seen(side).get(n))
        filled = sum(1 for n, v in writes.items() if v and not item.seen(side).get(n))
        if emptied > filled:
            return True
    return False


def threshold(links: int, policy: Policy) -> int:
    """Return how many links one cycle may remove or blank without asking.

    >>> threshold(100, Policy()), threshold(1000, Policy())
    (10, 50)
    """
    return max(policy.hold_records, links * policy.hold_percent // 100)


def objection(
    totals: Totals,
    links: int,
    policy: Policy,
    allowance: Allowance,
    emptied: SideName | None,
) -> str | None:
    """Return why the plan must wait for a person, or None.

    Args:
        totals: what the plan amounts to.
        links: links of the pair before the cycle.
        policy: the numbers.
        allowance: what a person accepted beforehand.
        emptied: a side that shows none of the linked records any more.
    """
    allowed = allowance.totals
    bound = threshold(links, policy)
    removed = totals.removals + totals.blanked
    if removed > max(bound, allowed.removals + allowed.blanked):
        return "mass_deletion"
    if totals.removals > max(bound, allowed.removals):
        # Accepted blankings do not pay for removals.
        return "mass_deletion"
    if emptied is not None and totals.removals > allowed.removals:
        return "side_emptied"
    if totals.creates > allowed.creates + policy.hold_creates:
        return "mass_creation"
    if totals.told > max(policy.notification_budget, allowed.told):
        return "notification_budget"
    return None


OBJECTIONS = {
    "first_cycle": "This is the first cycle: look at what it would do and accept it.",
    "mass_deletion": "The cycle would delete, unlink or blank an unusual number of "
    "records. Nothing was done; look at the plan and approve or reject it.",
    "side_emptied": "One side suddenly shows no linked record at all. Nothing was "
    "done; look at the plan and approve or reject it.",
    "mass_creation": "The cycle would create many more records than announced. "
    "Nothing was done; look at the plan and approve or reject it.",
    "notification_budget": "Google would write to more guests than one cycle may. "
    "Nothing was done; look at the plan and approve or reject it.",
}
