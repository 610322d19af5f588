"""Leads: somebody who may become a contact, found by address as contacts are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, func, select

from crm.common import chunks, visible
from crm.dealfields import LEAD_LIMITS
from crm.errors import BadValue
from crm.fields import EMAILS, PHONES
from crm.folding import address_key, fold, person_key
from crm.rows import addresses_of
from crm.shelves import Record, Shelf
from crm.tables import Lead, LeadAddress

_KNOWN_BY = ("first", "last", "company", *EMAILS, *PHONES)


class Leads(Shelf):
    """All leads; their addresses are kept for look-ups by index."""

    noun = "lead"
    letter = "L"
    table = Lead
    limits = LEAD_LIMITS
    sorts = ("name", "company", "title", "email", "status", "changed")

    def columns(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return the columns that hold checked values.

        Raises:
            BadValue: if there is nothing to know the lead by.
        """
        if not any(values[name].strip() for name in _KNOWN_BY):
            raise BadValue("last", "is needed, or a company, an address or a phone")
        name = person_key(fold(values["first"]), fold(values["last"]))
        searched = (values["first"], values["last"], values["company"])
        words = [fold(" ".join(searched)), *addresses_of(values)]
        return {**values, "sort_key": name, "search_key": "\n".join(words)}

    def values(self, row: Any) -> dict[str, str]:
        """Return the values of a stored row."""
        return {name: getattr(row, name) for name in LEAD_LIMITS}

    def sort_column(self, sort: str) -> Any:
        """Return what a list is sorted by."""
        columns: Mapping[str, Any] = {
            "company": func.lower(Lead.company),
            "title": func.lower(Lead.title),
            "email": func.lower(Lead.email),
            "status": func.lower(Lead.status),
            "changed": Lead.change_seq,
        }
        return columns.get(sort, Lead.sort_key)

    def stored(self, conn: Connection, rows: Sequence[Record]) -> None:
        """Keep up the addresses; a deleted lead has none."""
        for part in chunks([row.id for row in rows]):
            conn.execute(sa.delete(LeadAddress).where(LeadAddress.lead_id.in_(part)))
        new = [
            {"address": address, "lead_id": row.id}
            for row in rows
            if not row.deleted
            for address in addresses_of(row.values)
        ]
        if new:
            conn.execute(sa.insert(LeadAddress), new)


LEADS = Leads()


def find_by_addresses(
    conn: Connection, addresses: Iterable[str], *, viewer: str | None = None
) -> dict[str, list[str]]:
    """Return the ids of leads that have an address, by folded address."""
    keys = sorted({address_key(item) for item in addresses} - {""})
    found: dict[str, list[str]] = {}
    for part in chunks(keys):
        statement = (
            select(LeadAddress.address, LeadAddress.lead_id)
            .join(Lead, Lead.id == LeadAddress.lead_id)
            .where(LeadAddress.address.in_(part), *visible(_owner(), viewer))
            .order_by(LeadAddress.address, LeadAddress.lead_id)
        )
        for address, lead_id in conn.execute(statement):
            found.setdefault(address, []).append(lead_id)
    return found


def _owner() -> Any:
    return Lead.owner
