"""Proposals: an organiser decides about edits that a member made (CAL-8, CAL-11).

A cycle returns the member's copy to the original and tells the edit in Sync History.
From there it comes here, at the end of each cycle, so that none is lost with a cycle
that died. What is accepted is written to the organiser's activity in the CRM as an edit
of theirs, and reaches Google and everybody else by the cycles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crmsync.errors import CrmSyncError, PreconditionFailed, Retryable, UsageError
from crmsync.ports import Edit
from crmsync.records.activities import Role, note_of
from crmsync.records.remote import Remote
from crmsync.records.values import SideName, Values
from crmsync.services import auditing, colleagues
from crmsync.services.app import App
from crmsync.services.sides import activities_of
from crmsync.storage import codec, people
from crmsync.storage import proposals as store
from crmsync.storage.people import Pair, User

_PERSONAL = frozenset({"answer", "attendees", "context", "visibility", "slot"})
"""What differs between the views of two users, and is nobody's to propose."""

_ORGANIZES = tuple(role.value for role in Role if role.organizes)
_TAKEN_FOR = timedelta(minutes=5)
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Proposal:
    """One open proposal as its organiser reads it.

    Attributes:
        proposer: the member's name, or address.
        changes: per field: what it was, what it is now, and what is proposed.
    """

    proposal_id: str
    proposer: str
    asked: User
    crm_id: str
    name: str
    made_at: Any
    changes: Sequence[Mapping[str, str]]


# ------------------------------------------------------------------ collecting


def collect(app: App, pair: Pair) -> None:
    """Ask about what a pair's cycles proposed; end what needs no decision any more.

    What the CRM does not tell just now waits for the end of the next cycle.
    """
    with suppress(Retryable):
        for row in store.unheard(app.database, pair.pair_id):
            _ask(app, pair, row)
        for row in store.unfinished(app.database, pair.pair_id, pair.user_id):
            _settle(app, row)


def _ask(app: App, pair: Pair, row: Any) -> None:
    changes = _proposed(row)
    asked = _whom(app, pair, row) if changes else None
    if asked is None:
        store.tell(app.database, row.id, "proposal_unasked")
        return
    user_id, crm_id = asked
    proposal = {
        "id": app.ids.new(),
        "pair_id": pair.pair_id,
        "item_id": row.id,
        "asked_id": user_id,
        "crm_id": crm_id,
        "name": row.name,
        "changes": changes,
        "made_at": app.clock.now(),
    }
    store.add(app.database, proposal)


def _proposed(row: Any) -> list[dict[str, str]]:
    """Return the fields of an edit that was not let through."""
    found = []
    for change in map(codec.change_from_json, row.changes):
        if change.lost is None or change.field in _PERSONAL:
            continue
        is_crm = change.lost_side is SideName.CRM
        before = change.crm_after if is_crm else change.google_after
        found.append({"field": change.field, "before": before, "after": change.lost})
    return found


def _whom(app: App, pair: Pair, row: Any) -> tuple[str, str] | None:
    """Return who is asked and about which activity; None if nobody can be."""
    sides = {change["lost_side"] for change in row.changes if change["lost_side"]}
    if SideName.GOOGLE.value in sides:
        leader = _leader(app, pair, row.crm_id)
        return (leader.user_id, row.crm_id) if leader is not None else None
    pairs = [i for i in people.pair_ids(app.database, "calendar") if i != pair.pair_id]
    link = store.linked_in(app.database, row.google_id, pairs, _ORGANIZES)
    if link is None or people.user_by_id(app.database, link.user_id).is_disabled:
        return None
    return link.user_id, link.crm_id


def _leader(app: App, pair: Pair, crm_id: str) -> User | None:
    """Return the user who leads an activity, if they can sign in here."""
    member = people.user_by_id(app.database, pair.user_id)
    side, _ = activities_of(app, member)
    leader = str(note_of(side.fetch([crm_id])[crm_id], "leader"))
    address = app.crm.user_emails().get(leader, "").casefold()
    for user in people.users(app.database):
        if address and user.email.casefold() == address and not user.is_disabled:
            return user
    return None


def _settle(app: App, row: Any) -> None:
    """End a proposal whose activity is gone or says already what was proposed.

    One that somebody began to accept and did not end, because their process died, is
    accepted if it was carried out, and else waits again.
    """
    now = app.clock.now()
    is_taken = row.state == store.TAKEN
    if is_taken and row.decided_at > now - _TAKEN_FOR:
        return
    shown = _Original(app, row)
    if not shown.is_over:
        if is_taken:
            store.give_back(app.database, row.id, now)
        return
    state = "accepted" if is_taken and not shown.is_gone else "settled"
    by = row.decided_by if is_taken else ""
    store.close(app.database, row.id, state, by, now, before=(row.state,))


