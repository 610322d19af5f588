"""Faults of the built-in CRM and of its database, as errors of ours.

What the CRM refuses concerns one record; what the database refuses concerns the whole
call, of which nothing has happened then, unless its commit got no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from crm.errors import AmbiguousAccount, BadValue
from crm.errors import NotFound as NotInCrm
from crmsync.errors import InvalidRecord, OutcomeUnknown, ProviderDown, StorageDown
from crmsync.ports import Outcome
from crmsync.records.contacts import CUSTOM_PREFIX, FIELDS

REFUSALS = (BadValue, AmbiguousAccount, NotInCrm)
"""What the CRM raises about one record of a batch."""

Refusal = BadValue | AmbiguousAccount | NotInCrm

T = TypeVar("T")
_LABELS = {item.name: item.label for item in FIELDS}


class Store(Protocol):
    """Hands out units of work on the database that holds the CRM."""

    def read(self) -> AbstractContextManager[Connection]:
        """Begin a unit of work that only reads.

        Raises:
            StorageDown: the database is locked or out of reach.
        """
        ...

    def write(self) -> AbstractContextManager[Connection]:
        """Begin a unit of work; commit at the end, roll back on an error.

        Raises:
            StorageDown: as `read`, or its commit got no answer.
        """
        ...


@contextmanager
def reading(store: Store) -> Iterator[Connection]:
    """Begin a unit of work that only reads.

    Raises:
        ProviderDown: the database is locked or out of reach.
    """
    try:
        with store.read() as connection:
            yield connection
    except StorageDown as error:
        raise _down(error) from None


@contextmanager
def writing(store: Store) -> Iterator[Connection]:
    """Begin a unit of work that is stored whole or not at all.

    Raises:
        ProviderDown: the database is locked or out of reach; nothing happened.
        OutcomeUnknown: the commit got no answer (ENG-2).
    """
    is_committing = False
    try:
        with store.write() as connection:
            yield connection
            is_committing = True
    except StorageDown as error:
        if is_committing:
            raise OutcomeUnknown(
                "The CRM's database did not say whether it stored the changes."
            ) from None
        raise _down(error) from None


def _down(error: StorageDown) -> ProviderDown:
    down = ProviderDown(f"The CRM cannot be reached. {error.message}")
    down.next_step = error.next_step
    return down


def in_parts(
    conn: Connection,
    items: Sequence[T],
    do: Callable[[Sequence[T]], list[Outcome]],
    *,
    refuse: Callable[[Refusal], InvalidRecord],
) -> list[Outcome]:
    """Do a batch; if the CRM refuses it, its halves, down to the record at fault."""
    if not items:
        return []
    try:
        with conn.begin_nested():
            return do(items)
    except REFUSALS as error:
        if len(items) == 1:
            return [Outcome(error=refuse(error))]
    middle = len(items) // 2
    return [
        *in_parts(conn, items[:middle], do, refuse=refuse),
        *in_parts(conn, items[middle:], do, refuse=refuse),
    ]


def refusal(error: Refusal) -> InvalidRecord:
    """Return what a person reads about a record that the CRM refuses."""
    if isinstance(error, AmbiguousAccount):
        return _ambiguous(error)
    if isinstance(error, BadValue):
        is_custom = error.field.startswith(CUSTOM_PREFIX)
        custom = error.field.removeprefix(CUSTOM_PREFIX)
        label = _LABELS.get(error.field, custom)
        reason = str(error).removeprefix(f"{error.field} ")
        known = (error.field,) if is_custom or error.field in _LABELS else ()
        return InvalidRecord(f"The CRM refuses the contact: {label} {reason}.", known)
    gone = InvalidRecord(
        f"The CRM refuses the contact: {error}.", ("company",), code="account_gone"
    )
    gone.next_step = "Choose another account for this contact."
    return gone


def _ambiguous(error: AmbiguousAccount) -> InvalidRecord:
    """Ask which account is meant (CON-9)."""
    names = ", ".join(f"{item.name} ({item.id})" for item in error.candidates)
    question = InvalidRecord(
        f"Several accounts have the company's name: {names}.",
        ("company",),
        code="ambiguous_account",
    )
    question.next_step = (
        "Choose one of these accounts for the new contact, by the id in brackets, "
        "where the contact is shown as held."
    )
    return question
