"""The composition root: wires configuration, storage, connectors and services."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

from crmsync import migrations
from crmsync.config import Config
from crmsync.connectors.filestore import FsspecStore
from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.contacts import ContactsOptions, GoogleContacts
from crmsync.connectors.google.faults import CALENDAR_JUDGE, TASKS_JUDGE
from crmsync.connectors.google.oauth import OAuthClient
from crmsync.connectors.google.service import GoogleEndpoints
from crmsync.connectors.google.tokens import Grant, GrantTokens, TokenCipher
from crmsync.connectors.postman import SmtpPostman
from crmsync.connectors.transport import Budget, Transport
from crmsync.enqueue import RedisDoorbell
from crmsync.errors import (
    ConfigError,
    CrmSyncError,
    ReconnectNeeded,
    StorageDown,
)
from crmsync.mailports import Mailbox, MailCrm
from crmsync.ports import Clock, CrmSide, Side
from crmsync.records.contacts import CUSTOM_PREFIX
from crmsync.records.values import FieldTable, Values
from crmsync.services.app import (
    AccountDefaults,
    App,
    CalendarWish,
    CrmBackend,
    Group,
    SystemClock,
    TaskWish,
)
from crmsync.storage import people
from crmsync.storage.database import Database, make_database
from crmsync.storage.faults import telling_faults
from crmsync.storage.people import Connection, User

if TYPE_CHECKING:
    from crmsync.services.diagnosing import Patient

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class TimeOrderedIds:
    """Identifiers that sort by time: 48 bits of milliseconds, a count, 60 random."""

    def __init__(self, clock: Clock) -> None:
        """Take time from `clock`."""
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0
        self._random = secrets.token_hex(4)

    def new(self) -> str:
        """Return an identifier greater than all before it."""
        with self._lock:
            milliseconds = int(self._clock.now().timestamp() * 1000)
            self._last = max(self._last + 1, milliseconds << 12)
            return f"{_base32(self._last)}{self._random}"


def _base32(number: int) -> str:
    letters = ""
    for _ in range(12):
        letters = _ALPHABET[number & 31] + letters
        number >>= 5
    return letters


class GoogleParts:
    """Google for one process: one transport, endpoints, one OAuth client."""

    def __init__(
        self, config: Config, database: Database, cipher: TokenCipher, clock: Clock
    ) -> None:
        """Read the addresses; nothing is requested yet."""
        self._config = config
        self._database = database
        self._cipher = cipher
        self._clock = clock
        self.endpoints = _endpoints(config)
        self.transport = Transport(Budget(timeout_seconds=config.http_timeout_seconds))
        self.installation = ""

    @cached_property
    def oauth(self) -> OAuthClient:
        """Our OAuth client."""
        return OAuthClient(
            self._config.google_client_id,
            self._config.google_client_secret.get_secret_value(),
            endpoints=self.endpoints,
            transport=self.transport,
            clock=self._clock,
        )

    def contacts(self, connection: Connection, table: FieldTable, label: str) -> Side:
        """Return the contacts of one Google account as a side."""
        http = GoogleHttp(self.transport, self._tokens(connection), api="people")
        options = ContactsOptions(
            label_name=label,
            account_id=connection.google_sub,
            installation=self.installation,
        )
        return GoogleContacts(
            http,
            self.endpoints.people,
            table=table,
            clock=self._clock,
            options=options,
        )

    def calendar(
        self, connection: Connection, table: FieldTable, wish: CalendarWish
    ) -> Side:
        """Return one calendar of a Google account as a side."""
        from crmsync.connectors.google.activities import (
            ActivitiesOptions,
            GoogleActivities,
        )
        from crmsync.connectors.google.activities_further import (
            Further,
            GoogleCalendars,
        )
        from crmsync.connectors.google.mapping.activities import (
            PrivateEvents,
            SectionMode,
        )

        tokens = self._tokens(connection)
        http = GoogleHttp(self.transport, tokens, api="calendar", judge=CALENDAR_JUDGE)
        options = ActivitiesOptions(
            calendar_id=wish.calendar_id,
            address=connection.email,
            installation=self.installation,
            sign=self._sign,
            past_days=wish.past_days,
            future_days=wish.future_days,
            private_events=cast("PrivateEvents", wish.private_events),
            context_section=cast("SectionMode", wish.context_section),
            is_colleague=wish.is_colleague,
            expresses=wish.expresses,
        )

        def side(**changes: str) -> GoogleActivities:
            chosen = replace(options, **changes)  # type: ignore[arg-type]  # names are checked by dataclasses
            root = self.endpoints.calendar
            return GoogleActivities(
                http, root, table=table, clock=self._clock, options=chosen
            )

        further = [
            Further(key, name, side(calendar_id=key, source=f"the calendar {name}"))
            for key, name in wish.further
        ]
        return GoogleCalendars(side(), further, clock=self._clock)

    def tasks(self, connection: Connection, table: FieldTable, wish: TaskWish) -> Side:
        """Return one task list of a Google account as a side."""
        from crmsync.connectors.google.tasks import GoogleTasks, TasksOptions

        tokens = self._tokens(connection)
        http = GoogleHttp(self.transport, tokens, api="tasks", judge=TASKS_JUDGE)
        return GoogleTasks(
            http,
            self.endpoints.tasks,
            table=table,
            clock=self._clock,
            options=TasksOptions(list_id=wish.list_id, link_prefix=wish.link_prefix),
        )

    def mailbox(self, connection: Connection) -> Mailbox:
        """Return the mailbox of a Google account."""
        from crmsync.connectors.google.gmail import GmailApi
        from crmsync.connectors.google.mailbox import GoogleMailbox

        http = GoogleHttp(self.transport, self._tokens(connection), api="gmail")
        return GoogleMailbox(GmailApi(http, self.endpoints.gmail))

    def collections(self, connection: Connection, kind: str) -> list[tuple[str, str]]:
        """Return the calendars or task lists that an account may use: id and name."""
        from crmsync.connectors.google import choosable

        tokens = self._tokens(connection)
        if kind == "calendar":
            http = GoogleHttp(self.transport, tokens, api="calendar")
            return choosable.calendars(http, self.endpoints.calendar)
        http = GoogleHttp(self.transport, tokens, api="tasks")
        return choosable.task_lists(http, self.endpoints.tasks)

    def readable_calendars(self, connection: Connection) -> list[tuple[str, str]]:
        """Return the calendars whose events an account may read: id and name."""
        from crmsync.connectors.google import choosable

        http = GoogleHttp(self.transport, self._tokens(connection), api="calendar")
        return choosable.calendars(http, self.endpoints.calendar, choosable.READERS)

    def _sign(self, text: str) -> str:
        """Sign a marker in a Google record (CAL-26)."""
        key = self._config.secret_key().encode()
        return hmac.new(key, b"marker|" + text.encode(), hashlib.sha256).hexdigest()

    def _tokens(self, connection: Connection) -> GrantTokens:
        grant = Grant.from_text(self._cipher.decrypt(connection.grant))

        def store(fresh: Grant) -> None:
            people.edit_connection(
                self._database,
                connection.connection_id,
                grant=self._cipher.encrypt(fresh.to_text()),
            )

        refresher = _MarkingRefresher(self.oauth, self._database, connection)
        return GrantTokens(grant, refresher, store=store, clock=self._clock)


class _MarkingRefresher:
    """Refreshes grants and marks a connection whose grant is dead (AUTH-7)."""

    def __init__(
        self, oauth: OAuthClient, database: Database, connection: Connection
    ) -> None:
        self._oauth = oauth
        self._database = database
        self._connection = connection

    def refresh(self, grant: Grant) -> Grant:
        """Return the grant with a new access token."""
        try:
            return self._oauth.refresh(grant)
        except ReconnectNeeded as error:
            people.edit_connection(
                self._database,
                self._connection.connection_id,
                state="dead",
                error=error.code,
            )
            raise


def _endpoints(config: Config) -> GoogleEndpoints:
    given = dict(config.google_addresses())
    root = given.pop("google_root_url", None)
    names = {
        name: name.removeprefix("google_").removesuffix("_url").removesuffix("_root")
        for name in given
    }
    return GoogleEndpoints.from_root(
        root, {names[name]: url for name, url in given.items()}
    )


class BuiltinParts:
    """The built-in CRM behind the services."""

    def __init__(
        self, database: Database, installation: str, clock: Clock, url: str
    ) -> None:
        """Use the CRM's tables in `database`; its pages are under `url`."""
        self._url_prefix = f"{url.rstrip('/')}/activities/"
        self._database = database
        self._clock = clock
        self._installation = installation

    def ensure_user(self, email: str, name: str) -> str:
        """Return the CRM user with this address, made if needed."""
        from crm import users

        with self._database.write() as connection:
            found = users.get_by_email(connection, email)
            row = found or users.add(connection, email, name=name)
            return str(row.id)

    def groups(self, email: str) -> Sequence[Group]:
        """Return the groups that a user may choose."""
        from crm import groups, users

        with self._database.read() as connection:
            viewer = users.get_by_email(connection, email)
            rows = groups.list_all(connection, viewer=viewer.id if viewer else None)
            return [
                Group(row.id, row.name, groups.member_count(connection, row.id))
                for row in rows
            ]

    def members(self, group_id: str) -> dict[str, str]:
        """Return the members of a group: id and name; none of a deleted group."""
        from crm import groups, lookup
        from crm.rows import shown_name

        found: dict[str, str] = {}
        with self._database.read() as connection:
            if groups.get(connection, group_id) is None:
                return found
            after = ""
            while page := lookup.page_of_group(connection, group_id, after=after):
                found |= {row.id: shown_name(row.values) for row in page}
                after = page[-1].id
        return found

    def limits(self) -> dict[str, int]:
        """Return the characters the CRM takes per contact field.

        The entry named by the prefix alone holds for every custom field.
        """
        from crm.contacts import CUSTOM_LIMIT, LIMITS

        return {**LIMITS, CUSTOM_PREFIX: CUSTOM_LIMIT}

    def contacts(
        self, user: User, group_id: str, table: FieldTable, accounts: AccountDefaults
    ) -> CrmSide:
        """Return the contacts of the CRM as one user's side."""
        from crmsync.connectors.builtin.contacts import (
            BuiltinContacts,
            BuiltinOptions,
        )

        options = BuiltinOptions(
            group_id=group_id,
            crm_user_id=self.ensure_user(user.email, user.name),
            installation=self._installation,
            user=user.user_id,
            account_type=accounts.account_type,
            account_status=accounts.status,
            account_owner=accounts.owner,
            ambiguous_account="hold" if accounts.ambiguous == "hold" else "first",
            fields=table.names,
        )
        return BuiltinContacts(self._database, options, clock=self._clock)

    def activities(self, user: User, wish: CalendarWish) -> CrmSide:
        """Return the activities of the CRM as one user's side."""
        from crmsync.connectors.builtin.activities import (
            ActivityOptions,
            BuiltinActivities,
        )

        options = ActivityOptions(
            crm_user_id=self.ensure_user(user.email, user.name),
            installation=self._installation,
            user=user.user_id,
            syncs=wish.syncs,
            address_of=wish.address_of,
            past_days=wish.past_days,
            future_days=wish.future_days,
            invite_contacts=wish.invites_contacts,
            url_prefix=self._url_prefix,
        )
        return BuiltinActivities(self._database, options, clock=self._clock)

    def expresses(self, values: Values) -> bool:
        """Whether the CRM can express a series, by start, zone and recurrence."""
        from crm.series import is_expressible

        return is_expressible(values)

    def todos(self, user: User, wish: TaskWish) -> CrmSide:
        """Return the to-dos of the CRM as one user's side."""
        from crmsync.connectors.builtin.tasks import BuiltinTasks, TaskOptions

        options = TaskOptions(
            crm_user_id=self.ensure_user(user.email, user.name),
            installation=self._installation,
            user=user.user_id,
            zone=wish.zone,
            url_prefix=self._url_prefix,
        )
        return BuiltinTasks(self._database, options, clock=self._clock)

    def mail(self, user: User) -> MailCrm:
        """Return the CRM's people and their history as one user sees them."""
        from crmsync.connectors.builtin.mail import BuiltinMail

        crm_user_id = self.ensure_user(user.email, user.name)
        return BuiltinMail(self._database, crm_user_id, clock=self._clock)

    def user_emails(self) -> dict[str, str]:
        """Return the CRM's users: id and e-mail address."""
        from crm import users

        with self._database.read() as connection:
            return {row.id: row.email for row in users.list_all(connection)}


