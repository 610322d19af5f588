"""Taking a recorded message back, or moving it: what a person corrects (MAIL-15)."""

from __future__ import annotations

from typing import Any

from crmsync import enqueue
from crmsync.engine.plan import Action, Item, ItemDirection, ItemState
from crmsync.services import auditing, scheduling
from crmsync.services.app import App
from crmsync.storage import mailundo as store
from crmsync.storage import people
from crmsync.storage.people import User

TAKEN_BACK, MOVED = "mail_taken_back", "mail_moved"


def take_back(
    app: App, user: User, history_id: str, *, subject: str = "", actor: str
) -> None:
    """Take a recorded message out of the CRM; its labels follow with the next cycle.

    The CRM comes first: if it does not answer, nothing has happened here either, and a
    repeat does no harm.

    Raises:
        NotFound: if there is no such message that the user sees.
        Retryable: the CRM does not answer.
    """
    app.crm.mail(user).remove(history_id)
    record = store.record_of(app.database, history_id)
    if record is not None and record.removed_at is None:
        item = _item(app, record, subject, Action.DELETE, TAKEN_BACK)
        now = app.clock.now()
        for pair_id in store.mark_removed(app.database, record, item, now):
            people.edit_pair(app.database, pair_id, next_due_at=now)
            scheduling.wake(app, pair_id, enqueue.NOW)
    auditing.note(app, actor, "mail.taken_back", {"history": history_id})


def move(
    app: App,
    user: User,
    history_id: str,
    target: tuple[str, str],
    *,
    subject: str = "",
    actor: str,
) -> None:
    """Move a recorded message, with its attachments, to where it belongs.

    Args:
        app: the wired parts.
        user: who sees both.
        history_id: of the record.
        target: `contact`, `lead`, `opportunity` or `ticket`, and its id.
        subject: of the message.
        actor: noted in the audit trail.

    Raises:
        NotFound: if there is no such message or target that the user sees.
        InvalidRecord: if messages cannot be moved there.
        Retryable: the CRM does not answer.
    """
    app.crm.mail(user).move(history_id, target)
    record = store.record_of(app.database, history_id)
    if record is not None:
        item = _item(app, record, subject, Action.UPDATE, MOVED)
        store.mark_moved(app.database, record, target, item, app.clock.now())
    kind, target_id = target
    detail = {"history": history_id, "kind": kind, "target": target_id}
    auditing.note(app, actor, "mail.moved", detail)


def _item(app: App, record: Any, subject: str, action: Action, reason: str) -> Item:
    return Item(
        app.ids.new(),
        action,
        ItemDirection.TO_CRM,
        ItemState.DONE,
        reason=reason,
        crm_id=record.history_id,
        google_id=record.message_id,
        name=subject or record.person_name,
    )
