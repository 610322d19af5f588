"""What one cycle runs with, and the small helpers that its phases share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from crmsync.cycle.kind import Kind
from crmsync.engine.match import Identity, identity
from crmsync.engine.plan import Item
from crmsync.engine.policy import Policy
from crmsync.engine.report import Carried
from crmsync.ports import Clock, CrmSide, Ids, Postponed, Side, SyncState
from crmsync.records.keys import SyncKey, parse_key
from crmsync.records.remote import Remote
from crmsync.records.values import FieldTable, SideName, Values

PAGE = 200
"""Records per commit and per lookup (architecture, section 6)."""

_FIRST_DELAY = timedelta(minutes=5)
_LONGEST_DELAY = timedelta(days=1)

T = TypeVar("T")


class SliceOver(Exception):
    """Ends a slice between two pages of writes; nothing is left half done."""


def _never() -> bool:
    return False


def _contacts() -> Kind:
    from crmsync.cycle.kinds import CONTACTS

    return CONTACTS


@dataclass(frozen=True, slots=True)
class Run:
    """Everything one cycle needs; built by the service, never changed.

    Attributes:
        crm, google: the two sides of the pair.
        state: our own state of the pair, under a lease.
        table: the mapped fields.
        policy: the pair's rules.
        clock, ids: where time and identifiers come from.
        installation, user: named in our keys (CON-20).
        settle_seconds: how long a create of unknown outcome waits (ENG-2).
        asks_first: no cycle of this pair was accepted yet and the setting
            `first_cycle` is `preview` (WEB-2).
        is_dry: nothing is written on either side.
        carried: what the slice before this one left; None begins a cycle.
        is_over: asked between pages of writes: whether this slice has had its time.
        kind: what is special about contacts, activities or to-dos.
        is_first: no cycle of this pair has ended yet: Google tells no guest (CAL-20).
        since: unlinked activities that ended before are left alone (CAL-19).
    """

    crm: CrmSide
    google: Side
    state: SyncState
    table: FieldTable
    policy: Policy
    clock: Clock
    ids: Ids
    installation: str = "local"
    user: str = "user"
    settle_seconds: float = 900.0
    asks_first: bool = False
    is_dry: bool = False
    carried: Carried | None = None
    is_over: Callable[[], bool] = _never
    kind: Kind = field(default_factory=_contacts)
    is_first: bool = False
    since: datetime | None = None

    def side(self, name: SideName) -> Side:
        """Return one side by name."""
        return self.crm if name is SideName.CRM else self.google

    def new_key(self, origin: str) -> str:
        """Return a fresh key for a record made from `origin`."""
        return SyncKey(self.installation, self.user, origin, self.ids.new()).text

    def origin_of(self, key: str) -> str:
        """Return the record that a key of ours names, or ""."""
        parsed = parse_key(key)
        if parsed is None or parsed.installation != self.installation:
            return ""
        return parsed.origin if parsed.user == self.user else ""

    def values(self, remote: Remote, base: Values | None = None) -> Values:
        """Return a record's mapped fields."""
        return self.side(remote.side).project(remote, base)

    def identity(self, remote: Remote) -> Identity:
        """Return what a record is recognised by."""
        return identity(remote.remote_id, self.values(remote), self.table)


@dataclass(slots=True)
class Progress:
    """What a cycle has seen so far.

    Attributes:
        unchanged: records read and equal.
        turn: how often this cycle has planned before.
        failures, mismatches: of this cycle so far.
        was_restored: the label was made again in this cycle.
        was_verified: the label was looked at in this cycle.
        is_accepted: the plan passed the guards, so the cycle may write.
        confirms: Google records are read themselves before they are paired.
        resend: creates without an outcome that may be sent again, by origin.
        waiting: origins whose create still waits for its outcome.
        pending: earlier items without an outcome, by link.
        parked: occurrences that wait for their series to be linked.
    """

    unchanged: int = 0
    turn: int = 0
    failures: int = 0
    mismatches: int = 0
    was_restored: bool = False
    was_verified: bool = False
    confirms: bool = False
    is_accepted: bool = False
    resend: dict[tuple[SideName, str], Item] = field(default_factory=dict)
    waiting: set[tuple[SideName, str]] = field(default_factory=set)
    pending: dict[str, Item] = field(default_factory=dict)
    parked: int = 0


def pages(
    load: Callable[[str, int], Sequence[T]], key: Callable[[T], str], size: int = PAGE
) -> Iterator[Sequence[T]]:
    """Yield pages of a keyset listing until it is exhausted."""
    after = ""
    while True:
        page = load(after, size)
        if not page:
            return
        yield page
        if len(page) < size:
            return
        after = key(page[-1])


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def postpone(run: Run, records: Iterable[tuple[SideName, str]]) -> list[Postponed]:
    """Put records off, each time twice as long (ENG-8)."""
    postponed: list[Postponed] = []
    for side, remote_id in records:
        if not remote_id:
            continue
        tries = run.state.tries(side, [remote_id]).get(remote_id, 0) + 1
        delay = min(_FIRST_DELAY * 2 ** (tries - 1), _LONGEST_DELAY)
        postponed.append(Postponed(side, remote_id, tries, run.clock.now() + delay))
    return postponed
