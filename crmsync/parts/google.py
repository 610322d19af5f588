"""Google behind the services: one transport, endpoints, one OAuth client."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

from crmsync.config import Config
from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.contacts import ContactsOptions, GoogleContacts
from crmsync.connectors.google.faults import CALENDAR_JUDGE, TASKS_JUDGE
from crmsync.connectors.google.oauth import OAuthClient
from crmsync.connectors.google.service import GoogleEndpoints
from crmsync.connectors.google.tokens import Grant, GrantTokens, TokenCipher
from crmsync.connectors.transport import Budget, Transport
from crmsync.errors import (
    ReconnectNeeded,
)
from crmsync.mailports import Mailbox
from crmsync.ports import Clock, Side
from crmsync.records.values import FieldTable
from crmsync.services.app import (
    CalendarWish,
    TaskWish,
)
from crmsync.storage import people
from crmsync.storage.database import Database
from crmsync.storage.people import Connection

if TYPE_CHECKING:
    pass


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
        self.endpoints = endpoints_of(config)
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


def endpoints_of(config: Config) -> GoogleEndpoints:
    """Return where Google is, as the configuration says."""
    given = dict(config.google_addresses())
    root = given.pop("google_root_url", None)
    names = {
        name: name.removeprefix("google_").removesuffix("_url").removesuffix("_root")
        for name in given
    }
    return GoogleEndpoints.from_root(
        root, {names[name]: url for name, url in given.items()}
    )
