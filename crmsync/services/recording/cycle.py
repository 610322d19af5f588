"""One cycle over a mailbox: what is new, recorded message by message (MAIL-2 … 16).

The mailbox's history says whether there is anything to do; which messages carry *Send
To CRM* is asked of the listing, so no event that was lost, doubled or came out of order
matters. The cursor moves when everything before it is settled or kept for later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import structlog

from crmsync.engine.report import Carried, CycleReport, CycleState
from crmsync.errors import (
    CollectionGone,
    CrmSyncError,
    CursorExpired,
    InvalidRecord,
    LeaseLost,
    PermissionMissing,
    ReconnectNeeded,
    Retryable,
)
from crmsync.mailports import LABEL_GONE, RawMessage
from crmsync.services.recording import labels, messages, pushing
from crmsync.services.recording.desk import Desk
from crmsync.services.recording.labels import Labels
from crmsync.storage import mail as store
from crmsync.storage.mail import Message
from crmsync.storage.mailcursors import Cursor, load_cursor, save_cursor

_log = structlog.get_logger("crmsync.recording")

_PAGE = 200
_PASSING = (LeaseLost, Retryable, ReconnectNeeded, PermissionMissing, CollectionGone)


@dataclass(slots=True)
class _Work:
    """What a cycle found to do.

    Attributes:
        is_labelled: messages may carry *Send To CRM*.
        messages: ids of others that are to be recorded.
        following: where the mailbox's history stands after this cycle.
    """

    is_labelled: bool = False
    messages: list[str] = field(default_factory=list)
    following: str = ""


def run(desk: Desk, is_over: Callable[[], bool]) -> CycleReport:
    """Run one cycle, or its next slice.

    Raises:
        CrmSyncError: what ends it early; what was recorded stays recorded.
    """
    cursor = load_cursor(desk.database, desk.pair.pair_id)
    turn = _Turn(desk, cursor)
    work = turn.look()
    troubles = 0
    for message_id, why in turn.todo(work):
        if is_over():
            return CycleReport(CycleState.RUNNING, is_accepted=True, carried=Carried())
        troubles += int(not turn.deal_with(message_id, why))
    turn.follow_persons()
    now = desk.app.clock.now()
    following = turn.watched(turn.cursor(work.following))
    save_cursor(desk.database, desk.lease, following, now)
    state = CycleState.PARTIAL if troubles else CycleState.SUCCEEDED
    return CycleReport(state, is_accepted=True)


def preview(desk: Desk) -> CycleReport:
    """Plan what the next cycle would record; nothing is written anywhere (ENG-7).

    Messages that carry *Send To CRM* are read, and the receipt says so.
    """
    memo = load_cursor(desk.database, desk.pair.pair_id).labels
    send = labels.label_to_send(desk.mailbox, desk.rules.label_root, memo)
    if send:
        desk = desk.knowing(desk.mailbox.profile().addresses)
        for message_id in list(desk.mailbox.labelled(send)):
            raw = _read(desk, message_id, "label")
            if raw is not None and "DRAFT" not in raw.labels:
                messages.plan(desk, raw)
    return CycleReport(CycleState.SUCCEEDED)


def _read(desk: Desk, message_id: str, why: str) -> RawMessage | None:
    """Read a message; that it is read is noted first, for good (MAIL-12)."""
    app, pair_id = desk.app, desk.pair.pair_id
    now, read_id = app.clock.now(), app.ids.new()
    store.note_read(app.database, read_id, pair_id, message_id, why, now)
    return desk.mailbox.read(message_id)


class _Turn:
    """One cycle: the desk, our labels, and what is done with them."""

    def __init__(self, desk: Desk, cursor: Cursor) -> None:
        """Look at addresses and labels, once a day."""
        self._cursor = cursor
        now = desk.app.clock.now()
        known = labels.known_labels(cursor.labels)
        if known is not None and cursor.opened_at and cursor.is_fresh(now):
            self._own, self._opened_at = cursor.own, cursor.opened_at
            self._ours = known
        else:
            self._own, self._opened_at = desk.mailbox.profile().addresses, now
            self._ours = self._sure(desk, cursor.labels)
        self._desk = desk.knowing(self._own)

    def _sure(self, desk: Desk, memo: Mapping[str, str]) -> Labels:
        return labels.make_sure(desk.mailbox, desk.rules.label_root, memo)

    def cursor(self, history_id: str) -> Cursor:
        """Return where the next cycle goes on."""
        memo = self._ours.to_memo()
        before = self._cursor
        return Cursor(
            history_id,
            self._own,
            memo,
            self._opened_at,
            before.watch,
            before.watch_until,
        )

    def watched(self, cursor: Cursor) -> Cursor:
        """Return the cursor once Gmail notifies us, where a topic is configured."""
        desk = self._desk
        topic = str(desk.app.config.pubsub_topic)
        # A followed conversation's new messages carry no label of ours.
        is_all = store.followed(desk.database, desk.pair.pair_id)
        labels = () if is_all else (self._ours.send,)
        now = desk.app.clock.now()
        return pushing.watched(desk.mailbox, topic, cursor, labels, now)

    # -------------------------------------------------------- what is to do

    def look(self) -> _Work:
        """Return what has happened since; a lost history costs nothing."""
        desk = self._desk
        database, pair_id = desk.database, desk.pair.pair_id
        followed = store.followed(database, pair_id)
        if self._cursor.history_id:
            try:
                work = self._changes(followed)
            except CursorExpired:
                _log.info("mail.history_expired", pair_id=pair_id)
            else:
                now = desk.app.clock.now()
                work.is_labelled |= store.has_due(database, pair_id, now)
                return work
        # The place from which changes are read later comes before the listing.
        work = _Work(is_labelled=True, following=desk.mailbox.history_id())
        for thread_id in sorted(followed):
            work.messages += desk.mailbox.in_thread(thread_id)
        return work

    def _changes(self, followed: frozenset[str]) -> _Work:
        work = _Work()
        for page, following in self._desk.mailbox.changes(self._cursor.history_id):
            for change in page:
                work.is_labelled |= self._ours.send in change.labels
                if change.is_new and change.thread_id in followed:
                    work.messages.append(change.message_id)
            work.following = following or work.following
        return work

    def todo(self, work: _Work) -> Iterator[tuple[str, str]]:
        """Yield messages to look at, and why, each once."""
        done: set[str] = set()
        both = chain(
            ((i, "label") for i in (self._labelled() if work.is_labelled else ())),
            ((i, "thread") for i in self._unseen(work.messages)),
            ((i, "waiting") for i in self._late()),
        )
        for message_id, why in both:
            if message_id not in done:
                done.add(message_id)
                yield message_id, why

    def _labelled(self) -> Sequence[str]:
        """Return the messages that carry *Send To CRM*, but for those put off."""
        desk = self._desk
        try:
            ids = list(desk.mailbox.labelled(self._ours.send))
        except InvalidRecord:
            # The label is gone, and with it every message's: it is made again.
            self._ours = self._sure(desk, {})
            return ()
        now = desk.app.clock.now()
        known = store.known(desk.database, desk.pair.pair_id, ids)
        later = {i for i, m in known.items() if m.not_before and m.not_before > now}
        return [message_id for message_id in ids if message_id not in later]

    def _unseen(self, found: Sequence[str]) -> Sequence[str]:
        desk = self._desk
        known = store.known(desk.database, desk.pair.pair_id, found)
        return [message_id for message_id in found if message_id not in known]

    def _late(self) -> Iterator[str]:
        """Yield missing messages whose people have appeared meanwhile (MAIL-9)."""
        desk = self._desk
        if not desk.rules.late_days:
            return
        database, pair_id = desk.database, desk.pair.pair_id
        since, after = desk.rules.late_since(desk.app.clock.now()), ""
        while True:
            page = store.waiting_addresses(database, pair_id, since, after, _PAGE)
            if not page:
                return
            after = page[-1]
            found = {person.address for person in desk.crm.find(page)}
            if found:
                yield from store.waiting_for(database, pair_id, found, since)

    # -------------------------------------------------------- one message

    def deal_with(self, message_id: str, why: str) -> bool:
        """Record one message and set its labels; what only it suffers from is told.

        Returns:
            Whether it went well.

        Raises:
            CrmSyncError: what all of them suffer from.
        """
        desk = self._desk
        known = store.known(desk.database, desk.pair.pair_id, [message_id])
        before = known.get(message_id)
        try:
            raw = _read(desk, message_id, why)
            if raw is None or not self._is_wanted(raw, why):
                return True
            tries = before.tries if before is not None else 0
            done = messages.record(desk, raw, tries)
            if done.state == store.FAILED:
                return False
            self._label(raw, done)
        except _PASSING:
            raise
        except CrmSyncError as error:
            self._tell(message_id, before, error)
            return False
        except Exception as error:  # noqa: BLE001  one message never stops the others
            _log.exception("mail.poisoned", message_id=message_id)
            name = type(error).__name__
            odd = InvalidRecord(f"The message could not be recorded: {name}.")
            self._tell(message_id, before, odd)
            return False
        return True

    def _is_wanted(self, raw: RawMessage, why: str) -> bool:
        """Whether a message still asks to be recorded; drafts never do (MAIL-2)."""
        if "DRAFT" in raw.labels:
            return False
        return why != "label" or self._ours.send in raw.labels

    def _label(self, raw: RawMessage, done: Message) -> None:
        """Say in Gmail what became of a message; *Send To CRM* goes last (MAIL-6)."""
        if self._relabelled(raw, done):
            return
        self._ours = self._sure(self._desk, self._ours.to_memo())
        self._relabelled(raw, done)

    def _relabelled(self, raw: RawMessage, done: Message) -> bool:
        """Set a message's labels; returns whether all of them were still there."""
        ours = self._ours
        add = ours.recorded if done.state == store.RECORDED else ours.missing
        remove = (ours.outcomes | {ours.send}) - {add}
        if add in raw.labels and remove.isdisjoint(raw.labels):
            return True
        try:
            self._desk.mailbox.relabel(raw.message_id, add={add}, remove=remove)
        except InvalidRecord as error:
            if error.code != LABEL_GONE:
                raise
            return False
        return True

    def _tell(
        self, message_id: str, before: Message | None, error: CrmSyncError
    ) -> None:
        desk = self._desk
        settled = messages.failure(desk, message_id, before, error)
        now = desk.app.clock.now()
        store.store(desk.database, desk.lease, desk.cycle_id, settled, now)

    # -------------------------------------------------------- what people did

    def follow_persons(self) -> None:
        """Let labels follow what was taken back in Sync History (MAIL-15)."""
        desk, ours = self._desk, self._ours
        database, pair_id = desk.database, desk.pair.pair_id
        for message in store.relabelling(database, pair_id):
            remove = ours.outcomes | {ours.send}
            desk.mailbox.relabel(message.message_id, add=(), remove=remove)
            store.relabelled(database, pair_id, message.message_id)
