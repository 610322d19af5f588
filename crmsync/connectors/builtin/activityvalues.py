"""The built-in CRM's activities in the neutral form, and back.

A view is one user's: who the other guests are, and what the own answer is, depends on
who looks. It reads names and addresses for a page of activities at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from crm import accounts, activitystore, contacts, participants, users
from crm.activityfields import CALENDAR_TYPES, PERSONAL
from crm.activityrows import ActivityRow, Kind, Participant, other
from crm.folding import address_key
from crm.rows import ContactRow
from crmsync.records.activities import CANCELLED, FIELDS, PRIVATE, is_timeless, starred
from crmsync.records.remote import Remote
from crmsync.records.values import SideName, Values

_STAMP_DIGITS = 12
_PLAIN = ("subject", "start", "duration", "location", "notes", "recurrence")
_SHOWN = ("guest_list", "rooms")
_WRITTEN = (*_PLAIN, *_SHOWN, "zone")


@dataclass(frozen=True, slots=True)
class ActivityOptions:
    """What differs between pairs.

    Attributes:
        crm_user_id: the person's id in the CRM.
        installation, user: named in our keys (CON-20).
        syncs: whether a CRM user's calendar is synchronised (CAL-9).
        address_of: a user's Google address, else the CRM's, else "".
        past_days, future_days: the window of a full read (CAL-19).
        invite_contacts: whether an activity's contacts are guests of its event.
        url_prefix: what an activity's id is put behind to make a link to its page.
        fields: the mapped fields.
        batch_size: records per write call, and so per transaction.
    """

    crm_user_id: str
    installation: str
    user: str
    syncs: Callable[[str], bool]
    address_of: Callable[[str], str]
    past_days: int = 30
    future_days: int = 365
    invite_contacts: bool = False
    url_prefix: str = ""
    fields: tuple[str, ...] = field(default=tuple(item.name for item in FIELDS))
    batch_size: int = 200


@dataclass(frozen=True, slots=True)
class Names:
    """What a page of activities refers to.

    Attributes:
        series: of occurrences, by id.
    """

    contacts: Mapping[str, ContactRow]
    accounts: Mapping[str, str]
    users: Mapping[str, str]
    series: Mapping[str, ActivityRow]


def read_names(conn: Connection, rows: Sequence[ActivityRow]) -> Names:
    """Read what activities refer to."""
    people = {
        person.ref
        for row in rows
        for person in row.participants
        if person.kind is Kind.CONTACT
    }
    linked = {row.values["contact_id"] for row in rows}
    companies = {row.values["account_id"] for row in rows}
    parents = {row.parent_id for row in rows if row.parent_id}
    found = contacts.read(conn, sorted((people | linked) - {""}))
    return Names(
        {row.id: row for row in found if not row.deleted},
        {row.id: row.name for row in accounts.read(conn, sorted(companies - {""}))},
        {user.id: user.name or user.email for user in users.list_all(conn)},
        {row.id: row for row in activitystore.read(conn, sorted(parents))},
    )


class View:
    """Activities as one user's pair sees them."""

    def __init__(self, options: ActivityOptions, names: Names) -> None:
        """Build a view.

        Args:
            options: whose view it is.
            names: of all that the shown activities refer to.
        """
        self._options = options
        self._names = names
        self._me = options.crm_user_id

    def remote(self, row: ActivityRow) -> Remote:
        """Return an activity as the cycle sees it."""
        is_done = row.completed_at is not None
        is_gone = row.deleted or (is_done and not self._goes_on(row))
        takes_part = self._me in row.user_ids
        return Remote(
            SideName.CRM,
            row.id,
            str(row.version),
            {} if is_gone else self.values(row),
            self._notes(row, is_done=is_done and not row.deleted),
            key=row.sync_key or "",
            is_selected=takes_part and not is_gone,
            is_gone=is_gone,
            stamp=str(row.version).zfill(_STAMP_DIGITS),
            modified_at=row.modified_at,
        )

    def _goes_on(self, row: ActivityRow) -> bool:
        """Whether it is one occurrence of a series that goes on.

        Google shows it with its series, so there is something to put asterisks around
        even if it was never linked on its own (CAL-14).
        """
        series = self._names.series.get(row.parent_id or "")
        return (
            series is not None
            and not series.deleted
            and series.completed_at is None
            and not row.is_cancelled
        )

    def _notes(self, row: ActivityRow, *, is_done: bool) -> dict[str, object]:
        return {
            "organizer": row.leader == self._me,
            "leader": row.leader,
            "series": row.parent_id or "",
            "slot": row.slot,
            "type": row.type,
            "done": is_done,
            "left": self._me not in row.user_ids,
            "leader_syncs": self._options.syncs(row.leader),
            "guests": len(self.guests(row)),
            "modified_by": row.modified_by,
            "url": f"{self._options.url_prefix}{row.parent_id or row.id}"
            if self._options.url_prefix
            else "",
        }

    def values(self, row: ActivityRow) -> Values:
        """Return the mapped fields that have a value."""
        if row.is_cancelled:
            values = {"slot": row.slot, "cancelled": CANCELLED}
        else:
            values = {name: row.values[name] for name in (*_PLAIN, *_SHOWN)} | {
                "zone": self._zone(row),
                "attendees": "\n".join(sorted(self.guests(row))),
                "answer": self._answer(row),
                "slot": row.slot,
                "visibility": PRIVATE if row.type == PERSONAL else "",
                "context": section(row, self._names),
                "imported": row.imported,
            }
            if row.completed_at is not None:
                values["subject"] = starred(values["subject"])
        return {n: values[n] for n in self._options.fields if values.get(n)}

    def _zone(self, row: ActivityRow) -> str:
        if not row.is_series or is_timeless(row.values["start"]):
            return ""
        return row.values["zone"] or "UTC"

    def _answer(self, row: ActivityRow) -> str:
        mine = row.participant(self._me)
        return mine.answer if mine is not None else ""

    # -------------------------------------------------------------- who else is there

    def is_born_here(self, row: ActivityRow) -> bool:
        """Whether an activity, or the series it belongs to, was made in the CRM."""
        return is_born_here(row, self._names)

    def guests(self, row: ActivityRow) -> dict[str, Participant]:
        """Return the other guests of the activity's event by folded address.

        Of an activity whose leader does not synchronise, nobody: each member has an
        event of their own, without guests (CAL-10).
        """
        is_shared = self.is_born_here(row) and (
            row.leader == self._me or self._options.syncs(row.leader)
        )
        found: dict[str, Participant] = {}
        for person in row.participants:
            is_user = person.kind is Kind.USER
            if is_user and person.ref in {self._me, row.leader}:
                continue
            is_invited = is_user or self._options.invite_contacts
            if person.is_guest or (is_shared and is_invited):
                key = address_key(self._address(person))
                if key:
                    found[key] = person
        return found if is_shared or not self.is_born_here(row) else {}

    def _address(self, person: Participant) -> str:
        if person.kind is Kind.USER:
            return self._options.address_of(person.ref)
        if person.address:
            return person.address
        contact = self._names.contacts.get(person.ref)
        return contact.values["email"] if contact is not None else ""


