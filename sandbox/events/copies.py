"""Copies: a guest with an account here has the event in the own calendar (5.1, 5.5).

The organizer's edits go to every copy, a guest's answer comes back; both as late as
the switch `copy_delay` says. Mails are only counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox.events.mail import is_sent
from sandbox.events.model import Event
from sandbox.events.special import finished, is_pending
from sandbox.events.state import Desk, Shelf
from sandbox.messages import Json

# More guests than that do not see each other's answers (5.1).
CROWD = 200
ANSWER = ("responseStatus", "comment", "additionalGuests")
_SILENT = ("attendees", "shared", "source", "gadget")


class Copies:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.run_job = self.run

    def run(self, job: Json) -> None:
        """Do a job that may have waited (state.Desk.later)."""
        shelf = self.desk.shelves.get(job["calendar"])
        event = shelf.events.get(job["id"]) if shelf else None
        if event is None:
            return
        if job["do"] == "spread":
            self._spread(event)
        elif job["do"] == "conference":
            self._finish_conference(event)
        else:
            self._take_answer(event, job["guest"], job["answer"])

    # ------------------------------------------------------------ outwards

    def spread(self, event: Event) -> None:
        """Bring an organizer's version to the guests, now or later."""
        if event.is_organized and not event.private_copy:
            self._later({"do": "spread", "calendar": event.calendar, "id": event.id})
        if is_pending(event.shared):
            seconds = self.desk.env.switches.conference_delay
            job = {"do": "conference", "calendar": event.calendar, "id": event.id}
            self.desk.later(seconds, job)

    def _later(self, job: Json) -> None:
        self.desk.later(self.desk.env.switches.copy_delay, job)

    def _spread(self, event: Event) -> None:
        invited = {guest["email"] for guest in event.guests}
        for account in self.desk.env.accounts.all():
            if account.email == event.calendar:
                continue
            if account.email in invited and not event.cancelled:
                self._deliver(event, self.desk.primary(account.email))
            else:
                self._withdraw(event, self.desk.shelves.get(account.email))
        if event.is_series and not event.cancelled:
            # Whoever is new to the series must know its exceptions, too.
            for found in (
                self.desk.shelves[event.calendar].exceptions(event.id).values()
            ):
                self._spread(found)

    def _deliver(self, event: Event, shelf: Shelf) -> None:
        had = shelf.events.get(event.id)
        if had is not None and (had.uid != event.uid or had.removed):
            return
        if had is None:
            self.desk.put(self._first_copy(event, shelf))
            return
        shared = event.shared
        if len(event.guests) > CROWD and not had.cancelled:
            shared = {**shared, "attendees": _own_view(event, had, shelf.id)}
        if (shared, event.sequence) != (had.shared, had.sequence) or had.cancelled:
            changed = replace(had, shared=shared, sequence=event.sequence)
            self.desk.put(replace(changed, cancelled=False, gone=False))

    def _first_copy(self, event: Event, shelf: Shelf) -> Event:
        """A new copy: its look is the guest's own, its privacy the organizer's."""
        own: Json = {
            k: event.own[k] for k in ("visibility", "transparency") if k in event.own
        }
        if event.master is not None and event.master in shelf.events:
            own = shelf.events[event.master].own
        return replace(
            event, calendar=shelf.id, own=own, created=event.created, seq=0, stamp=0
        )

    def _withdraw(self, event: Event, shelf: Shelf | None) -> None:
        """Cancel a copy whose guest is not invited any more."""
        if shelf is None:
            return
        had = shelf.events.get(event.id)
        if had is None:
            master = shelf.events.get(event.master or "")
            if master is None or master.cancelled or master.uid != event.uid:
                return
            had = replace(event, calendar=shelf.id, own=master.own, seq=0, stamp=0)
        elif had.uid != event.uid or had.cancelled:
            return
        self.desk.put(replace(had, cancelled=True, gone=event.gone))
        if had.is_series:
            for found in shelf.exceptions(had.id).values():
                still = any(g["email"] == shelf.id for g in found.guests)
                if event.cancelled or not still:
                    self.desk.put(replace(found, cancelled=True, gone=True))

    # ------------------------------------------------------------ back

    def answer(self, mine: Event, guest: str, answer: Json, send: str) -> None:
        """A guest's answer: to the organizer, and from there to the other copies."""
        organizer = str(mine.organizer.get("email", ""))
        self.mail(mine, guest, "response", [organizer], send)
        if organizer == mine.calendar or mine.private_copy:
            return
        if organizer not in self.desk.shelves:
            return
        job = {"do": "answer", "calendar": organizer, "id": mine.id}
        target = self.desk.shelves[organizer]
        if mine.id not in target.events:
            if mine.master is None or mine.master not in target.events:
                return
            own = target.events[mine.master].own
            blank = replace(mine, calendar=organizer, own=own, seq=0, stamp=0)
            self.desk.put(replace(blank, cancelled=False, removed=False))
        self._later({**job, "guest": guest, "answer": answer})

    def _take_answer(self, event: Event, guest: str, answer: Json) -> None:
        guests = with_answer(event.guests, guest, answer)
        changed = event
        if guests != event.guests:
            changed = replace(event, shared={**event.shared, "attendees": guests})
            changed = self.desk.put(changed)
        if len(guests) <= CROWD:
            self._spread(changed)

    def _finish_conference(self, event: Event) -> None:
        if not is_pending(event.shared):
            return
        made, link = finished(event.shared["conferenceData"])
        shared = {**event.shared, "conferenceData": made, "hangoutLink": link}
        self.spread(self.desk.put(replace(event, shared=shared)))

    # ------------------------------------------------------------ mails

    def mail(
        self, event: Event, actor: str, kind: str, to: list[str], send: str
    ) -> None:
        """Count the mails that would have been sent to these addresses."""
        accounts = self.desk.env.accounts
        for address in to:
            if address in (actor, event.calendar, ""):
                continue
            is_external = accounts.get(address) is None
            if is_sent(send, is_external=is_external):
                self.desk.mail(
                    account=actor,
                    kind=kind,
                    recipient=address,
                    event=event.id,
                    calendar=event.calendar,
                    summary=str(event.shared.get("summary", "")),
                    send_updates=send,
                )

    def mail_change(self, old: Event, new: Event, actor: str, send: str) -> None:
        """Invitations, updates and cancellations of an organizer's edit."""
        before, after = _people(old), _people(new)
        self.mail(new, actor, "invite", [a for a in after if a not in before], send)
        self.mail(new, actor, "cancel", [a for a in before if a not in after], send)
        if is_visible_change(old, new):
            stay = [a for a in after if a in before]
            self.mail(new, actor, "update", stay, send)


def is_visible_change(old: Event, new: Event) -> bool:
    """Whether guests would notice: answers and hidden properties do not count."""
    return _visible(old) != _visible(new)


def with_answer(guests: list[Json], guest: str, answer: Json) -> list[Json]:
    """The guests with one person's answer replaced; nobody else's is touched."""
    changed = []
    for one in guests:
        if one["email"] == guest:
            kept = {k: v for k, v in one.items() if k not in ANSWER}
            changed.append({**kept, **answer})
        else:
            changed.append(one)
    return changed


def answer_of(guest: Json) -> Json:
    return {name: guest[name] for name in ANSWER if name in guest}


def _visible(event: Event) -> dict[str, Any]:
    return {k: v for k, v in event.shared.items() if k not in _SILENT}


def _people(event: Event) -> list[str]:
    return [g["email"] for g in event.guests if not g.get("resource")]


def _own_view(event: Event, had: Event, account: str) -> list[Json]:
    """The guests of a crowd as a copy goes on seeing them: only its own answer."""
    seen = {guest["email"]: guest for guest in had.guests}
    return [
        guest
        if guest["email"] == account
        else {**guest, **answer_of(seen.get(guest["email"], guest))}
        for guest in event.guests
    ]
