"""Recording one message, whoever asks for it (MAIL-2 … MAIL-8, MAIL-14, MAIL-16).

The order is what makes it happen once: files, the CRM's history under a key that says
which message it is and whose, our own rows, and the labels last. Whatever dies between
two steps, the next time finds what was done and goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from crmsync.engine.plan import Action, Choice, Item, ItemDirection, ItemState
from crmsync.engine.recording import (
    Concerned,
    Exclusion,
    Target,
    concerned,
    missing,
    record_key,
    targets,
)
from crmsync.errors import CrmSyncError, Retryable, describe
from crmsync.mailports import Filed, NewMail, RawMessage, Recorded, StoredFile
from crmsync.mime import read_mail
from crmsync.records.mail import Address, FileKind, Mail, MailFile
from crmsync.services.recording.desk import Desk
from crmsync.storage import mail as store
from crmsync.storage.mail import Message, Record, Settled

_WHY_EXCLUDED = {
    Exclusion.OWN: "own_address",
    Exclusion.COLLEAGUE: "colleagues_only",
    Exclusion.NEVER: "never_record",
}


def put_off(message: Message, tries: int, now: datetime) -> Message:
    """Return a message that failed, to be tried again ever later (ENG-8)."""
    return replace(message, tries=tries + 1, not_before=now + store.backoff(tries))


@dataclass(frozen=True, slots=True)
class _Decided:
    """A message with whom it concerns.

    Attributes:
        lost: addresses that nobody in the CRM has.
        chosen: who gets it; nobody if it is missing or excluded.
    """

    raw: RawMessage
    mail: Mail
    circle: Concerned
    lost: tuple[Address, ...]
    chosen: tuple[Target, ...]


def record(desk: Desk, raw: RawMessage, tries: int = 0) -> Message:
    """Record a message that was read, and return what became of it.

    Args:
        desk: what it is recorded with.
        raw: the message.
        tries: how often it was tried in vain.

    Raises:
        Retryable: the CRM or the store of files is down; nothing is settled (MAIL-16).
        LeaseLost: if another worker has taken the pair over.
    """
    found = _decided(desk, raw)
    settled = _recorded(desk, found) if found.chosen else _unrecorded(desk, found)
    now = desk.app.clock.now()
    if settled.message.state == store.FAILED:
        message = put_off(settled.message, tries, now)
        settled = replace(settled, message=message)
    store.store(desk.database, desk.lease, desk.cycle_id, settled, now)
    return settled.message


def plan(desk: Desk, raw: RawMessage) -> None:
    """Store what would become of a message; nothing is recorded (ENG-7)."""
    found = _decided(desk, raw)
    if not found.chosen:
        items = _unrecorded(desk, found).items
    else:
        filed = Filed(Recorded(""))
        items = tuple(_item(desk, found, target, filed) for target in found.chosen)
        items = tuple(replace(item, state=ItemState.PLANNED) for item in items)
    store.plan(desk.database, desk.lease, desk.cycle_id, items, desk.app.clock.now())


def _decided(desk: Desk, raw: RawMessage) -> _Decided:
    mail = read_mail(raw.raw)
    circle = concerned(mail, desk.circle, is_sent="SENT" in raw.labels)
    keys = {address.key for address in circle.addresses}
    people = desk.crm.find(keys) if keys else ()
    chosen = targets(circle.addresses, people)
    return _Decided(raw, mail, circle, missing(circle.addresses, people), chosen)


# ------------------------------------------------------------------ with a person


def _recorded(desk: Desk, found: _Decided) -> Settled:
    raw, mail, chosen = found.raw, found.mail, found.chosen
    files = tuple(_kept(desk, file) for file in mail.files)
    mails = [_new_mail(desk, raw, mail, target, files) for target in chosen]
    told = store.told(desk.database, [new.key for new in mails])
    filed = [_fresh(outcome, new.key in told) for outcome, new in _filed(desk, mails)]
    failed = next((f.error for f in filed if isinstance(f.error, Retryable)), None)
    if failed is not None:
        raise failed
    items = tuple(
        _item(desk, found, target, outcome)
        for target, outcome in zip(chosen, filed, strict=True)
    )
    records = tuple(
        _record(found, new, target, outcome)
        for new, target, outcome in zip(mails, chosen, filed, strict=True)
        if outcome.recorded is not None
    )
    is_whole = len(records) == len(mails)
    message = _message(raw, mail, store.RECORDED if is_whole else store.FAILED)
    return Settled(message, records, items)


def _filed(desk: Desk, mails: Sequence[NewMail]) -> Iterable[tuple[Filed, NewMail]]:
    return zip(desk.crm.record(mails), mails, strict=True)


def _fresh(outcome: Filed, is_told: bool) -> Filed:
    """Return an outcome as new if no history of ours tells of it: a cycle died then."""
    if outcome.recorded is None or is_told:
        return outcome
    return replace(outcome, recorded=replace(outcome.recorded, was_there=False))


def _new_mail(
    desk: Desk,
    raw: RawMessage,
    mail: Mail,
    target: Target,
    files: tuple[StoredFile, ...],
) -> NewMail:
    return NewMail(
        record_key(mail, target.person.ref),
        target.person.ref,
        mail,
        is_sent="SENT" in raw.labels,
        thread_id=raw.thread_id,
        sent_at=_when(desk, raw, mail),
        files=files,
    )


def _when(desk: Desk, raw: RawMessage, mail: Mail) -> datetime:
    return mail.date or raw.received_at or desk.app.clock.now()


def _kept(desk: Desk, file: MailFile) -> StoredFile:
    """Store a file's bytes; one that is too large is named and left (MAIL-14)."""
    size, kind = len(file.data), file.kind
    if size > desk.rules.largest:
        limit = desk.rules.largest // 1_048_576
        reason = f"It is larger than {limit} MB, so it stays in Gmail only."
        return StoredFile(
            "", file.name, file.content_type, size, FileKind.UNREAD, "", reason
        )
    is_picture = file.content_type.startswith("image/")
    if is_picture and size < desk.rules.small_image_bytes and not file.reason:
        kind = FileKind.PICTURE
    desk.files.put(file.digest, file.data)
    return StoredFile(
        file.digest,
        file.name,
        file.content_type,
        size,
        kind,
        file.content_id,
        file.reason,
    )


