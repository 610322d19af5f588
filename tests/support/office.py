"""An office: users with calendars in the built-in CRM and in a Google over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from crm import activities, completion, participants
from crm import users as crm_users
from crm.activityrows import ActivityEdit, ActivityRow, Kind, Participant
from crm.common import Author
from crmsync.services import accounts
from crmsync.services.app import App
from crmsync.services.syncing import Order, run_kinds
from crmsync.storage.people import User
from tests.sandbox.harness import SandboxServer
from tests.support.product import Product

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(
    hour=9, minute=0, second=0, microsecond=0
)


def at(days: int = 0, hours: int = 0) -> str:
    """Return an instant of the coming days as the CRM writes it."""
    return f"{TOMORROW + timedelta(days=days, hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def slot(start: str, minutes: int = 60) -> dict[str, Any]:
    """Return `start` and `end` of an event."""
    begin = datetime.fromisoformat(start)
    end = begin + timedelta(minutes=minutes)
    return {
        "start": {"dateTime": begin.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": end.isoformat(), "timeZone": "UTC"},
    }


class Office:
    """Persons at work: what they do in the CRM and in Google, and their cycles."""

    def __init__(self, product: Product, box: SandboxServer) -> None:
        self.product = product
        self.box = box
        self.users: dict[str, User] = {}

    @property
    def app(self) -> App:
        return self.product.app

    # ------------------------------------------------------------ persons

    def hire(self, email: str, *, syncs: bool = True) -> User:
        """Add a user of the CRM; one who synchronises has a first cycle behind them."""
        self.box.account(email)
        if not syncs:
            user = accounts.add_user(self.product.app, email, name=email[:3])
            self.product.app.crm.ensure_user(email, email[:3])
        else:
            user = self.product.add_user(email)
            self.product.connect(user)
            self.cycle(user)
        self.users[email] = user
        return user

    def crm_id(self, email: str) -> str:
        with self.product.app.database.read() as conn:
            row = crm_users.get_by_email(conn, email)
            assert row is not None
            return str(row.id)

    def cycle(self, user: User, kind: str = "calendar") -> dict[str, Any]:
        report = run_kinds(self.product.app, user, [kind], Order(accepts=True))[0]
        assert report["state"] in {"succeeded", "held"}, report
        return report

    def settle(self, rounds: int = 3) -> None:
        """Let everybody's cycles run until they have nothing to do."""
        for _ in range(rounds):
            for user in self.users.values():
                if self._syncs(user):
                    self.cycle(user)

    def _syncs(self, user: User) -> bool:
        from crmsync.storage import people

        found = people.connection_of(
            self.product.app.database, user.user_id, "google_sync"
        )
        return found is not None

    # ------------------------------------------------------------ the CRM

    def plan(self, leader: str, *members: str, **values: str) -> str:
        """Let a leader plan a meeting in the CRM; return its id."""
        wanted = {
            "type": "meeting",
            "subject": "Review",
            "start": at(),
            "duration": "60",
            **values,
        }
        people = tuple(
            Participant(Kind.USER, self.crm_id(email), answer="needsAction")
            for email in members
        )
        with self.product.app.database.write() as conn:
            me = self.crm_id(leader)
            return activities.create(
                conn, wanted, leader=me, participants=people, by=Author(me)
            ).id

    def edit(self, activity_id: str, by: str, **changes: str) -> None:
        with self.product.app.database.write() as conn:
            author = Author(self.crm_id(by))
            activities.update(conn, activity_id, changes=changes, by=author)

    def lead(
        self, activity_id: str, email: str, *, without: tuple[str, ...] = ()
    ) -> None:
        """Give an activity a new leader; whoever is left out takes part no more."""
        gone = {self.crm_id(address) for address in without}
        row = self.activity(activity_id)
        kept = tuple(person for person in row.participants if person.ref not in gone)
        edit = ActivityEdit(activity_id, leader=self.crm_id(email), participants=kept)
        with self.product.app.database.write() as conn:
            activities.update_many(conn, [edit], by=Author(self.crm_id(email)))

    def answer(self, activity_id: str, email: str, answer: str) -> None:
        me = self.crm_id(email)
        with self.product.app.database.write() as conn:
            participants.answer(conn, activity_id, me, answer, by=Author(me))

    def drop(self, activity_id: str, by: str) -> None:
        with self.product.app.database.write() as conn:
            activities.delete(conn, activity_id, by=Author(self.crm_id(by)))

    def complete(self, activity_id: str, by: str) -> None:
        with self.product.app.database.write() as conn:
            completion.complete(conn, [activity_id], by=Author(self.crm_id(by)))

    def activity(self, activity_id: str) -> ActivityRow:
        with self.product.app.database.read() as conn:
            return activities.read(conn, [activity_id])[0]

    def agenda(self, email: str) -> list[ActivityRow]:
        """Return live activities in which a user takes part."""
        from sqlalchemy import select

        from crm.tables import Activity

        me = self.crm_id(email)
        with self.product.app.database.read() as conn:
            ids = list(conn.scalars(select(Activity.id).order_by(Activity.id)))
            rows = activities.read(conn, ids)
        return [
            row
            for row in rows
            if me in row.user_ids and not row.deleted and row.completed_at is None
        ]

    # ------------------------------------------------------------ Google

    def events(self, email: str) -> list[dict[str, Any]]:
        return [e for e in self.box.events(email) if e.get("status") != "cancelled"]

    def invite(self, organizer: str, *guests: str, **fields: Any) -> dict[str, Any]:
        """Let somebody make an event in Google."""
        event = {
            "summary": "Lunch",
            **slot(at()),
            "attendees": [{"email": guest} for guest in guests],
            **fields,
        }
        return self.box.create_event(organizer, event)

    def mails(self) -> list[dict[str, Any]]:
        return self.box.notifications()
