"""Users, their pairs and their connections, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from crmsync.errors import UsageError
from crmsync.storage import tables as t
from crmsync.storage.database import Database


@dataclass(frozen=True, slots=True)
class User:
    """A user of ours: one CRM user with one Google account."""

    user_id: str
    email: str
    name: str
    is_admin: bool
    is_disabled: bool
    infor_user: str


@dataclass(frozen=True, slots=True)
class Connection:
    """One person's authorised service at Google.

    Attributes:
        scopes: what was really granted (AUTH-5).
        state: `active` or `dead` (revoked or expired; the user has to authorise).
        grant: the encrypted grant.
    """

    connection_id: str
    user_id: str
    service: str
    google_sub: str
    email: str
    scopes: frozenset[str]
    state: str
    grant: str
    error: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One user and one kind."""

    pair_id: str
    user_id: str
    kind: str
    group_id: str
    google_sub: str
    is_paused: bool
    is_accepted: bool
    announced: int = 0
    google_email: str = ""

    def is_set_aside(self, connection: Connection) -> bool:
        """Whether what it holds is another Google account's (AUTH-8)."""
        return self.google_sub not in {"", connection.google_sub}


def installation_id(database: Database, new_id: str, now: datetime) -> str:
    """Return the id of this installation, made on first use."""
    table = t.installation
    with database.read() as connection:
        found = connection.execute(select(table.c.name)).scalar()
    if found is not None:
        return str(found)
    with database.write() as connection:
        connection.execute(
            database.insert(table)
            .values(id=1, name=new_id, created_at=now)
            .on_conflict_do_nothing()
        )
    with database.read() as connection:
        return str(connection.execute(select(table.c.name)).scalar_one())


# ------------------------------------------------------------------ users


def user_from_row(row: Any) -> User:
    """Return the user in a row of the table `user`."""
    return User(
        row.id, row.email, row.name, row.is_admin, row.is_disabled, row.infor_user
    )


def add_user(database: Database, user: User, now: datetime) -> None:
    """Store a new user.

    Raises:
        UsageError: if the address is taken.
    """
    with database.write() as connection:
        taken = connection.execute(
            select(t.users.c.id).where(t.users.c.email == user.email)
        ).first()
        if taken:
            raise UsageError(f"There is a user {user.email} already.")
        connection.execute(
            t.users.insert().values(
                id=user.user_id,
                email=user.email,
                name=user.name,
                is_admin=user.is_admin,
                is_disabled=user.is_disabled,
                infor_user=user.infor_user,
                created_at=now,
            )
        )


def edit_user(database: Database, user_id: str, **changes: Any) -> None:
    """Change columns of a user."""
    with database.write() as connection:
        connection.execute(
            update(t.users).where(t.users.c.id == user_id).values(**changes)
        )


def users(database: Database) -> list[User]:
    """Return all users by address."""
    with database.read() as connection:
        rows = connection.execute(select(t.users).order_by(t.users.c.email))
        return [user_from_row(row) for row in rows]


def user_by_email(database: Database, email: str) -> User:
    """Return a user by address, any case.

    Raises:
        UsageError: if there is none.
    """
    folded = email.strip().casefold()
    with database.read() as connection:
        row = connection.execute(
            select(t.users).where(t.users.c.email == folded)
        ).first()
    if row is None:
        raise UsageError(
            f"There is no user {email}.",
            next_step="See the users with: crm-sync user list",
        )
    return user_from_row(row)


def user_by_id(database: Database, user_id: str) -> User:
    """Return a user by id."""
    with database.read() as connection:
        return user_from_row(
            connection.execute(select(t.users).where(t.users.c.id == user_id)).one()
        )


# ------------------------------------------------------------------ pairs


def _pair(row: Any) -> Pair:
    return Pair(
        row.id,
        row.user_id,
        row.kind,
        row.group_id,
        row.google_sub,
        row.is_paused,
        row.is_accepted,
        row.announced,
        row.google_email,
    )


def seen_pair(database: Database, user_id: str, kind: str) -> Pair:
    """Return the pair of a user and a kind, or what it would be; writes nothing."""
    pair_id = f"{user_id}:{kind}"
    with database.read() as connection:
        row = connection.execute(select(t.pairs).where(t.pairs.c.id == pair_id)).first()
    if row is not None:
        return _pair(row)
    return Pair(pair_id, user_id, kind, "", "", is_paused=False, is_accepted=False)


def accepted_users(database: Database, kind: str) -> frozenset[str]:
    """Return the users whose first cycle of a kind was accepted."""
    pairs = t.pairs
    wanted = select(pairs.c.user_id).where(pairs.c.kind == kind, pairs.c.is_accepted)
    with database.read() as connection:
        return frozenset(connection.execute(wanted).scalars())


def pair_of(database: Database, user_id: str, kind: str) -> Pair:
    """Return the pair of a user and a kind, made on first use."""
    pair_id = f"{user_id}:{kind}"
    with database.read() as connection:
        row = connection.execute(select(t.pairs).where(t.pairs.c.id == pair_id)).first()
    if row is not None:
        return _pair(row)
    with database.write() as connection:
        connection.execute(
            database.insert(t.pairs)
            .values(id=pair_id, user_id=user_id, kind=kind)
            .on_conflict_do_nothing()
        )
        return _pair(
            connection.execute(select(t.pairs).where(t.pairs.c.id == pair_id)).one()
        )


