"""The built-in CRM for the pages: who is looking, and its refusals as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import abort, g
from sqlalchemy import Connection

from crm import accounts, contacts, groups, users
from crm.accounts import AccountRow, AccountRule
from crm.common import EVERYONE, Author
from crm.errors import CrmError
from crm.groups import GroupRow
from crm.rows import ContactRow
from crmsync.errors import UsageError
from crmsync.records.contacts import facts
from crmsync.services import settings
from webapp import session
from webapp.wiring import core


def is_here() -> bool:
    """Whether the built-in CRM is the CRM of this installation."""
    return str(core().config.crm_backend) == "builtin"


def require() -> None:
    """Answer 404 where another CRM is used: it has pages of its own."""
    if not is_here():
        abort(404)


def viewer_id(connection: Connection) -> str:
    """Return the visitor's id as a CRM user, "" if they are none."""
    if "crm_viewer" not in g:
        found = users.get_by_email(connection, session.user().email)
        g.crm_viewer = found.id if found else ""
    return str(g.crm_viewer)


@contextmanager
def reading() -> Iterator[tuple[Connection, str]]:
    """Open a unit of work that only reads, for the visitor."""
    with core().database.read() as connection:
        yield connection, viewer_id(connection)


@contextmanager
def writing() -> Iterator[tuple[Connection, Author]]:
    """Open a unit of work that writes, in the visitor's name."""
    user = session.user()
    crm_user = core().crm.ensure_user(user.email, user.name)
    with core().database.write() as connection:
        yield connection, Author(crm_user, core().clock.now())


@contextmanager
def refusals() -> Iterator[None]:
    """Turn a refusal of the CRM into an error that a person reads."""
    try:
        yield
    except CrmError as error:
        raise UsageError(
            sentence(error), next_step="Go back, correct it and try again."
        ) from None


def sentence(error: CrmError) -> str:
    """Return a refusal as a sentence."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def contact_or_404(connection: Connection, viewer: str, contact_id: str) -> ContactRow:
    """Return a live contact that the visitor sees."""
    found = contacts.read(connection, [contact_id], viewer=viewer)
    if not found or found[0].deleted:
        abort(404)
    return found[0]


def account_or_404(connection: Connection, viewer: str, account_id: str) -> AccountRow:
    """Return an account that the visitor sees."""
    found = accounts.read(connection, [account_id])
    if not found or found[0].owner not in {EVERYONE, viewer}:
        abort(404)
    return found[0]


def group_or_404(connection: Connection, viewer: str, group_id: str) -> GroupRow:
    """Return a group that the visitor sees."""
    found = groups.get(connection, group_id)
    if found is None or found.owner not in {EVERYONE, viewer}:
        abort(404)
    return found


def account_rule(author: Author) -> AccountRule:
    """Return how a person's new contacts get their accounts; they are asked (CON-9)."""
    wanted = settings.account_defaults(core())
    return AccountRule(
        manager=author.user_id,
        type=wanted.account_type,
        status=wanted.status,
        owner=wanted.owner,
        ambiguous="hold",
    )


def add_facts(items: list[dict[str, Any]]) -> None:
    """Add to items what tells their records apart, for whoever has to choose."""
    for item in items:
        if item["state"] != "held":
            continue
        row = item["row"]
        seen = row.plan.get("crm_seen") or row.plan.get("google_seen") or {}
        item["facts"] = facts(seen)
        if item["reason_code"] == "ambiguous_account":
            item["choices"] = [_choice(account) for account in accounts_for(row)]
    _add_live_facts(items)


def _choice(account: AccountRow) -> dict[str, str]:
    known = " · ".join(filter(None, (account.type, account.status)))
    since = f"since {account.created_at:%Y-%m-%d}"
    return {"id": account.id, "name": account.name, "facts": f"{known} · {since}"}


def accounts_for(item: Any) -> list[AccountRow]:
    """Return the accounts that a held contact's company may mean (CON-9)."""
    company = item.plan.get("crm", {}).get("company", "")
    if not is_here() or not company:
        return []
    with reading() as (connection, _):
        return accounts.find_by_name(connection, company)


def _add_live_facts(items: list[dict[str, Any]]) -> None:
    """Describe CRM contacts to choose from as they are now."""
    held = [item for item in items if item["state"] == "held"]
    if not held or not is_here():
        return
    ids = {c["id"] for item in held if item["google"]["id"] for c in item["choices"]}
    with reading() as (connection, viewer):
        rows = contacts.read(connection, sorted(ids), viewer=viewer)
    now = {row.id: facts(row.values) for row in rows if not row.deleted}
    for item in held:
        for choice in item["choices"]:
            choice["facts"] = now.get(choice["id"]) or choice.get("facts", "")