class _Original:
    """The activity that a proposal is about, as it is now."""

    def __init__(self, app: App, row: Any) -> None:
        self._asked = people.user_by_id(app.database, row.asked_id)
        self._side, self._table = activities_of(app, self._asked)
        self._crm_id = row.crm_id
        self.wanted: Values = {c["field"]: c["after"] for c in row.changes}
        self.remote: Remote
        self.values: Values
        self.look()

    def look(self) -> None:
        """Read it again."""
        self.remote = self._side.fetch([self._crm_id])[self._crm_id]
        self.values = {} if self.is_gone else self._side.project(self.remote, None)

    @property
    def asked(self) -> User:
        """Who is asked."""
        return self._asked

    @property
    def is_gone(self) -> bool:
        """Whether it is deleted, completed, or not theirs any more."""
        return self.remote.is_gone or not self.remote.is_selected

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to decide."""
        return self.is_gone or all(
            self._table.is_same(name, self.values.get(name, ""), value)
            for name, value in self.wanted.items()
        )

    def write(self) -> None:
        """Write what was proposed, on top of what is there now.

        Raises:
            CrmSyncError: if the CRM refuses it.
        """
        for _ in range(_TRIES):
            if self.is_over:
                return
            edit = Edit(
                self._crm_id, self.remote.etag, self.values, self.wanted, self.values
            )
            error = self._side.update([edit])[0].error
            if error is None:
                return
            if not isinstance(error, PreconditionFailed):
                raise error
            self.look()
        raise UsageError(
            "The activity is being changed just now.", next_step="Try again."
        )


# ------------------------------------------------------------------ deciding


def waiting(app: App, asked_id: str = "") -> list[Proposal]:
    """Return what waits for a person, or for anybody, beside what is there now."""
    found = []
    for row in store.waiting(app.database, asked_id):
        shown = _Original(app, row)
        if not shown.is_over:
            found.append(_told(row, shown))
    return found


def _told(row: Any, shown: _Original) -> Proposal:
    changes = [
        {**change, "now": shown.values.get(change["field"], "")}
        for change in row.changes
    ]
    name = shown.values.get("subject") or row.name
    return Proposal(
        row.id,
        row.proposer or row.email,
        shown.asked,
        row.crm_id,
        name,
        row.made_at,
        changes,
    )


def waiting_count(app: App, user_id: str) -> int:
    """Return how many proposals wait for a person."""
    return len(store.waiting(app.database, user_id))


def seen_by(app: App, viewer: User, proposal_id: str) -> Any:
    """Return a proposal if a person may decide about it, else None."""
    row = store.get(app.database, proposal_id)
    if row is None or not (viewer.is_admin or row.asked_id == viewer.user_id):
        return None
    return row


def decline(app: App, proposal_id: str, *, actor: str) -> None:
    """Leave the activity as it is.

    Raises:
        UsageError: if there is no such proposal, or it was decided about already.
    """
    row = _open(app, proposal_id)
    if not store.close(app.database, row.id, "declined", actor, app.clock.now()):
        raise _too_late(app, proposal_id)
    auditing.note(app, actor, "proposal.declined", {"proposal": proposal_id})


def accept(app: App, proposal_id: str, *, actor: str) -> None:
    """Change the organiser's activity as it was proposed.

    Raises:
        UsageError: if there is no such proposal, it was decided about already, the
            activity is gone, or the CRM refuses the change.
    """
    row = _open(app, proposal_id)
    if not store.take(app.database, row.id, actor, app.clock.now()):
        raise _too_late(app, proposal_id)
    try:
        shown = _Original(app, row)
        if not shown.is_gone:
            shown.write()
    except CrmSyncError as error:
        store.give_back(app.database, row.id, app.clock.now())
        raise UsageError(error.message, next_step=error.next_step) from None
    taken = (store.TAKEN,)
    state = "settled" if shown.is_gone else "accepted"
    store.close(app.database, row.id, state, actor, app.clock.now(), before=taken)
    if shown.is_gone:
        raise UsageError(
            "The activity is not there any more.",
            next_step="There is nothing left to decide.",
        )
    auditing.note(app, actor, "proposal.accepted", {"proposal": proposal_id})
    for pair_id in store.pairs_with(app.database, row.crm_id):
        colleagues.wake(app, people.pair_by_id(app.database, pair_id))


def _open(app: App, proposal_id: str) -> Any:
    row = store.get(app.database, proposal_id)
    if row is None:
        raise UsageError(
            f"There is no proposal {proposal_id}.",
            next_step="See what waits with: crm-sync inbox",
        )
    if row.state != store.OPEN:
        raise _too_late(app, proposal_id)
    return row


_ENDS = {
    "accepted": "accepted already",
    "declined": "declined already",
    "replaced": "replaced by a newer one",
    "settled": "settled: the activity is gone, or has these values",
    store.TAKEN: "being accepted just now",
}


def _too_late(app: App, proposal_id: str) -> UsageError:
    row = store.get(app.database, proposal_id)
    by = f" by {row.decided_by}" if row.decided_by else ""
    return UsageError(
        f"This proposal was {_ENDS.get(row.state, row.state)}{by}.",
        next_step="Nothing was changed by you.",
    )
