"""What services work with: the wired parts of one process, built by `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from crmsync.config import Config
from crmsync.connectors.google.oauth import OAuthClient
from crmsync.connectors.google.tokens import TokenCipher
from crmsync.mailports import FileStore, Mailbox, MailCrm
from crmsync.ports import Clock, CrmSide, Ids, Side
from crmsync.records.values import FieldTable, Values
from crmsync.storage.database import Database
from crmsync.storage.people import Connection, Pair, User


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Group:
    """A contact group of the CRM as people choose it."""

    group_id: str
    name: str
    members: int


@dataclass(frozen=True, slots=True)
class AccountDefaults:
    """What accounts made by synchronisation look like (CON-9)."""

    account_type: str
    status: str
    owner: str
    ambiguous: str


@dataclass(frozen=True, slots=True)
class CalendarWish:
    """What a user chose for the calendar, and what is known of colleagues.

    Attributes:
        calendar_id: which calendar (CAL-23).
        further: calendars that are only shown in the CRM: ids and names (CAL-23).
        past_days, future_days: the window (CAL-19).
        private_events: CAL-21.
        context_section: CAL-5.
        invites_contacts: contacts of an activity are guests of its event (CAL-9).
        syncs: whether a CRM user's calendar is synchronised.
        address_of: where a CRM user is invited, or "".
        is_colleague: whether an address is one of ours.
        expresses: whether the CRM can express a series, by start, zone and recurrence
            (CAL-17).
    """

    calendar_id: str
    further: tuple[tuple[str, str], ...]
    past_days: int
    future_days: int
    private_events: str
    context_section: str
    invites_contacts: bool
    syncs: Callable[[str], bool]
    address_of: Callable[[str], str]
    is_colleague: Callable[[str], bool]
    expresses: Callable[[Values], bool]


@dataclass(frozen=True, slots=True)
class TaskWish:
    """What a user chose for to-dos (TSK-5), and where the CRM shows one (TSK-6)."""

    list_id: str
    zone: str
    link_prefix: str


class CrmBackend(Protocol):
    """The CRM behind the services; one per `CRM_BACKEND`."""

    def ensure_user(self, email: str, name: str) -> str:
        """Return the id of the CRM user with this address, made if needed."""
        ...

    def groups(self, email: str) -> Sequence[Group]:
        """Return the groups that a user may choose."""
        ...

    def members(self, group_id: str) -> dict[str, str]:
        """Return the members of a group: id and name; none of a deleted group."""
        ...

    def limits(self) -> dict[str, int]:
        """Return the characters the CRM takes per contact field."""
        ...

    def contacts(
        self, user: User, group_id: str, table: FieldTable, accounts: AccountDefaults
    ) -> CrmSide:
        """Return the contacts of the CRM as one user's side."""
        ...

    def activities(self, user: User, wish: CalendarWish) -> CrmSide:
        """Return the activities of the CRM as one user's side."""
        ...

    def expresses(self, values: Values) -> bool:
        """Whether the CRM can express a series, by start, zone and recurrence."""
        ...

    def todos(self, user: User, wish: TaskWish) -> CrmSide:
        """Return the to-dos of the CRM as one user's side."""
        ...

    def mail(self, user: User) -> MailCrm:
        """Return the CRM's people and their history as one user sees them."""
        ...

    def user_emails(self) -> Mapping[str, str]:
        """Return the CRM's users: id and e-mail address."""
        ...


class Doorbell(Protocol):
    """Wakes a worker; what is to be done stands in the database."""

    def ring(self, pair_id: str, queue: str) -> bool:
        """Ask for a worker; return whether the queue took it."""
        ...


class Postman(Protocol):
    """Sends e-mail to our own people."""

    def send(self, to: Sequence[str], subject: str, text: str) -> None:
        """Send one message; each recipient is written to alone.

        Raises:
            ProviderDown: if the mail server does not take it.
        """
        ...


class GoogleBackend(Protocol):
    """Google behind the services."""

    @property
    def oauth(self) -> OAuthClient:
        """Our OAuth client.

        Raises:
            ConfigError: if no client is configured.
        """
        ...

    def contacts(self, connection: Connection, table: FieldTable, label: str) -> Side:
        """Return the contacts of one Google account as a side."""
        ...

    def calendar(
        self, connection: Connection, table: FieldTable, wish: CalendarWish
    ) -> Side:
        """Return one calendar of a Google account as a side."""
        ...

    def tasks(self, connection: Connection, table: FieldTable, wish: TaskWish) -> Side:
        """Return one task list of a Google account as a side."""
        ...

    def mailbox(self, connection: Connection) -> Mailbox:
        """Return the mailbox of a Google account."""
        ...

    def collections(
        self, connection: Connection, kind: str
    ) -> Sequence[tuple[str, str]]:
        """Return the calendars or task lists that an account may use: id and name."""
        ...

    def readable_calendars(self, connection: Connection) -> Sequence[tuple[str, str]]:
        """Return the calendars whose events an account may read: id and name."""
        ...


@dataclass(frozen=True, slots=True)
class App:
    """The wired parts of one process.

    Attributes:
        installation: named in our keys (CON-20).
        postman: None if no mail server is configured.
        wait: sleeps so many seconds; a pause between tries for a lease.
    """

    config: Config
    database: Database
    clock: Clock
    ids: Ids
    cipher: TokenCipher
    crm: CrmBackend
    google: GoogleBackend
    files: FileStore
    doorbell: Doorbell
    postman: Postman | None
    installation: str
    wait: Callable[[float], None]
    close: Callable[[], None]


def describe_pair(user: User, pair: Pair) -> str:
    """Return a cycle's job name: `<Kind> – <user>` (HIS-1)."""
    return f"{pair.kind.capitalize()} – {user.name or user.email}"