def pair_ids(database: Database, kind: str, user_id: str = "") -> list[str]:
    """Return the ids of the pairs of a kind; one user's, or everybody's."""
    statement = select(t.pairs.c.id).where(t.pairs.c.kind == kind)
    if user_id:
        statement = statement.where(t.pairs.c.user_id == user_id)
    with database.read() as connection:
        return list(connection.scalars(statement.order_by(t.pairs.c.id)))


def group_users(database: Database) -> dict[str, list[User]]:
    """Return who synchronises each contact group (CON-2), by the group's id."""
    statement = (
        select(t.pairs.c.group_id, t.users)
        .join(t.users, t.users.c.id == t.pairs.c.user_id)
        .where(t.pairs.c.kind == "contacts", t.pairs.c.group_id != "")
        .order_by(t.users.c.email)
    )
    found: dict[str, list[User]] = {}
    with database.read() as connection:
        for row in connection.execute(statement):
            found.setdefault(row.group_id, []).append(user_from_row(row))
    return found


@dataclass(frozen=True, slots=True)
class Timing:
    """When a pair runs: the lease of a running cycle, the next due time, the queue."""

    lease_until: datetime | None
    next_due_at: datetime | None
    queued_until: datetime | None


def timing_of(database: Database, pair_id: str) -> Timing:
    """Return when a pair runs."""
    table = t.pairs
    columns = (table.c.lease_until, table.c.next_due_at, table.c.queued_until)
    with database.read() as connection:
        row = connection.execute(select(*columns).where(table.c.id == pair_id)).first()
    return Timing(*row) if row is not None else Timing(None, None, None)


def pair_by_id(database: Database, pair_id: str) -> Pair:
    """Return a pair by its id.

    Raises:
        UsageError: if there is none (any more).
    """
    with database.read() as connection:
        row = connection.execute(select(t.pairs).where(t.pairs.c.id == pair_id)).first()
    if row is None:
        raise UsageError("There is no such pair of user and kind.")
    return _pair(row)


def edit_pair(database: Database, pair_id: str, **changes: Any) -> None:
    """Change columns of a pair."""
    with database.write() as connection:
        connection.execute(
            update(t.pairs).where(t.pairs.c.id == pair_id).values(**changes)
        )


def link_count(database: Database, pair_id: str) -> int:
    """Return the number of links of a pair."""
    with database.read() as connection:
        statement = select(func.count()).select_from(t.links)
        return int(
            connection.execute(statement.where(t.links.c.pair_id == pair_id)).scalar()
            or 0
        )


# ------------------------------------------------------------------ connections


def _connection(row: Any) -> Connection:
    return Connection(
        row.id,
        row.user_id,
        row.service,
        row.google_sub,
        row.email,
        frozenset(row.scopes.split()),
        row.state,
        row.grant,
        row.error,
    )


def connections(database: Database, user_id: str) -> list[Connection]:
    """Return a user's connections."""
    with database.read() as connection:
        rows = connection.execute(
            select(t.connections)
            .where(t.connections.c.user_id == user_id)
            .order_by(t.connections.c.service)
        )
        return [_connection(row) for row in rows]


def all_connections(database: Database) -> list[Connection]:
    """Return everybody's connections (key rotation, AUTH-6)."""
    with database.read() as connection:
        rows = connection.execute(select(t.connections).order_by(t.connections.c.id))
        return [_connection(row) for row in rows]


def connection_of(database: Database, user_id: str, service: str) -> Connection | None:
    """Return a user's connection for one service."""
    found = [c for c in connections(database, user_id) if c.service == service]
    return found[0] if found else None


def save_connection(database: Database, connection: Connection, now: datetime) -> None:
    """Store a connection; an older one of the same service is replaced."""
    values = {
        "id": connection.connection_id,
        "user_id": connection.user_id,
        "service": connection.service,
        "google_sub": connection.google_sub,
        "email": connection.email,
        "scopes": " ".join(sorted(connection.scopes)),
        "state": connection.state,
        "grant": connection.grant,
        "error": connection.error,
        "changed_at": now,
    }
    with database.write() as open_:
        open_.execute(
            delete(t.connections).where(
                t.connections.c.user_id == connection.user_id,
                t.connections.c.service == connection.service,
            )
        )
        open_.execute(t.connections.insert().values(created_at=now, **values))


def edit_connection(database: Database, connection_id: str, **changes: Any) -> None:
    """Change columns of a connection (a refreshed grant, a dead state)."""
    with database.write() as connection:
        connection.execute(
            update(t.connections)
            .where(t.connections.c.id == connection_id)
            .values(**changes)
        )


def drop_connection(database: Database, connection_id: str) -> None:
    """Delete a connection with its tokens."""
    with database.write() as connection:
        connection.execute(
            delete(t.connections).where(t.connections.c.id == connection_id)
        )


def grants_of_account(database: Database, google_sub: str, but: str) -> int:
    """Count other connections that hold a grant of the same Google account (AUTH-8)."""
    with database.read() as connection:
        statement = select(func.count()).select_from(t.connections)
        return int(
            connection.execute(
                statement.where(
                    t.connections.c.google_sub == google_sub,
                    t.connections.c.id != but,
                )
            ).scalar()
            or 0
        )
