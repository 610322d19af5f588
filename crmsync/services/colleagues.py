"""Who of us synchronises a calendar, and under which address (CAL-9, CAL-10)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from crmsync.connectors.google.oauth import is_granted
from crmsync.engine.policy import Direction
from crmsync.engine.recording import Circle
from crmsync.services import settings
from crmsync.services.app import App
from crmsync.storage import people, queueing
from crmsync.storage import tables as t
from crmsync.storage.people import Connection, Pair, User

_SERVICE = "google_sync"


@dataclass(frozen=True, slots=True)
class Colleague:
    """One enabled user as others meet them in a calendar.

    Attributes:
        address: the connected Google address, else the CRM's e-mail.
        syncs: their calendar is synchronised, and Google may be written.
    """

    address: str
    syncs: bool


class Colleagues:
    """All enabled users, as they are when a cycle begins."""

    def __init__(self, app: App) -> None:
        """Read users, connections and directions."""
        everybody = people.users(app.database)
        self._names = {user.email.casefold(): user.name for user in everybody}
        users = [user for user in everybody if not user.is_disabled]
        connected = {
            connection.user_id: connection
            for connection in people.all_connections(app.database)
            if connection.service == _SERVICE
        }
        emails = app.crm.user_emails()
        names = ("direction", "kinds", "own_domains")
        chosen = settings.chosen(app, names=names)
        accepted = people.accepted_users(app.database, "calendar")
        known = {
            user.email.casefold(): _colleague(
                user,
                connected.get(user.user_id),
                chosen,
                is_accepted=user.user_id in accepted,
            )
            for user in users
        }
        self._by_crm_id = {
            crm_id: known[email.casefold()]
            for crm_id, email in emails.items()
            if email.casefold() in known
        }
        self._emails = emails
        self._known = known
        self._addresses = {address.casefold() for address in known}
        self._addresses |= {c.address.casefold() for c in known.values()}
        domains = chosen.get("own_domains").replace(",", " ").split()
        self._domains = {domain.casefold().lstrip("@") for domain in domains}

    def syncs(self, crm_user_id: str) -> bool:
        """Whether a CRM user's calendar is synchronised to Google."""
        found = self._by_crm_id.get(crm_user_id)
        return found is not None and found.syncs

    def user_syncs(self, email: str) -> bool:
        """Whether a user's calendar is synchronised to Google."""
        found = self._known.get(email.casefold())
        return found is not None and found.syncs

    def email_of(self, crm_user_id: str) -> str:
        """Return a CRM user's own address, folded, or ""."""
        return self._emails.get(crm_user_id, "").casefold()

    def name_of(self, crm_user_id: str) -> str:
        """Return what a CRM user is called here, else their address, or ""."""
        email = self.email_of(crm_user_id)
        return self._names.get(email) or email

    def address_of(self, crm_user_id: str) -> str:
        """Return where a CRM user is invited, or "" (CAL-9)."""
        found = self._by_crm_id.get(crm_user_id)
        return found.address if found is not None else self._emails.get(crm_user_id, "")

    def circle(self, user: User, never: frozenset[str]) -> Circle:
        """Return who belongs to a user and to us when mail is recorded (MAIL-6).

        Args:
            user: whose mail it is.
            never: addresses and domains that are never recorded.
        """
        mine = self._known.get(user.email.casefold())
        own = {user.email.casefold()} | ({mine.address.casefold()} if mine else set())
        others = frozenset(self._addresses - own)
        return Circle(frozenset(own), others, frozenset(self._domains - {""}), never)

    def is_colleague(self, address: str) -> bool:
        """Whether an address is one of ours."""
        folded = address.strip().casefold()
        _, _, domain = folded.rpartition("@")
        return folded in self._addresses or domain in self._domains


def _colleague(
    user: User,
    connection: Connection | None,
    chosen: settings.Chosen,
    *,
    is_accepted: bool,
) -> Colleague:
    address = user.email
    syncs = False
    if connection is not None:
        address = connection.email or user.email
        direction = chosen.get("direction", user_id=user.user_id, kind="calendar")
        kinds = settings.chosen_kinds(chosen.get("kinds", user_id=user.user_id))
        syncs = (
            connection.state == "active"
            and is_granted("calendar", connection.scopes)
            and "calendar" in kinds
            and direction != Direction.TO_CRM.value
            and is_accepted
        )
    return Colleague(address, syncs)


def wake_guests(app: App, pair: Pair, cycle_id: str) -> None:
    """Make the calendars of colleagues due that a cycle has written to (CAL-7)."""
    items, links = t.items, t.links
    wanted = (
        select(links.c.google_base)
        .join(items, items.c.link_id == links.c.id)
        .where(items.c.cycle_id == cycle_id, items.c.is_google_written)
    )
    with app.database.read() as connection:
        bases = [row.google_base for row in connection.execute(wanted)]
    guests = {g for base in bases for g in base.get("attendees", "").splitlines()}
    if not guests:
        return
    for grant in people.all_connections(app.database):
        is_guest = grant.email.casefold() in guests
        if not is_guest or grant.user_id == pair.user_id:
            continue
        wake(app, people.seen_pair(app.database, grant.user_id, "calendar"))


def wake(app: App, pair: Pair) -> None:
    """Make a pair due at once, if it runs at all."""
    now = app.clock.now()
    if pair.is_accepted and not pair.is_paused:
        people.edit_pair(app.database, pair.pair_id, next_due_at=now)
        if queueing.claim(app.database, pair.pair_id, now):
            app.doorbell.ring(pair.pair_id, "sync")
