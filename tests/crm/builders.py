from __future__ import annotations

from sqlalchemy import Connection

from crm import contacts, feed
from crm.accounts import AccountRule
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
