"""CRM users: who owns records and manages accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from crm import feed
from crm.common import NOBODY, Author, new_id
from crm.errors import AlreadyThere, BadValue
from crm.fields import check_text
from crm.folding import address_key
from crm.tables import User


@dataclass(frozen=True, slots=True)
class UserRow:
    """A CRM user; joined with the product's users by e-mail address."""

    id: str
    email: str
    name: str
    created_at: datetime


_SELECT = select(User.id, User.email, User.name, User.created_at)


def add(
    conn: Connection, email: str, *, name: str = "", by: Author = NOBODY
) -> UserRow:
    """Make a user.

    Raises:
        BadValue: if the address or name cannot be stored, or is no address.
        AlreadyThere: if a user has that address, whatever its case.
    """
    check_text("email", email, 254)
    check_text("name", name, 128)
    if not address_key(email):
        raise BadValue("email", "is not an e-mail address")
    feed.lock(conn)
    if get_by_email(conn, email) is not None:
        raise AlreadyThere(f"there is a CRM user with the address {email}")
    row = UserRow(new_id("U"), email.strip(), name, by.now())
    conn.execute(
        insert(User).values(
            id=row.id,
            email=row.email,
            email_key=address_key(email),
            name=name,
            created_at=row.created_at,
        )
    )
    return row


def get(conn: Connection, user_id: str) -> UserRow | None:
    """Return a user by id."""
    found = conn.execute(_SELECT.where(User.id == user_id)).one_or_none()
    return None if found is None else UserRow(*found)


def get_by_email(conn: Connection, email: str) -> UserRow | None:
    """Return a user by address, whatever its case."""
    key = address_key(email)
    found = conn.execute(_SELECT.where(User.email_key == key)).one_or_none()
    return None if found is None else UserRow(*found)


def list_all(conn: Connection) -> Sequence[UserRow]:
    """Return all users by address."""
    return [UserRow(*row) for row in conn.execute(_SELECT.order_by(User.email_key))]
