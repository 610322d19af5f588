"""One account's mailbox; all calls are made within a turn of the post office."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import SystemRandom

from sandbox.accounts import Accounts
from sandbox.clock import DAY, Clock
from sandbox.gmail import mime
from sandbox.gmail.errors import not_found
from sandbox.gmail.model import SYSTEM, Change, Draft, Label, Letter
from sandbox.messages import Json
from sandbox.store import Row, Store
from sandbox.switches import Switches

BOX_KIND = "mailbox"
LETTER_KIND = "letter"
RAW_KIND = "letterBytes"
LABEL_KIND = "mailLabel"
DRAFT_KIND = "draft"
CHANGE_KIND = "mailHistory"
LOADED_KIND = "loadedMail"
_random = SystemRandom()

Watcher = Callable[["Mailbox", Change], None]


@dataclass(slots=True)
class Env:
    """What Gmail needs from the rest of the sandbox."""

    clock: Clock
    store: Store
    switches: Switches
    accounts: Accounts


class Mailbox:
    """The messages, labels, drafts and history of one account."""

    def __init__(self, owner: str, env: Env, watcher: Watcher) -> None:
        self.owner = owner
        self.env = env
        self._watcher = watcher
        self.letters: dict[str, Letter] = {}
        self.raws: dict[str, bytes] = {}
        self.threads: dict[str, list[str]] = {}
        self.labels = {name: Label(name, name, is_system=True) for name in SYSTEM}
        self.drafts: dict[str, Draft] = {}
        self.changes: list[Change] = []
        self.aliases: list[Json] = []
        self.loaded: set[str] = set()
        self.history = 1000 + secrets.randbelow(100_000)
        self.oldest = self.history
        self.rows: list[Row] = []
        self._order: list[Letter] | None = None
        self._is_changed = True
        self._load()

    # ------------------------------------------------------------ reading

    def find(self, key: str) -> Letter:
        """A message by its id, also as an add-on's event has it (4.6).

        Raises:
            ApiError: 404.
        """
        letter = self.letters.get(plain_id(key))
        if letter is None:
            raise not_found()
        return letter

    def find_thread(self, key: str) -> list[Letter]:
        """The messages of a thread, oldest first.

        Raises:
            ApiError: 404.
        """
        keys = self.threads.get(plain_id(key), [])
        if not keys:
            raise not_found()
        found = [self.letters[one] for one in keys]
        return sorted(found, key=_rank)

    def newest_first(self) -> list[Letter]:
        if self._order is None:
            found = list(self.letters.values())
            self._order = sorted(found, key=_rank, reverse=True)
        return self._order

    def label_named(self, name: str) -> Label | None:
        folded = name.casefold()
        found = (one for one in self.labels.values() if one.name.casefold() == folded)
        return next(found, None)

    def names(self, keys: Iterable[str]) -> list[str]:
        return [self.labels[key].name for key in keys]

    # ------------------------------------------------------------ messages

    def add(
        self,
        raw: bytes,
        labels: Iterable[str],
        *,
        thread: str = "",
        arrived: float | None = None,
    ) -> Letter:
        """A message comes in; its labels come with it and are no changes (2.9)."""
        found = mime.headers(raw)
        known = {name.lower(): value for name, value in reversed(found)}
        moment = self.env.clock.now() if arrived is None else arrived
        key = self._new_id()
        refer = f"{known.get('references', '')} {known.get('in-reply-to', '')}"
        own = mime.message_ids(known.get("message-id", ""))
        letter = Letter(
            id=key,
            thread=thread or key,
            labels=tuple(dict.fromkeys(labels)),
            arrived=int(moment * 1000),
            size=len(raw),
            snippet=mime.snippet(raw),
            message_id=own[0] if own else "",
            topic=mime.topic(known.get("subject", "")),
            references=mime.message_ids(refer),
        )
        self.raws[key] = raw
        encoded = base64.b64encode(raw).decode()
        self.rows.append((RAW_KIND, self.owner, key, encoded))
        self.threads.setdefault(letter.thread, []).append(key)
        return self._note("messageAdded", letter)

    def relabel(
        self, letter: Letter, added: Iterable[str], removed: Iterable[str]
    ) -> Letter:
        """Put labels on and take labels off; what changes nothing is no record."""
        new = tuple(key for key in added if key not in letter.labels)
        gone = tuple(key for key in removed if key in letter.labels)
        kept = tuple(key for key in letter.labels if key not in gone)
        letter = replace(letter, labels=kept + new)
        if gone:
            letter = self._note("labelRemoved", letter, gone)
        if new:
            letter = self._note("labelAdded", letter, new)
        return letter

    def delete(self, letter: Letter) -> None:
        """For good, not into the trash."""
        self._note("messageDeleted", letter)
        del self.letters[letter.id], self.raws[letter.id]
        mates = self.threads[letter.thread]
        mates.remove(letter.id)
        if not mates:
            del self.threads[letter.thread]
        self.rows.append((LETTER_KIND, self.owner, letter.id, None))
        self.rows.append((RAW_KIND, self.owner, letter.id, None))

    def _note(self, kind: str, letter: Letter, changed: tuple[str, ...] = ()) -> Letter:
        """One record of history; ids only rise, with gaps (2.9)."""
        self.history += _random.randint(1, 37)
        kept = replace(letter, history=self.history)
        self.letters[kept.id] = kept
        self._order = None
        change = Change(
            self.history,
            self.env.clock.now(),
            kind,
            kept.id,
            kept.thread,
            kept.labels,
            changed,
        )
        self.changes.append(change)
        document = change.document()
        self.rows.append((CHANGE_KIND, self.owner, f"{change.id:020d}", document))
        self.rows.append((LETTER_KIND, self.owner, kept.id, kept.document()))
        self.put_self()
        self._watcher(self, change)
        return kept

    # ------------------------------------------------------------ the rest

    def put_label(self, label: Label) -> Label:
        self.labels[label.id] = label
        self.rows.append((LABEL_KIND, self.owner, label.id, label.document()))
        return label

    def drop_label(self, label: Label) -> None:
        """The label, from all messages too (2.6)."""
        for letter in list(self.letters.values()):
            self.relabel(letter, (), (label.id,))
        del self.labels[label.id]
        self.rows.append((LABEL_KIND, self.owner, label.id, None))

    def put_draft(self, draft: Draft) -> Draft:
        self.drafts[draft.id] = draft
        self.rows.append((DRAFT_KIND, self.owner, draft.id, draft.letter))
        return draft

    def drop_draft(self, draft: Draft) -> None:
        del self.drafts[draft.id]
        self.rows.append((DRAFT_KIND, self.owner, draft.id, None))

    def put_self(self) -> None:
        self._is_changed = True

    def take_rows(self) -> list[Row]:
        """What is to be written down since the last time."""
        rows, self.rows = self.rows, []
        if self._is_changed:
            names = ("history", "oldest", "aliases")
            document = {name: getattr(self, name) for name in names}
            rows.append((BOX_KIND, self.owner, "box", document))
            self._is_changed = False
        return rows

    def put_loaded(self, mark: str) -> None:
        """Remember that a file's message came in, so that it does so once."""
        self.loaded.add(mark)
        self.rows.append((LOADED_KIND, self.owner, mark, 1))

    def forget_history(self, *, everything: bool = False) -> None:
        """Records that are too old go; who asks for them gets 404 (2.9)."""
        first = self.env.clock.now() - self.env.switches.mail_history_days * DAY
        count = 0
        for change in self.changes:
            if not everything and change.at >= first:
                break
            count += 1
        if not count and not everything:
            return
        gone, self.changes = self.changes[:count], self.changes[count:]
        if everything:
            self.history += _random.randint(1, 37)
        self.oldest = self.history if everything else gone[-1].id
        rows = [(CHANGE_KIND, self.owner, f"{one.id:020d}", None) for one in gone]
        self.rows += rows
        self.put_self()

    def _new_id(self) -> str:
        """64 bits in hex: the time, then something random."""
        now = int(self.env.clock.now() * 1000)
        while True:
            key = f"{(now << 20) | secrets.randbits(20):x}"
            if key not in self.letters and key not in self.threads:
                return key

    def _load(self) -> None:
        store = self.env.store
        for _, _, saved in store.load(BOX_KIND, self.owner):
            self.history, self.oldest = saved["history"], saved["oldest"]
            self.aliases = saved["aliases"]
        self.loaded = {mark for _, mark, _ in store.load(LOADED_KIND, self.owner)}
        for _, key, document in store.load(LABEL_KIND, self.owner):
            self.labels[key] = Label(key, **document)
        for _, key, document in store.load(LETTER_KIND, self.owner):
            letter = Letter.of(key, document)
            self.letters[key] = letter
            self.threads.setdefault(letter.thread, []).append(key)
        for _, key, encoded in store.load(RAW_KIND, self.owner):
            self.raws[key] = base64.b64decode(encoded)
        for _, key, letter_id in store.load(DRAFT_KIND, self.owner):
            self.drafts[key] = Draft(key, letter_id)
        for _, key, document in store.load(CHANGE_KIND, self.owner):
            self.changes.append(Change.of(key, document))


def _rank(letter: Letter) -> tuple[int, str]:
    return letter.arrived, letter.id


def plain_id(key: str) -> str:
    """The hex form of an id; add-on events have `msg-f:<decimal>` (4.6)."""
    kind, colon, number = key.partition(":")
    if colon and kind in ("msg-f", "thread-f") and number.isdecimal():
        return format(int(number), "x")
    return key
