"""The post office: all mailboxes, and what is sent from one to another."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate, make_msgid, parseaddr

from sandbox.gmail import mime
from sandbox.gmail.errors import invalid, over_sending
from sandbox.gmail.model import Letter
from sandbox.gmail.state import Env, Mailbox
from sandbox.gmail.watches import Watches

_DAY = 86_400.0


class PostOffice:
    """Every mailbox under one lock, since letters go from one to the other."""

    def __init__(self, env: Env, watches: Watches) -> None:
        self.env = env
        self.watches = watches
        self._boxes: dict[str, Mailbox] = {}
        self._lock = threading.RLock()
        self._sent: dict[str, list[float]] = {}
        self.opened: dict[str, tuple[str, str]] = {}  # tokens of opened messages

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One call; what it has changed is written down at its end."""
        with self._lock:
            try:
                yield
            finally:
                rows = [row for box in self._boxes.values() for row in box.take_rows()]
                if rows:
                    self.env.store.put(rows)
                self.watches.flush()

    def box(self, account: str) -> Mailbox:
        if account not in self._boxes:
            self._boxes[account] = Mailbox(account, self.env, self.watches.notice)
        return self._boxes[account]

    # ------------------------------------------------------------ sending

    def send(self, box: Mailbox, raw: bytes, thread: str = "") -> Letter:
        """Send a message: a copy here, one in the inbox of each account it is for.

        Raises:
            ApiError: 400, nobody is to get it; 429, too many of the day.
        """
        raw = completed(raw, box, self.env)
        wanted = mime.addresses(mime.headers(raw), "to", "cc", "bcc")
        if not wanted:
            raise invalid("Recipient address required")
        if len(wanted) > self.env.switches.mail_recipients:
            raise invalid("Too many recipients.")
        self._count(box.owner)
        owners = {owner: at for at in wanted if (owner := self._owner(at))}
        to_self = owners.pop(box.owner, None)
        labels = ["SENT", "INBOX", "UNREAD"] if to_self else ["SENT"]
        letter = box.add(raw, labels, thread=thread)
        for owner, address in owners.items():
            self.deliver(self.box(owner), _delivered(raw, address, self.env))
        return letter

    def deliver(
        self,
        box: Mailbox,
        raw: bytes,
        labels: tuple[str, ...] = ("INBOX", "UNREAD"),
        *,
        thread: str = "",
        arrived: float | None = None,
    ) -> Letter:
        """A message arrives; it joins the conversation that it answers."""
        thread = thread or conversation(box, raw)
        return box.add(raw, labels, thread=thread, arrived=arrived)

    def reset(self) -> None:
        self._sent.clear()

    def _owner(self, address: str) -> str:
        """The account whose address or alias this is; empty if it is elsewhere."""
        account = self.env.accounts.get(address)
        if account is not None:
            return account.email
        for account in self.env.accounts.all():
            aliases = self.box(account.email).aliases
            if any(alias["sendAsEmail"] == address for alias in aliases):
                return account.email
        return ""

    def _count(self, owner: str) -> None:
        """The day's sending limit (2.11)."""
        switches, now = self.env.switches, self.env.clock.now()
        sent = [at for at in self._sent.get(owner, []) if at > now - _DAY]
        if switches.quota and len(sent) >= switches.mail_sends_per_day:
            raise over_sending(formatdate(sent[0] + _DAY, usegmt=True))
        self._sent[owner] = [*sent, now]


def conversation(box: Mailbox, raw: bytes) -> str:
    """The thread of the message that this one answers under the same subject."""
    found = {name.lower(): value for name, value in mime.headers(raw)}
    refer = f"{found.get('references', '')} {found.get('in-reply-to', '')}"
    wanted = set(mime.message_ids(refer))
    own = mime.topic(found.get("subject", ""))
    if not wanted:
        return ""
    for letter in box.newest_first():
        if letter.message_id in wanted and letter.topic == own:
            return letter.thread
    return ""


def own_thread(box: Mailbox, raw: bytes, thread: str) -> str:
    """The thread asked for, if subject and both references fit as well (2.4).

    Raises:
        ApiError: 404; the thread does not exist.
    """
    if not thread:
        return ""
    letters = box.find_thread(thread)
    found = {name.lower(): value for name, value in mime.headers(raw)}
    known = {letter.message_id for letter in letters if letter.message_id}
    fits = mime.topic(found.get("subject", "")) in {one.topic for one in letters}
    for name in ("references", "in-reply-to"):
        fits = fits and bool(known & set(mime.message_ids(found.get(name, ""))))
    return letters[0].thread if fits else ""


def completed(raw: bytes, box: Mailbox, env: Env) -> bytes:
    """What Gmail adds or puts right in the head of a message that is sent."""
    end = b"\r\n" if b"\r\n" in raw[:1000] else b"\n"
    found = {name.lower(): value for name, value in mime.headers(raw)}
    mine = {box.owner, *(alias["sendAsEmail"] for alias in box.aliases)}
    new = []
    if parseaddr(found.get("from", ""))[1].casefold() not in mine:
        raw = _without(raw, b"from")
        new.append(f"From: {box.owner}")
    if env.switches.mail_rewrites_message_id or "message-id" not in found:
        raw = _without(raw, b"message-id")
        new.append(f"Message-ID: {make_msgid(domain='mail.sandbox.example')}")
    if "date" not in found:
        new.append(f"Date: {formatdate(env.clock.now())}")
    return b"".join(line.encode() + end for line in new) + raw


def _delivered(raw: bytes, address: str, env: Env) -> bytes:
    """The copy that arrives: who else got a blind one is not in it."""
    end = b"\r\n" if b"\r\n" in raw[:1000] else b"\n"
    head = [
        f"Delivered-To: {address}",
        f"Received: by mail.sandbox.example; {formatdate(env.clock.now())}",
    ]
    return b"".join(line.encode() + end for line in head) + _without(raw, b"bcc")


def _without(raw: bytes, name: bytes) -> bytes:
    """The message without one header, folded lines and all."""
    head = re.split(rb"(\r?\n\r?\n)", raw, maxsplit=1)
    line = rb"(?im)^" + name + rb"[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)"
    rest = re.sub(line, b"", head[0] + b"\n")
    rest = rest[:-1] if rest.endswith(b"\n") else rest
    return rest + b"".join(head[1:])
