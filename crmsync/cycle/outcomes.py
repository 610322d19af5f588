"""Calls and their outcomes: what the phases of applying share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from crmsync.cycle.reading import directory_entry
from crmsync.cycle.run import Run, chunks, postpone
from crmsync.engine.plan import Item, ItemState
from crmsync.errors import (
    CrmSyncError,
    InvalidRecord,
    OutcomeUnknown,
    PreconditionFailed,
    Retryable,
    describe,
)
from crmsync.ports import (
    ChoiceKind,
    DirectoryEntry,
    Outcome,
    PersonsChoice,
    Postponed,
    Unit,
)
from crmsync.records.remote import Link, Remote
from crmsync.records.values import SideName


@dataclass(slots=True)
class Applied:
    """What applying came to.

    Attributes:
        mismatches: records that were changed meanwhile and have to be merged again.
        failures: items that failed.
        stopped: the passing fault that ended the cycle early, or None.
        pages: pages of writes so far; a slice does one at least.
        restaged: records to be looked at anew in this cycle.
    """

    mismatches: int = 0
    restaged: int = 0
    failures: int = 0
    stopped: Retryable | None = None
    pages: int = 0


class Stop(Exception):
    """Ends the apply loop after the outcomes so far are stored."""

    def __init__(self, cause: Retryable) -> None:
        super().__init__(cause.message)
        self.cause = cause


def call(
    run: Run,
    items: Sequence[Item],
    do: Callable[[Sequence[Item]], Sequence[Outcome]],
    size: int,
) -> dict[str, Outcome]:
    """Make one kind of call for many items; a call that fails fails for its items.

    Providers know nothing of our lease: it is proved right before each write.

    Raises:
        LeaseLost: if another worker has taken the pair over.
    """
    outcomes: dict[str, Outcome] = {}
    failed: Retryable | None = None
    for part in chunks(items, size):
        if failed is not None:
            outcomes.update(
                {item.item_id: Outcome(error=_unsent(failed)) for item in part}
            )
            continue
        run.state.renew()
        try:
            answers = do(part)
        except Retryable as error:
            failed = error
            answers = [Outcome(error=error) for _ in part]
        for item, outcome in zip(part, answers, strict=True):
            outcomes[item.item_id] = outcome
            if isinstance(outcome.error, Retryable):
                failed = failed or outcome.error
    return outcomes


def _unsent(error: Retryable) -> Retryable:
    """Return the fault for items whose call was not even tried."""
    if isinstance(error, OutcomeUnknown):
        return Retryable(error.message, retry_after=error.retry_after)
    return error


def stop_on(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if isinstance(outcome.error, Retryable):
            raise Stop(outcome.error)


class Results:
    """Collects the outcomes of one chunk for one commit."""

    def __init__(self, run: Run, applied: Applied) -> None:
        self.run = run
        self.applied = applied
        self.items: list[Item] = []
        self.links: list[Link] = []
        self.unlink: list[str] = []
        self.directory: list[DirectoryEntry] = []
        self.stage: list[Remote] = []
        self.touched: list[tuple[SideName, str]] = []
        self.postponed: list[Postponed] = []
        self.choices: list[PersonsChoice] = []

    def ended(self, item: Item) -> None:
        """Note that an item's link has ended, and what follows from that."""
        self.unlink.append(item.link_id)
        for side in SideName:
            remote_id = item.remote_id(side)
            if item.steps.ignores(side):
                ignored = PersonsChoice(side, remote_id, ChoiceKind.IGNORE)
                self.choices.append(ignored)
            if item.steps.restages(side):
                self._look_again(side, [remote_id], quietly=_is_turned(item))
        if item.steps.alone and item.steps.ignore_google:
            alone = PersonsChoice(SideName.CRM, item.crm_id, ChoiceKind.ALONE)
            self.choices.append(alone)
        elif item.steps.alone:
            # Its key still names the activity that it no longer belongs to.
            new = PersonsChoice(SideName.GOOGLE, item.google_id, ChoiceKind.NEW)
            self.choices.append(new)
        children = [] if self.run.kind.has_label else self._children(item)
        self.unlink += [link.link_id for link in children]
        for side in SideName:
            ids = [link.remote_id(side) for link in children]
            if ids and item.steps.restages(side):
                self._look_again(side, ids, quietly=_is_turned(item))

    def _look_again(self, side: SideName, ids: Sequence[str], *, quietly: bool) -> None:
        now = self.run.side(side).fetch(ids).values()
        alive = [
            replace(remote, is_backlog=True) if quietly else remote
            for remote in now
            if not remote.is_gone
        ]
        self.stage += alive
        if side is SideName.GOOGLE and not self.run.kind.has_label:
            self.directory += [directory_entry(self.run, remote) for remote in alive]
        self.applied.restaged += len(alive)

    def _children(self, item: Item) -> Sequence[Link]:
        return self.run.state.children([item.crm_id])

    def done(self, item: Item) -> None:
        """Note an item as done; its records are dealt with."""
        self.items.append(replace(item, state=ItemState.DONE))
        for side in SideName:
            if item.remote_id(side):
                self.touched.append((side, item.remote_id(side)))

    def failed(self, item: Item, error: CrmSyncError) -> None:
        """Note an item that was not done, by what must happen next."""
        if isinstance(error, OutcomeUnknown):
            state, reason = ItemState.UNKNOWN, item.reason
        elif isinstance(error, PreconditionFailed):
            self.applied.mismatches += 1
            state, reason = ItemState.SKIPPED, "changed_meanwhile"
        elif isinstance(error, Retryable):
            # A create that had no outcome before keeps its key and waits on.
            state = ItemState.UNKNOWN if item.clean_reads else ItemState.SKIPPED
            reason = "left_for_later"
        elif isinstance(error, InvalidRecord) and item.clean_reads:
            # Neither did it happen the first time: it is planned anew as it is now.
            state, reason = ItemState.FAILED, item.reason
            self.applied.failures += 1
        elif isinstance(error, InvalidRecord) and error.code == "series":
            # It will not be otherwise tomorrow: it is told, and left (CAL-17).
            state, reason = ItemState.SKIPPED, "odd"
            self.touched += [(s, item.remote_id(s)) for s in SideName]
        elif isinstance(error, InvalidRecord) and error.code == "ambiguous_account":
            state, reason = ItemState.HELD, "ambiguous_account"
        else:
            state, reason = ItemState.FAILED, item.reason
            self.applied.failures += 1
            records = [(side, item.remote_id(side)) for side in SideName]
            self.postponed += postpone(self.run, records)
        self.items.append(
            replace(item, state=state, reason=reason, error=describe(error))
        )

    def unit(self) -> Unit:
        """Return everything as one unit."""
        touched = tuple(self.touched)
        return Unit(
            stage=tuple(self.stage),
            unstage=touched,
            links=tuple(self.links),
            unlink=tuple(self.unlink),
            directory=tuple({e.remote_id: e for e in self.directory}.values()),
            items=tuple(self.items),
            resolved=touched,
            choices_done=touched,
            postponed=tuple(self.postponed),
            choices=tuple(self.choices),
        )


def _is_turned(item: Item) -> bool:
    """Whether guests know of the record already, by its former event (CAL-25)."""
    return item.reason == "turned_over"


def fail(
    run: Run, items: Sequence[Item], outcomes: Mapping[str, Outcome], applied: Applied
) -> None:
    unit = Results(run, applied)
    for item in items:
        error = outcomes[item.item_id].error
        if error is not None:
            unit.failed(item, error)
    run.state.commit(unit.unit())
