"""The built-in CRM behind the services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crmsync.mailports import MailCrm
from crmsync.ports import Clock, CrmSide
from crmsync.records.contacts import CUSTOM_PREFIX
from crmsync.records.values import FieldTable, Values
from crmsync.services.app import (
    AccountDefaults,
    CalendarWish,
    Group,
    TaskWish,
)
from crmsync.storage.database import Database
from crmsync.storage.people import User

if TYPE_CHECKING:
    pass


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
