"""The user's own hand in Gmail, and the world that writes to them."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.gmail import labels, mime
from sandbox.gmail.changes import change_labels, remove
from sandbox.gmail.context import Context
from sandbox.gmail.errors import not_found
from sandbox.gmail.model import Letter
from sandbox.gmail.push import Topic
from sandbox.gmail.search import Search, is_hidden
from sandbox.gmail.settings import alias
from sandbox.gmail.state import Mailbox
from sandbox.messages import Json, Request
from sandbox.outward import is_local

if TYPE_CHECKING:
    from sandbox.app import Sandbox

Query = dict[str, str]

SERVICE_ACCOUNT = "push@demo.iam.gserviceaccount.com"
_ARRIVES = ("INBOX", "UNREAD")


class MailHand:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._gmail = sandbox.gmail

    # ------------------------------------------------------------ messages

    def list(self, query: Query, _body: Json) -> Json:
        """Messages, newest first; `label` (a name) and `q` narrow the list."""
        with self._gmail.office.turn():
            box = self._box(query)
            found = [one for one in box.newest_first() if self._is_listed(one, query)]
            if query.get("q"):
                search = Search(box, query["q"])
                found = [one for one in found if search.fits(one)]
            if query.get("label"):
                label = box.label_named(query["label"])
                key = label.id if label else ""
                found = [one for one in found if key in one.labels]
            return {"messages": [row(box, one) for one in found]}

    def get(self, query: Query, _body: Json) -> Json:
        """One message with its bytes (`raw`, base64) and its text."""
        with self._gmail.office.turn():
            box = self._box(query)
            letter = box.find(query["id"])
            raw = box.raws[letter.id]
            whole = mime.tree(raw)
            files = [part.filename for part in whole.walk() if part.filename]
            return {
                **row(box, letter),
                "raw": base64.b64encode(raw).decode(),
                "text": mime.text_of(whole),
                "files": files,
            }

    def deliver(self, query: Query, body: Json) -> Json:
        """A message comes in, or {"messages": [...]}, its bytes as they are.

        `raw` is base64 (or `text`), `labels` are names beside INBOX and UNREAD, as a
        filter puts them on; `at` is a time (RFC 3339 or seconds), `thread` an id.
        """
        with self._gmail.office.turn():
            box = self._box(query)
            wanted = body.get("messages", [body])
            return {"messages": [self._deliver(box, one) for one in wanted]}

    def act(self, query: Query, body: Json) -> Json:
        """Label or unlabel (name; new ones are made), trash, untrash, read, unread."""
        with self._gmail.office.turn():
            box = self._box(query)
            letter = box.find(query["id"])
            what = query["what"]
            if what in ("label", "unlabel"):
                key = labels.ensured(box, body["name"]).id
                labels.check_known(box, [key], writes=True)
                steps: Any = ([key], []) if what == "label" else ([], [key])
            else:
                steps = _STEPS.get(what)
                if steps is None:
                    raise not_found()
            return row(box, change_labels(box, letter, *steps))

    def delete(self, query: Query, _body: Json) -> None:
        """For good, with no stop in the trash."""
        with self._gmail.office.turn():
            box = self._box(query)
            remove(box, box.find(query["id"]))

    def open(self, query: Query, _body: Json) -> Json:
        """The message is opened: the token an add-on gets for it (4.8)."""
        with self._gmail.office.turn():
            box = self._box(query)
            letter = box.find(query["id"])
            token = secrets.token_urlsafe(24)
            self._gmail.office.opened[token] = (box.owner, letter.id)
            return {"accessToken": token, "messageId": f"msg-f:{int(letter.id, 16)}"}

    def expire_history(self, email: str) -> None:
        with self._gmail.office.turn():
            self._gmail.office.box(email).forget_history(everything=True)

    # ------------------------------------------------------------ labels, aliases

    def labels(self, query: Query, _body: Json) -> Json:
        with self._gmail.office.turn():
            return labels.list_labels(self._context(query, {}))

    def new_label(self, query: Query, body: Json) -> Json:
        """A label, with those above it."""
        with self._gmail.office.turn():
            found = labels.ensured(self._box(query), body["name"])
            return labels.get_label(self._context({**query, "id": found.id}, {}))

    def edit_label(self, query: Query, body: Json) -> Json:
        with self._gmail.office.turn():
            return labels.patch_label(self._context(query, body))

    def delete_label(self, query: Query, _body: Json) -> None:
        with self._gmail.office.turn():
            labels.delete_label(self._context(query, {}))

    def set_aliases(self, query: Query, body: Json) -> Json:
        """The further addresses of an account: {email, name?, pending?}."""
        with self._gmail.office.turn():
            box = self._box(query)
            box.aliases = [
                alias(
                    one["email"],
                    one.get("name", ""),
                    is_pending=bool(one.get("pending")),
                )
                for one in body["aliases"]
            ]
            box.put_self()
            return {"aliases": box.aliases}

    # ------------------------------------------------------------ push

    def subscribe(self, _query: Query, body: Json) -> Json:
        """A topic of Pub/Sub, and the endpoint that its messages are pushed to.

        Raises:
            ValueError: the endpoint is on another machine.
        """
        if not is_local(body["endpoint"]):
            raise ValueError("the endpoint is not on this machine")
        topic = Topic(
            body["topic"],
            body["endpoint"],
            body.get("audience") or body["endpoint"],
            body.get("email") or SERVICE_ACCOUNT,
        )
        with self._gmail.office.turn():
            made = self._gmail.watches.put_topic(topic)
        return {"topic": made.name, "audience": made.audience, "email": made.email}

    def pushes(self) -> Json:
        with self._gmail.office.turn():
            return self._gmail.watches.shown()

    def unsubscribe(self) -> None:
        with self._gmail.office.turn():
            self._gmail.watches.forget()

    # ------------------------------------------------------------ helpers

    def _box(self, query: Query) -> Mailbox:
        account = self._sandbox.accounts.get(query["email"])
        if account is None:
            raise not_found()
        return self._gmail.office.box(account.email)

    def _context(self, query: Query, body: Json) -> Context:
        params: Json = {"id": query.get("id", "")}
        request = Request("PATCH", "/_sandbox", "", {})
        return Context(self._gmail.office, self._box(query), params, body, request)

    def _is_listed(self, letter: Letter, query: Query) -> bool:
        return query.get("hidden") == "true" or not is_hidden(letter)

    def _deliver(self, box: Mailbox, one: Json) -> Json:
        raw = base64.b64decode(one["raw"]) if "raw" in one else one["text"].encode()
        keys = [labels.ensured(box, name).id for name in one.get("labels", [])]
        arrives = tuple(one.get("arrives", _ARRIVES))
        letter = self._gmail.office.deliver(
            box,
            raw,
            (*arrives, *keys),
            thread=one.get("thread", ""),
            arrived=_moment(one.get("at")),
        )
        return row(box, letter)


_STEPS: dict[str, tuple[list[str], list[str]]] = {
    "trash": (["TRASH"], []),
    "untrash": ([], ["TRASH"]),
    "read": ([], ["UNREAD"]),
    "unread": (["UNREAD"], []),
    "spam": (["SPAM"], []),
    "archive": ([], ["INBOX"]),
}


def row(box: Mailbox, letter: Letter) -> Json:
    """A message as a person sees it in a list, with the names of its labels."""
    known = {n.lower(): v for n, v in reversed(mime.headers(box.raws[letter.id]))}
    return {
        "id": letter.id,
        "threadId": letter.thread,
        "labels": box.names(letter.labels),
        "subject": known.get("subject", ""),
        "from": known.get("from", ""),
        "to": known.get("to", ""),
        "messageId": letter.message_id,
        "at": letter.arrived / 1000,
        "snippet": letter.snippet,
        "size": letter.size,
    }


def _moment(given: str | float | None) -> float | None:
    if given is None or isinstance(given, int | float):
        return given
    return datetime.fromisoformat(given).timestamp()