def build(config: Config, *, clock: Clock | None = None) -> App:
    """Wire one process.

    Raises:
        ConfigError: if the configuration is wrong, or the database is older or newer
            than this version.
        StorageDown: if the database is busy or lacks room.
    """
    config.make_instance()
    clock = clock or SystemClock()
    database = make_database(
        config.database_url, busy_seconds=config.database_busy_seconds
    )
    try:
        _check_database(database)
    except CrmSyncError:
        database.close()
        raise
    cipher = TokenCipher(config.token_keys())
    ids = TimeOrderedIds(clock)
    installation = people.installation_id(database, ids.new(), clock.now())
    google = GoogleParts(config, database, cipher, clock)
    google.installation = installation

    def close() -> None:
        google.transport.close()
        database.close()

    return App(
        config=config,
        database=database,
        clock=clock,
        ids=ids,
        cipher=cipher,
        crm=_crm(config, database, installation, clock),
        google=google,
        files=FsspecStore(config.store_url()),
        doorbell=RedisDoorbell(config.redis_url),
        postman=_postman(config),
        installation=installation,
        wait=time.sleep,
        close=close,
    )


@contextmanager
def make_patient(config: Config, find_redis: Callable[[], str]) -> Iterator[Patient]:
    """Wire what `doctor` looks at; the database need not be there or current."""
    from crmsync.services.diagnosing import Patient

    clock = SystemClock()
    transport = Transport(Budget(timeout_seconds=config.http_timeout_seconds))
    oauth = None
    if config.google_client_id:
        oauth = OAuthClient(
            config.google_client_id,
            config.google_client_secret.get_secret_value(),
            endpoints=_endpoints(config),
            transport=transport,
            clock=clock,
        )
    try:
        yield Patient(config, clock, oauth, transport, find_redis)
    finally:
        transport.close()


