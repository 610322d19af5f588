from __future__ import annotations

from sqlalchemy import Connection

from crm import activities, contacts, feed, users
from crm.accounts import AccountRule
from crm.activityrows import ActivityRow, Kind, Participant
from crm.feed import Change
from crm.rows import ContactRow

RULE = AccountRule(manager="U1")


def make_contact(conn: Connection, **values: str) -> ContactRow:
    values = {"first": "Ada", "last": "Byron", "email": "ada@mail.example"} | values
    return contacts.create(conn, values, account=RULE)


def make_contacts(conn: Connection, count: int) -> list[ContactRow]:
    return contacts.create_many(
        conn,
        [
            contacts.NewContact(
                {"last": f"Person {number}", "email": f"p{number}@mail.example"}, RULE
            )
            for number in range(count)
        ],
    )


def all_changes(
    conn: Connection, cursor: int = 0, *, limit: int = 3, group_id: str | None = None
) -> list[Change]:
    """Read the feed to its end, in small pages."""
    found: list[Change] = []
    while True:
        page, cursor = feed.changes_since(conn, cursor, limit=limit, group_id=group_id)
        found += page
        if len(page) < limit:
            return found


def make_user(conn: Connection, name: str = "Anna") -> str:
    email = f"{name.casefold()}@crm.example"
    found = users.get_by_email(conn, email)
    return (found or users.add(conn, email, name=name)).id


def make_activity(
    conn: Connection,
    *participants: Participant,
    leader: str = "U1",
    sync_key: str | None = None,
    **values: str,
) -> ActivityRow:
    values = {
        "type": "meeting",
        "subject": "Offer",
        "start": "2026-03-02T08:00:00Z",
        "duration": "60",
    } | values
    return activities.create(
        conn, values, leader=leader, participants=participants, sync_key=sync_key
    )


def make_series(
    conn: Connection, *participants: Participant, **values: str
) -> ActivityRow:
    """Mondays and Wednesdays at nine in Berlin, without an end, over both clocks."""
    values = {
        "zone": "Europe/Berlin",
        "recurrence": "RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
    } | values
    return make_activity(conn, *participants, **values)


def member(user_id: str, answer: str = "needsAction") -> Participant:
    return Participant(Kind.USER, user_id, answer=answer)
