"""Scenes that tests of pages begin with: cycles, items, people with contacts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from cli import builtin
from crm import mail as crm_mail
from crmsync.mailports import StoredFile
from crmsync.records.mail import Address, FileKind, Mail
from crmsync.services import grouping, working
from crmsync.storage import cycles, people
from crmsync.storage import tables as t
from crmsync.storage.people import User
from tests.support.product import ACTOR, GROUP
from tests.web.site import ANNA, Site


def add_cycle(
    site: Site,
    user: User,
    *,
    state: str = "succeeded",
    counts: Mapping[str, Any] | None = None,
    minutes_ago: float = 0,
    seconds: float = 2,
    **columns: Any,
) -> str:
    """Put a cycle into Sync History."""
    pair = people.pair_of(site.app.database, user.user_id, "contacts")
    started = site.app.clock.now() - timedelta(minutes=minutes_ago)
    whole = {**cycles.empty_counts(), **(counts or {})}
    measures = cycles.measures(whole, columns.get("error"))
    is_over = state not in {"running", "queued"}
    row = {
        "id": site.app.ids.new(),
        "pair_id": pair.pair_id,
        "user_id": user.user_id,
        "kind": "contacts",
        "state": state,
        "is_dry": False,
        "started_at": started,
        "finished_at": started + timedelta(seconds=seconds) if is_over else None,
        "duration_ms": int(seconds * 1000) if is_over else 0,
        "counts": whole,
        "requests": {"google": 3, "crm": 0},
        "is_quiet": state == "succeeded"
        and not measures["changes"]
        and not any(whole[n] for n in ("conflicts", "held", "skipped", "errors")),
        **measures,
        **columns,
    }
    with site.app.database.write() as connection:
        connection.execute(t.cycles.insert().values(**row))
    return str(row["id"])


def add_item(site: Site, cycle_id: str, name: str = "Jo Doe", **columns: Any) -> str:
    """Put an item into a cycle."""
    with site.app.database.write() as connection:
        cycle = connection.execute(
            select(t.cycles).where(t.cycles.c.id == cycle_id)
        ).one()
        row = {
            "id": site.app.ids.new(),
            "pair_id": cycle.pair_id,
            "cycle_id": cycle_id,
            "at": cycle.started_at,
            "action": "update",
            "direction": "to_google",
            "state": "done",
            "reason": "edited_in_crm",
            "name": name,
            **columns,
        }
        connection.execute(t.items.insert().values(**row))
    return str(row["id"])


def change(field: str = "title", **sides: Any) -> dict[str, Any]:
    """Return one field's change as an item keeps it."""
    plain = {
        "field": field,
        "crm_before": "",
        "crm_after": "",
        "google_before": "",
        "google_after": "",
        "winner": None,
        "lost": None,
        "lost_side": None,
        "note": None,
    }
    return {**plain, **sides}


def conflict(lost: str = "The CRM's", won: str = "Google's") -> dict[str, Any]:
    """Return a change that Google won."""
    return change(
        crm_before=lost,
        crm_after=won,
        google_before=won,
        google_after=won,
        winner="google",
        lost=lost,
        lost_side="crm",
    )


def connect(site: Site, user: User) -> None:
    """Give a user a Contact Sync Group and an authorised Google account."""
    names = [group.name for group in site.app.crm.groups(user.email)]
    if GROUP not in names:
        builtin.create_group(site.app, GROUP, "")
    grouping.designate(site.app, user, GROUP, actor=ACTOR)
    site.product.connect(user)


def add_contact(site: Site, *, selected: bool = False, **values: str) -> str:
    """Make a contact of the built-in CRM, seen by everybody."""
    made = builtin.edit_contact(site.app, "new", values)
    if selected:
        builtin.change_members(site.app, GROUP, [made["id"]], selected=True)
    return str(made["id"])


def add_mail(
    site: Site, kind: str, person_id: str, *files: StoredFile, **facts: Any
) -> str:
    """Record a message in somebody's history; returns the history record's id."""
    sender = Address("ada@x.example", "Ada")
    values = {"message_id": f"<{person_id}@x>", "subject": "Offer", "sender": sender}
    message = Mail(**{**values, **facts})
    attached = files or (
        StoredFile("d" * 64, "a.pdf", "application/pdf", 9, FileKind.ATTACHMENT),
    )
    at = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    key = f"{message.message_id}|{kind}|{person_id}"
    new = crm_mail.NewMail(
        key,
        (kind, person_id),
        message.message_id,
        "t1",
        is_sent=False,
        subject=message.subject,
        sender=str(message.sender),
        sent_at=at,
        to=tuple(str(address) for address in message.to),
        text=message.text,
        html=message.html,
        files=tuple(
            crm_mail.NewFile(
                f.name, f.content_type, f.size, f.digest, f.kind.value, f.content_id
            )
            for f in attached
        ),
    )
    with site.app.database.write() as connection:
        return crm_mail.record(connection, new).history_id


def contact(site: Site, contact_id: str) -> dict[str, Any]:
    """Return a contact as it is now."""
    found = builtin.list_contacts(site.app, "", 500)
    return next(row for row in found if row["id"] == contact_id)


def work(site: Site, email: str = ANNA) -> None:
    """Do what a worker would do for a user's contacts now."""
    user = people.user_by_email(site.app.database, email)
    pair = people.pair_of(site.app.database, user.user_id, "contacts")
    for _ in range(20):
        if not working.work_on_pair(site.app, pair.pair_id):
            return
    raise AssertionError("the worker does not come to an end")


def last_cycle(site: Site) -> Any:
    with site.app.database.read() as connection:
        rows = connection.execute(select(t.cycles).order_by(t.cycles.c.id.desc()))
        return rows.first()


def items_of(site: Site, cycle_id: str) -> list[Any]:
    with site.app.database.read() as connection:
        mine = select(t.items).where(t.items.c.cycle_id == cycle_id)
        return list(connection.execute(mine.order_by(t.items.c.id)))


def at(text: str) -> datetime:
    """Return an aware time."""
    return datetime.fromisoformat(text)
