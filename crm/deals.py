"""Opportunities and tickets, as plainly as recorded e-mail needs them (WEB-3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, update

from crm.common import insert_missing
from crm.dealfields import (
    OPPORTUNITY_LIMITS,
    TICKET_LIMITS,
    amount_text,
    check_day,
    parse_amount,
)
from crm.errors import BadValue
from crm.folding import fold
from crm.shelves import Shelf
from crm.tables import Counter, Opportunity, Ticket

_NUMBERS = "ticket"


class Opportunities(Shelf):
    """All opportunities."""

    noun = "opportunity"
    letter = "O"
    table = Opportunity
    limits = OPPORTUNITY_LIMITS
    sorts = ("name", "amount", "stage", "close_date", "changed")

    def columns(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return the columns that hold checked values.

        Raises:
            BadValue: if it has no name, or the amount or date is none.
        """
        name = fold(values["name"])
        if not name:
            raise BadValue("name", "is needed")
        check_day("close_date", values["close_date"])
        return {
            **values,
            "account_id": values["account_id"] or None,
            "contact_id": values["contact_id"] or None,
            "amount": parse_amount(values["amount"]),
            "sort_key": name,
            "search_key": name,
        }

    def values(self, row: Any) -> dict[str, str]:
        """Return the values of a stored row."""
        return {name: getattr(row, name) or "" for name in OPPORTUNITY_LIMITS} | {
            "amount": amount_text(row.amount)
        }

    def sort_column(self, sort: str) -> Any:
        """Return what a list is sorted by."""
        columns: Mapping[str, Any] = {
            "amount": func.coalesce(Opportunity.amount, -1),
            "stage": func.lower(Opportunity.stage),
            "close_date": Opportunity.close_date,
            "changed": Opportunity.change_seq,
        }
        return columns.get(sort, Opportunity.sort_key)


class Tickets(Shelf):
    """All tickets; the CRM gives each its number, which stays."""

    noun = "ticket"
    letter = "K"
    table = Ticket
    limits = TICKET_LIMITS
    sorts = ("number", "subject", "status", "changed")

    def columns(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return the columns that hold checked values.

        Raises:
            BadValue: if it has no subject.
        """
        subject = fold(values["subject"])
        if not subject:
            raise BadValue("subject", "is needed")
        return {
            **values,
            "account_id": values["account_id"] or None,
            "contact_id": values["contact_id"] or None,
            "sort_key": subject,
            "search_key": subject,
        }

    def values(self, row: Any) -> dict[str, str]:
        """Return the values of a stored row, with its number."""
        found = {name: getattr(row, name) or "" for name in TICKET_LIMITS}
        return found | {"number": str(row.number)}

    def numbers(self, conn: Connection, count: int) -> Sequence[Mapping[str, Any]]:
        """Return the numbers of tickets that are about to be made."""
        insert_missing(conn, Counter, [{"name": _NUMBERS, "value": 0}])
        last = conn.execute(
            update(Counter)
            .where(Counter.name == _NUMBERS)
            .values(value=Counter.value + count)
            .returning(Counter.value)
        ).scalar_one()
        return [{"number": last - count + 1 + place} for place in range(count)]

    def sort_column(self, sort: str) -> Any:
        """Return what a list is sorted by."""
        columns: Mapping[str, Any] = {
            "subject": Ticket.sort_key,
            "status": func.lower(Ticket.status),
            "changed": Ticket.change_seq,
        }
        return columns.get(sort, Ticket.number)


OPPORTUNITIES, TICKETS = Opportunities(), Tickets()
