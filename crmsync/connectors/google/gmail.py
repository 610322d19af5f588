"""The calls of the Gmail API that we make, typed; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.service import build_service
from crmsync.errors import ProtocolBroken

Wire = dict[str, Any]

PAGE_SIZE = 500
"""Google's cap for listings of messages and of the history (contract, 2.1)."""

UNITS: Mapping[str, int] = {
    "profile": 1, "history": 2, "labels": 1, "create_label": 5, "list": 5, "get": 20,
    "thread": 40, "modify": 5, "watch": 100, "stop": 50, "aliases": 1,
}  # fmt: skip
"""What calls cost of 6,000 units a minute and user (contract, 2.1 and 2.13)."""


class GmailApi:
    """One connection's mailbox; every call may raise as `GoogleHttp.request`."""

    def __init__(self, http: GoogleHttp, root: str):
        """Build the client.

        Args:
            http: the connection's way to the API.
            root: where the API is, ending in `/`.
        """
        self.http = http
        self.units = 0
        users = build_service("gmail", "v1", http, root).users()
        self._users = users
        self._labels = users.labels()
        self._messages = users.messages()
        self._threads = users.threads()
        self._history = users.history()
        self._aliases = users.settings().sendAs()

    def profile(self) -> Wire:
        """Return whose mailbox it is, with the present history id."""
        return self._done("profile", self._users.getProfile(userId="me"))

    def aliases(self) -> Wire:
        """Return the addresses that the user may send from."""
        return self._done("aliases", self._aliases.list(userId="me"))

    def history(self, since: str, page_token: str) -> Wire:
        """Return one page of what happened to messages after a history id.

        All types and labels are read: a label's own filter loses events (2.9).
        """
        more = {"pageToken": page_token} if page_token else {}
        request = self._history.list(
            userId="me",
            startHistoryId=since,
            historyTypes=["messageAdded", "labelAdded"],
            maxResults=PAGE_SIZE,
            **more,
        )
        return self._done("history", request)

    def labels(self) -> Wire:
        """Return all labels."""
        return self._done("labels", self._labels.list(userId="me"))

    def create_label(self, body: Wire) -> Wire:
        """Create a label."""
        request = self._labels.create(userId="me", body=body)
        return self._done("create_label", request)

    def messages(self, label_ids: Sequence[str], page_token: str) -> Wire:
        """Return one page of the messages that carry all these labels."""
        more = {"pageToken": page_token} if page_token else {}
        request = self._messages.list(
            userId="me", labelIds=list(label_ids), maxResults=PAGE_SIZE, **more
        )
        return self._done("list", request)

    def message(self, message_id: str, form: str) -> Wire:
        """Return a message: `raw` with its bytes, `minimal` without any of it."""
        request = self._messages.get(userId="me", id=message_id, format=form)
        return self._done("get", request)

    def thread(self, thread_id: str) -> Wire:
        """Return the ids and labels of a thread's messages."""
        request = self._threads.get(userId="me", id=thread_id, format="minimal")
        return self._done("thread", request)

    def modify(self, message_id: str, body: Wire) -> Wire:
        """Add and remove labels of a message."""
        request = self._messages.modify(userId="me", id=message_id, body=body)
        return self._done("modify", request)

    def watch(self, body: Wire) -> Wire:
        """Ask for push notifications."""
        return self._done("watch", self._users.watch(userId="me", body=body))

    def stop(self) -> None:
        """Ask for no more notifications."""
        self.units += UNITS["stop"]
        self._users.stop(userId="me").execute()

    def _done(self, name: str, request: Any) -> Wire:
        self.units += UNITS[name]
        found = request.execute()
        if not isinstance(found, dict):
            raise ProtocolBroken("Google answered something other than a JSON object.")
        return found


def rows(page: Wire, name: str) -> list[Wire]:
    """Return a list in an answer; an empty one may be left out.

    Raises:
        ProtocolBroken: it is no list of objects.
    """
    found = page.get(name) or []
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ProtocolBroken(f"Google's list of {name} is malformed.")
    return found
