"""One account's contacts: what is stored, how it changes, what the feed shows of it."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from sandbox.clock import DAY, Clock
from sandbox.messages import Json
from sandbox.people.errors import overflow
from sandbox.people.model import SYSTEM_GROUPS as SYSTEM
from sandbox.people.model import Contact, Group, Profile, contact_of, group_of
from sandbox.store import Row, Store
from sandbox.switches import Switches

KIND = "contact"
GROUP_KIND = "contactGroup"
BOOK_KIND = "contactBook"


@dataclass(slots=True)
class Env:
    """What a book needs from the rest of the sandbox."""

    clock: Clock
    store: Store
    switches: Switches
    profile_of: Callable[[str], Profile | None]


@dataclass(frozen=True, slots=True)
class Draft:
    """A contact that is to be created."""

    fields: dict[str, list[Json]]
    groups: tuple[str, ...] = ("myContacts",)
    photo: str | None = None


class Book:
    """The contacts of one account; every method is called with `lock` held."""

    def __init__(self, owner: str, env: Env) -> None:
        self.owner = owner
        self.env = env
        self.lock = threading.RLock()
        self.contacts: dict[str, Contact] = {}
        self.groups: dict[str, Group] = {}
        self.searchable: list[tuple[list[str], Contact]] | None = None
        self.loaded: set[str] = set()  # what the loader has put in
        self.tokens_dead_before = 0.0
        self._names: dict[str, str] = {}
        self._older: dict[str, list[Contact]] = {}
        self._marks: deque[tuple[float, int]] = deque(maxlen=10_000)
        self._live: int = 0
        self.seq = 0
        self._floor = 0
        self._reached = 0
        self._load()
        self._floor = self.seq

    # ------------------------------------------------------------ start

    def _load(self) -> None:
        store, owner = self.env.store, self.owner
        rows = [contact_of(key, doc) for _, key, doc in store.load(KIND, owner)]
        for contact in sorted(rows, key=lambda c: c.seq):
            self._keep(contact)
        for _, key, doc in store.load(GROUP_KIND, owner):
            self.groups[key] = group_of(key, doc)
        known = {key: doc for _, key, doc in store.load(BOOK_KIND, owner)}
        self.epoch: str = known.get("epoch") or secrets.token_hex(6)
        self.tokens_dead_before = known.get("tokens_dead_before", 0.0)
        seqs = [c.seq for c in rows] + [g.seq for g in self.groups.values()]
        self.seq = max(seqs, default=0)
        if not self.groups:
            now = self.env.clock.now()
            system = [Group(key, key, self.next_seq(), now) for key in SYSTEM]
            self.commit([], system, [(BOOK_KIND, owner, "epoch", self.epoch)])

    # ------------------------------------------------------------ reading

    def find(self, name: str) -> Contact | None:
        """A live contact by its resource name, a former one included (section 12)."""
        key = self._names.get(name)
        if key is None:
            return None
        contact = self.contacts[key]
        if contact.deleted is not None:
            return None
        if contact.name != name and not self.env.switches.old_names_resolve:
            return None
        return contact

    def live(self) -> list[Contact]:
        return [c for c in self.contacts.values() if c.deleted is None]

    def members(self, group: str) -> list[Contact]:
        if group == "all":
            return self.live()
        return [c for c in self.live() if group in c.groups]

    def horizon(self) -> int:
        """The last change that has propagated to the feed (4.4.8).

        It never goes back: a longer delay does not hide what was shown before.
        """
        visible_until = self.env.clock.now() - self.env.switches.delay
        self._reached = max(self._reached, self._floor, self._last_mark(visible_until))
        return self._reached

    def overlap_seq(self, horizon: int) -> int:
        """Where the next sync token starts; earlier than the horizon if told so."""
        overlap = self.env.switches.feed_overlap
        if overlap <= 0:
            return horizon
        until = self.env.clock.now() - self.env.switches.delay - overlap
        return min(horizon, max(self._floor, self._last_mark(until)))

    def settle(self) -> None:
        """Let everything be propagated now."""
        self._floor = self.seq

    def snapshot(self, horizon: int) -> list[Contact]:
        """What a full list shows, the longest unchanged first."""
        seen = [self._version(c, horizon) for c in self.contacts.values()]
        return [c for c in seen if c is not None and c.deleted is None]

    def changed(self, since: int, horizon: int) -> list[Contact]:
        """What an incremental list shows, tombstones included."""
        # The order of the dict is the order of change.
        latest = reversed(self.contacts.values())
        newer = [*takewhile(lambda contact: contact.seq > since, latest)][::-1]
        seen = [self._version(c, horizon) for c in newer]
        return [c for c in seen if c is not None and c.seq > since]

    def _version(self, contact: Contact, horizon: int) -> Contact | None:
        if contact.seq <= horizon:
            return contact
        for older in reversed(self._older.get(contact.id, ())):
            if older.seq <= horizon:
                return older
        return None

    def _last_mark(self, moment: float) -> int:
        for at, seq in reversed(self._marks):
            if at <= moment:
                return seq
        return 0

    # ------------------------------------------------------------ writing

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def create(self, drafts: Iterable[Draft]) -> list[Contact]:
        """Add contacts.

        Raises:
            ApiError: the account is full, the trash included.
        """
        wanted = list(drafts)
        self._check_room(len(wanted))
        now = self.env.clock.now()
        made = []
        for draft in wanted:
            key = secrets.token_hex(7)
            made.append(
                Contact(
                    id=key,
                    name=f"people/c{int(key, 16)}",
                    fields=draft.fields,
                    groups=draft.groups,
                    photo=draft.photo,
                    seq=self.next_seq(),
                    updated=now,
                    profile=self._profile(draft.fields),
                )
            )
        self.commit(made, [])
        return made

    def change(
        self, changes: Iterable[tuple[Contact, dict[str, Any]]]
    ) -> list[Contact]:
        """Make new versions with the given attributes (`fields`, `groups`, …)."""
        made = [self._revised(contact, new) for contact, new in changes]
        self.commit(made, [])
        return made

    def delete(self, contacts: Iterable[Contact]) -> None:
        now = self.env.clock.now()
        self.change([(contact, {"deleted": now}) for contact in contacts])

    def rename(self, contact: Contact) -> Contact:
        """A new resource name for the same contact (4.3)."""
        return self.change([(contact, self._new_name(contact))])[0]

    def commit(
        self, contacts: list[Contact], groups: list[Group], more: Iterable[Row] = ()
    ) -> None:
        """Write the versions down, then let them be seen."""
        owner = self.owner
        if self.env.store.persistent:
            rows: list[Row] = [(KIND, owner, c.id, c.document()) for c in contacts]
            rows += [(GROUP_KIND, owner, g.id, g.document()) for g in groups]
            self.env.store.put([*rows, *more])
        horizon = self.horizon()
        for contact in contacts:
            old = self.contacts.get(contact.id)
            if old is not None:
                self._remember(old, horizon)
            self._keep(contact)
        for group in groups:
            self.groups[group.id] = group
        self._marks.append((self.env.clock.now(), self.seq))

    def kill_tokens(self) -> None:
        """Every sync token given out so far is expired from now on."""
        self.tokens_dead_before = self.env.clock.now()
        row = (BOOK_KIND, self.owner, "tokens_dead_before", self.tokens_dead_before)
        self.env.store.put([row])

    def _revised(self, contact: Contact, new: dict[str, Any]) -> Contact:
        if "fields" in new:
            profile = self._profile(new["fields"])
            if profile != contact.profile:
                new = {**new, "profile": profile}
                if self.env.switches.rename_on_verified_email:
                    new |= self._new_name(contact)
        now = self.env.clock.now()
        base = {"seq": self.next_seq(), "updated": now, "made": {}}
        return replace(contact, **{**base, **new})

    def _new_name(self, contact: Contact) -> dict[str, Any]:
        return {
            "name": f"people/c{int(secrets.token_hex(7), 16)}",
            "previous": (*contact.previous, contact.name),
        }

    def _keep(self, contact: Contact) -> None:
        """Put a version at the end: the order of the dict is the order of change."""
        old = self.contacts.pop(contact.id, None)
        self.contacts[contact.id] = contact
        self._names[contact.name] = contact.id
        for name in contact.previous:
            self._names[name] = contact.id
        self._live += (contact.deleted is None) - (
            old is not None and old.deleted is None
        )

    def _remember(self, old: Contact, horizon: int) -> None:
        """Keep the old version as long as the feed may show it."""
        versions = self._older.setdefault(old.id, [])
        versions.append(old)
        while len(versions) > 1 and versions[1].seq <= horizon:
            versions.pop(0)
        if len(self._older) > 5_000:
            self._older = {
                key: kept
                for key, kept in self._older.items()
                if self.contacts[key].seq > horizon or key == old.id
            }

    def _check_room(self, wanted: int) -> None:
        cap = self.env.switches.contact_cap
        if len(self.contacts) + wanted <= cap:
            return
        oldest = self.env.clock.now() - self.env.switches.trash_days * DAY
        trash = sum(
            1
            for c in self.contacts.values()
            if c.deleted is not None and c.deleted > oldest
        )
        if self._live + trash + wanted > cap:
            raise overflow()

    def _profile(self, fields: dict[str, list[Json]]) -> Profile | None:
        """The Google profile that a verified address links to the contact (4.3)."""
        for item in fields.get("emailAddresses", ()):
            address = item.get("value", "").casefold()
            if address and address != self.owner:
                profile = self.env.profile_of(address)
                if profile is not None:
                    return profile
        return None