def _item(desk: Desk, found: _Decided, target: Target, outcome: Filed) -> Item:
    item = Item(
        desk.app.ids.new(),
        Action.RECORD,
        ItemDirection.TO_CRM,
        ItemState.DONE,
        reason=f"mail_{target.rule.value}",
        google_id=found.raw.message_id,
        name=found.mail.subject,
        choices=tuple(
            Choice(p.person_id, p.name, p.account) for p in target.runners_up
        ),
    )
    if outcome.error is not None:
        error = describe(outcome.error)
        return replace(item, state=ItemState.FAILED, error=error)
    if outcome.recorded is None:
        return replace(item, state=ItemState.FAILED)
    item = replace(item, crm_id=outcome.recorded.history_id)
    if outcome.recorded.was_there:
        return replace(item, state=ItemState.SKIPPED, reason="recorded_before")
    return item


def _record(found: _Decided, new: NewMail, target: Target, outcome: Filed) -> Record:
    raw, mail = found.raw, found.mail
    person, recorded = target.person, outcome.recorded
    return Record(
        new.key,
        raw.message_id,
        mail.identity,
        person.kind.value,
        person.person_id,
        person.name,
        recorded.history_id if recorded is not None else "",
        target.rule.value,
        [
            {"kind": p.kind.value, "id": p.person_id, "name": p.name}
            for p in target.runners_up
        ],
        sum(1 for file in new.files if file.digest),
        was_there=recorded is not None and recorded.was_there,
    )


# ------------------------------------------------------------------ without


def _unrecorded(desk: Desk, found: _Decided) -> Settled:
    """Return what is told of a message that is nobody's (MAIL-5, MAIL-6)."""
    raw, mail, circle = found.raw, found.mail, found.circle
    is_excluded = bool(circle.excluded) and not circle.addresses
    reason = "missing_contact"
    if is_excluded:
        reason = _WHY_EXCLUDED[circle.excluded[0][1]]
        for _, why in circle.excluded:
            if why is Exclusion.NEVER:
                reason = _WHY_EXCLUDED[why]
    elif not circle.addresses:
        reason = "no_address"
    item = Item(
        desk.app.ids.new(),
        Action.RECORD,
        ItemDirection.NONE,
        ItemState.SKIPPED,
        reason=reason,
        google_id=raw.message_id,
        name=mail.subject,
    )
    state = store.MISSING if circle.addresses else store.EXCLUDED
    message = _message(raw, mail, state)
    lost = tuple(address.key for address in found.lost)
    return Settled(replace(message, addresses=lost), (), (item,))


def _message(raw: RawMessage, mail: Mail, state: str) -> Message:
    return Message(
        raw.message_id,
        raw.thread_id,
        mail.identity,
        state,
        mail.subject,
        str(mail.sender or ""),
        mail.date or raw.received_at,
    )


def failure(
    desk: Desk, message_id: str, known: Message | None, error: CrmSyncError
) -> Settled:
    """Return what is told of a message that could not be recorded (ENG-8)."""
    blank = Message(message_id, "", "", store.FAILED, "", "", None)
    message = replace(known or blank, state=store.FAILED)
    item = Item(
        desk.app.ids.new(),
        Action.RECORD,
        ItemDirection.NONE,
        ItemState.FAILED,
        reason="left_for_later",
        google_id=message_id,
        name=message.subject,
        error=describe(error),
    )
    return Settled(put_off(message, message.tries, desk.app.clock.now()), (), (item,))
