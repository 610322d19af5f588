"""Halving: one bad record of a batch never costs the others (ENG-8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from crmsync.connectors.google.faults import CONTACTS_FULL
from crmsync.errors import (
    CrmSyncError,
    InvalidRecord,
    OutcomeUnknown,
    PreconditionFailed,
)
from crmsync.ports import Outcome

Send = Callable[[Sequence[int]], None]
"""Writes the records at these positions in one request and notes their outcomes."""

HALVINGS = 60
"""Requests that one call may spend on finding records at fault."""


@dataclass(slots=True)
class Ledger:
    """Outcomes of one call by position, while its requests go out.

    A passing fault before anything was done is raised; after that it becomes the
    outcome of everything that was not done.
    """

    size: int
    found: dict[int, Outcome] = field(default_factory=dict)
    is_written: bool = False
    halvings: int = HALVINGS

    def fail(self, places: Sequence[int], error: CrmSyncError) -> None:
        """Give some positions the same error."""
        self.found.update({place: Outcome(error=error) for place in places})

    def fail_rest(self, places: Sequence[int], error: CrmSyncError) -> None:
        """Give those of some positions the error that have no outcome yet."""
        self.fail([place for place in places if place not in self.found], error)

    def send_all(
        self, parts: Sequence[Sequence[int]], send: Send, *, is_atomic: bool = True
    ) -> list[Outcome]:
        """Send all parts of a call one after the other and return its outcomes.

        Raises:
            CrmSyncError: nothing was written before the fault.
        """
        for number, part in enumerate(parts):
            try:
                self.run(part, send, is_atomic=is_atomic)
            except CrmSyncError as error:
                if not self.is_written:
                    raise
                self.fail_rest(range(self.size), error)
                break
            full = self._full(part)
            if full is not None:
                for rest in parts[number + 1 :]:
                    self.fail(rest, full)
                break
        return self.outcomes()

    def _full(self, part: Sequence[int]) -> CrmSyncError | None:
        """Return the error that says that no contact fits in any more."""
        for place in part:
            outcome = self.found.get(place)
            if outcome and outcome.error and outcome.error.code == CONTACTS_FULL:
                return outcome.error
        return None

    def run(self, places: Sequence[int], send: Send, *, is_atomic: bool) -> None:
        """Send a part of the batch, and halve it when one of its records is at fault.

        Args:
            places: positions of the part.
            send: writes it and notes the outcomes.
            is_atomic: a refused batch has done nothing.
        """
        try:
            send(places)
        except OutcomeUnknown as error:
            self.is_written = True
            self.fail_rest(places, error)
        except (InvalidRecord, PreconditionFailed) as error:
            self.halve(places, send, error, is_atomic=is_atomic)
        else:
            self.is_written = True

    def halve(
        self,
        places: Sequence[int],
        send: Send,
        error: CrmSyncError,
        *,
        is_atomic: bool,
    ) -> None:
        """Send both halves of a refused part, down to the records at fault."""
        if len(places) == 1 or error.code == CONTACTS_FULL:
            self.fail(places, error)
            return
        if not is_atomic:
            self.is_written = True
            self.fail(places, OutcomeUnknown(f"Part of a batch: {error.message}"))
            return
        if self.halvings < 2:
            self.fail(places, error)
            return
        self.halvings -= 2
        middle = len(places) // 2
        for half in (places[:middle], places[middle:]):
            self.run(half, send, is_atomic=is_atomic)

    def outcomes(self) -> list[Outcome]:
        """Return one outcome per position; those without one are unknown."""
        missing = Outcome(error=OutcomeUnknown("Google did not say."))
        return [self.found.get(place, missing) for place in range(self.size)]