def is_born_here(row: ActivityRow, names: Names) -> bool:
    """Whether an activity, or the series it belongs to, was made in the CRM."""
    return names.series.get(row.parent_id or "", row).sync_key is None


def section(row: ActivityRow, names: Names) -> str:
    """Return the section of an activity that was made in the CRM (CAL-5)."""
    if not is_born_here(row, names):
        return ""
    values = row.values
    contact = names.contacts.get(values["contact_id"])
    account = names.accounts.get(values["account_id"], "")
    lines = (
        ("Contact", _full_name(contact)),
        ("Account", account or (contact.values["company"] if contact else "")),
        ("Lead", values["lead"]),
        ("Opportunity", values["opportunity"]),
        ("Ticket", values["ticket"]),
        ("Activity leader", names.users.get(row.leader, "")),
    )
    return "\n".join(f"{label}: {text}" for label, text in lines if text)


def _full_name(contact: ContactRow | None) -> str:
    if contact is None:
        return ""
    names = (contact.values[name] for name in ("first", "last"))
    return " ".join(filter(None, names)) or contact.values["company"]


# ------------------------------------------------------------------ back into the CRM


def changes_of(values: Values) -> dict[str, str]:
    """Return the fields of the CRM that values say something about."""
    return {name: values[name] for name in _WRITTEN if name in values}


def type_of(values: Values) -> str:
    """Return the type of an activity that is made from an event (CAL-3)."""
    return PERSONAL if values.get("visibility") == PRIVATE else "meeting"


def is_mapped(row: ActivityRow) -> bool:
    """Whether an activity of that type has an event (CAL-3)."""
    return row.type in CALENDAR_TYPES


def with_answer(
    people: Iterable[Participant], user_id: str, answer: str
) -> tuple[Participant, ...]:
    """Return participants, the user among them with an answer."""
    found = {person.key: person for person in people}
    key = (Kind.USER, user_id)
    mine = found.get(key, Participant(Kind.USER, user_id))
    found[key] = replace(mine, answer=answer)
    return tuple(found.values())


def with_guests(
    conn: Connection,
    row: ActivityRow,
    view: View,
    addresses: Iterable[str],
    options: ActivityOptions,
) -> tuple[Participant, ...]:
    """Return an activity's participants with these guests, and no other ones.

    Members without an address, and contacts who are no guests, stay. A user is a member
    of what was made in the CRM; else everybody has an activity of their own, and is
    listed (CAL-6).
    """
    shown = view.guests(row)
    wanted = list(dict.fromkeys(filter(None, map(address_key, addresses))))
    dropped = {person.key for key, person in shown.items() if key not in wanted}
    kept = [person for person in row.participants if person.key not in dropped]
    fresh = [key for key in wanted if key not in shown]
    as_members = view.is_born_here(row)
    return (*kept, *new_guests(conn, fresh, options, as_members=as_members))


def new_guests(
    conn: Connection,
    addresses: Sequence[str],
    options: ActivityOptions,
    *,
    as_members: bool = False,
) -> list[Participant]:
    """Return participants by folded address (CAL-6)."""
    if not addresses:
        return []
    known: dict[str, users.UserRow] = {}
    for user in users.list_all(conn):
        known.setdefault(address_key(user.email), user)
        known[address_key(options.address_of(user.id))] = user
    named = participants.named(conn, addresses, viewer=options.crm_user_id)
    found = {item.address: item for item in named}
    people: list[Participant] = []
    for address in addresses:
        colleague = known.get(address)
        if colleague is None:
            people.append(found[address])
        elif colleague.id == options.crm_user_id:
            continue
        elif as_members:
            people.append(Participant(Kind.USER, colleague.id, answer="needsAction"))
        else:
            people.append(other(address, colleague.name))
    return people