def _postman(config: Config) -> SmtpPostman | None:
    url = config.smtp_url.get_secret_value()
    if not url:
        return None
    if "@" not in config.mail_from:
        raise ConfigError("MAIL_FROM is not an address; SMTP_URL needs a sender.")
    return SmtpPostman(url, config.mail_from)


def _crm(
    config: Config, database: Database, installation: str, clock: Clock
) -> CrmBackend:
    if config.crm_backend == "infor":
        raise ConfigError("CRM_BACKEND=infor: this version knows only builtin so far.")
    return BuiltinParts(database, installation, clock, config.public_url)


def _check_database(database: Database) -> None:
    from sqlalchemy.exc import DBAPIError

    try:
        with telling_faults():
            is_current = migrations.is_current(database.engine)
    except StorageDown as error:
        if error.code not in {"storage_gone", "storage_damaged"}:
            raise
        cause = error.__cause__
        why = str(cause.orig if isinstance(cause, DBAPIError) else error)
        raise ConfigError(
            f"DATABASE_URL: the database cannot be opened ({why.splitlines()[0]}). "
            "See that the address is right and that its server runs."
        ) from None
    if is_current:
        return
    if migrations.is_newer(database.engine):
        raise ConfigError(
            "DATABASE_URL: a later version of CRM Sync has migrated this database. "
            "Install that version, or restore a backup from before it."
        )
    raise ConfigError(
        "DATABASE_URL: the database is older than this version, or empty. "
        "Run: crm-sync db upgrade"
    )
