"""A user's mailbox at Gmail (contract, section 2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

from crmsync.connectors.google.gmail import GmailApi, Wire, rows
from crmsync.errors import (
    AlreadyExists,
    CursorExpired,
    InvalidRecord,
    NotFound,
    PermissionMissing,
    ProtocolBroken,
)
from crmsync.mailports import LABEL_GONE, Change, Label, Profile, RawMessage

_HIDDEN = frozenset({"DRAFT", "TRASH", "SPAM"})


class GoogleMailbox:
    """One user's mailbox."""

    def __init__(self, api: GmailApi):
        """Wrap the API of one connection."""
        self._api = api

    @property
    def requests(self) -> int:
        return self._api.http.counter.total

    @property
    def quota_units(self) -> int:
        """How many of Gmail's units the calls so far cost."""
        return self._api.units

    # ------------------------------------------------------------ whose, and when

    def profile(self) -> Profile:
        whole = self._api.profile()
        address = str(whole.get("emailAddress", ""))
        found = [address, *(alias for alias in self._aliases() if alias != address)]
        return Profile(tuple(a for a in found if a), _history_id(whole))

    def _aliases(self) -> Iterator[str]:
        try:
            page = self._api.aliases()
        except (NotFound, PermissionMissing, InvalidRecord):
            return  # an account may not show them; its own address is known
        for row in rows(page, "sendAs"):
            yield str(row.get("sendAsEmail", ""))

    def history_id(self) -> str:
        return _history_id(self._api.profile())

    def changes(self, since: str) -> Iterator[tuple[Sequence[Change], str]]:
        token = ""
        while True:
            try:
                page = self._api.history(since, token)
            except (NotFound, InvalidRecord) as error:
                # Too old, or no id of this mailbox: Google says 404, or 400 (2.9).
                raise CursorExpired("Gmail's history is gone.") from error
            token = str(page.get("nextPageToken") or "")
            found = tuple(_changes(rows(page, "history")))
            yield found, "" if token else str(page.get("historyId") or since)
            if not token:
                return

    # ------------------------------------------------------------ labels

    def labels(self) -> Sequence[Label]:
        return tuple(
            Label(str(row.get("id", "")), str(row.get("name", "")))
            for row in rows(self._api.labels(), "labels")
            if row.get("type") != "system"
        )

    def create_label(self, name: str, *, is_shown: bool = True) -> Label:
        body = {
            "name": name,
            "labelListVisibility": "labelShow" if is_shown else "labelHide",
            "messageListVisibility": "show",
        }
        try:
            made = self._api.create_label(body)
        except AlreadyExists:
            for label in self.labels():
                if label.name.casefold() == name.casefold():
                    return label
            raise
        return Label(str(made.get("id", "")), str(made.get("name", name)))

    def relabel(
        self, message_id: str, *, add: Collection[str], remove: Collection[str]
    ) -> None:
        body = {"addLabelIds": sorted(add), "removeLabelIds": sorted(remove)}
        try:
            self._api.modify(message_id, body)
        except NotFound:
            return
        except InvalidRecord as error:
            known = {label.label_id for label in self.labels()}
            if known.issuperset({*add, *remove}):
                raise
            raise InvalidRecord(
                "A label of CRM Sync was deleted in Gmail.", code=LABEL_GONE
            ) from error

    # ------------------------------------------------------------ messages

    def labelled(self, label_id: str) -> Iterator[str]:
        token = ""
        while True:
            page = self._api.messages([label_id], token)
            for row in rows(page, "messages"):
                yield str(row.get("id", ""))
            token = str(page.get("nextPageToken") or "")
            if not token:
                return

    def in_thread(self, thread_id: str) -> Sequence[str]:
        try:
            whole = self._api.thread(thread_id)
        except NotFound:
            return ()
        return tuple(
            str(row.get("id", ""))
            for row in rows(whole, "messages")
            if _HIDDEN.isdisjoint(row.get("labelIds") or ())
        )

    def read(self, message_id: str) -> RawMessage | None:
        try:
            whole = self._api.message(message_id, "raw")
        except NotFound:
            return None
        raw = _decoded(whole)
        return RawMessage(
            str(whole.get("id", message_id)),
            str(whole.get("threadId", "")),
            frozenset(whole.get("labelIds") or ()),
            _received(whole),
            raw,
        )

    # ------------------------------------------------------------ push

    def watch(self, topic: str, label_ids: Sequence[str]) -> datetime:
        body: Wire = {"topicName": topic}
        if label_ids:
            body |= {"labelIds": list(label_ids), "labelFilterBehavior": "include"}
        try:
            answer = self._api.watch(body)
        except InvalidRecord:
            # Another topic is watched: one at a time is allowed (2.10).
            self._api.stop()
            answer = self._api.watch(body)
        try:
            return datetime.fromtimestamp(int(answer["expiration"]) / 1000, UTC)
        except (KeyError, ValueError, OverflowError, OSError) as error:
            raise ProtocolBroken("Gmail does not say how long it notifies.") from error

    def stop(self) -> None:
        self._api.stop()


def _changes(history: Sequence[Wire]) -> Iterator[Change]:
    """Yield what came and what was labelled; one message may show up many times."""
    for record in history:
        for row in rows(record, "messagesAdded"):
            yield _change(row, is_new=True)
        for row in rows(record, "labelsAdded"):
            yield _change(row, is_new=False)


def _change(row: Wire, *, is_new: bool) -> Change:
    message = row.get("message") or {}
    labels = (message.get("labelIds") if is_new else row.get("labelIds")) or ()
    return Change(
        str(message.get("id", "")),
        str(message.get("threadId", "")),
        frozenset(str(label) for label in labels),
        is_new,
    )


def _history_id(whole: Wire) -> str:
    found = str(whole.get("historyId") or "")
    if not found:
        raise ProtocolBroken("Gmail does not say where the mailbox's history stands.")
    return found


def _decoded(whole: Wire) -> bytes:
    text = str(whole.get("raw") or "").encode()
    try:
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise ProtocolBroken("Gmail's message is no base64.") from error


def _received(whole: Wire) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(whole["internalDate"]) / 1000, UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None
