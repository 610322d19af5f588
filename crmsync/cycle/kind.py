"""What is special about one kind of record, as the cycle sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crmsync.engine.policy import Policy
from crmsync.engine.reconcile import Facts, Reconciled
from crmsync.records.remote import Link, Remote
from crmsync.records.values import FieldTable, SideName, Values

if TYPE_CHECKING:
    from crmsync.cycle.planning import Plan
    from crmsync.cycle.run import Progress, Run


def _nothing(_link: Link, _policy: Policy) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """Rules of one kind.

    Attributes:
        name: `contacts`, `calendar` or `tasks`.
        display_name: what people call a record.
        reconcile: decides about one link.
        keys: by what the directory of Google records finds a record.
        pair: plans selected records of one side that have no link.
        looked_at: the side that is read along before deciding about a link whose other
            side has news, or None.
        has_label: records are selected by a label and a group, merged, and deleted in
            Google only if they are ours (CON-4, CON-12, CON-21).
        may_repeat: a create may be sent to Google again at once, for the id is ours.
    """

    name: str
    display_name: Callable[[Values], str]
    reconcile: Callable[[Facts, FieldTable, Policy, str], Reconciled]
    keys: Callable[[Run, Remote], tuple[str, ...]]
    pair: Callable[[Run, SideName, Progress, Plan], None]
    looked_at: Callable[[Link, Policy], SideName | None] = _nothing
    has_label: bool = False
    may_repeat: bool = False
