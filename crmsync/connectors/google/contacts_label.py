"""The label: the Google contact group whose members are synchronised (CON-3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crmsync.connectors.google.mapping.contacts import MY_CONTACTS
from crmsync.connectors.google.people import MEMBERS, PeopleApi, Wire
from crmsync.errors import (
    AlreadyExists,
    CrmSyncError,
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
    ProtocolBroken,
    Retryable,
)
from crmsync.ports import Clock, Opened, Outcome

_Failures = dict[str, CrmSyncError]
_Change = Callable[[Sequence[str]], _Failures]

LOOK_EVERY = timedelta(hours=1)
_NAME, _SEEN = "label", "label_seen_at"


class Label:
    """Finds, adopts and makes the label, and changes its membership.

    Attributes:
        resource_name: of the label once it was opened; "" if there is none.
    """

    def __init__(self, api: PeopleApi, name: str, clock: Clock):
        """Prepare.

        Args:
            api: the connection's People API.
            name: what the label is called when it has to be found or made.
            clock: tells when to look again.
        """
        self.resource_name = ""
        self._api = api
        self._name = name.strip()
        self._clock = clock

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        """Make sure that the label is there; see `ports.Side.open`.

        It is known by resource name, so a rename is followed; its existence is
        looked up at most hourly unless asked for.
        """
        known = memo.get(_NAME, "")
        if known and not verify and self._is_recent(memo.get(_SEEN, "")):
            self.resource_name = known
            return Opened(dict(memo))
        groups = list(self._groups())
        if known and known in {group.get("resourceName") for group in groups}:
            self.resource_name = known
            return Opened(self._memo())
        self.resource_name = self._adopted(groups) or (
            self._made() if may_write else ""
        )
        was_restored = bool(known)
        if not may_write:
            # A dry run leaves the next real cycle to find out by itself.
            return Opened(dict(memo), was_restored)
        return Opened(self._memo(), was_restored)

    def _memo(self) -> Mapping[str, str]:
        return {_NAME: self.resource_name, _SEEN: self._clock.now().isoformat()}

    def _is_recent(self, text: str) -> bool:
        try:
            age = self._clock.now() - datetime.fromisoformat(text)
        except (TypeError, ValueError):
            return False
        return timedelta() <= age < LOOK_EVERY

    def _groups(self) -> Iterator[Wire]:
        token = ""
        while True:
            page = self._api.list_groups(token)
            for group in page.get("contactGroups") or []:
                if not (group.get("metadata") or {}).get("deleted"):
                    yield group
            token = str(page.get("nextPageToken") or "")
            if not token:
                return

    def _adopted(self, groups: Sequence[Wire]) -> str:
        """Return a user's group of the label's name, in any case, or ""."""
        wanted = self._name.casefold()
        fitting = [
            group
            for group in groups
            if group.get("groupType") != "SYSTEM_CONTACT_GROUP"
            and str(group.get("name", "")).strip().casefold() == wanted
        ]
        fitting.sort(
            key=lambda g: (g.get("name") != self._name, str(g.get("resourceName")))
        )
        return str(fitting[0].get("resourceName", "")) if fitting else ""

    def _made(self) -> str:
        """Make the label; a name that is taken, or a lost answer, is looked up."""
        try:
            made = self._api.create_group(self._name)
        except (AlreadyExists, Retryable) as error:
            adopted = self._adopted(list(self._groups()))
            if adopted:
                return adopted
            if isinstance(error, Retryable):
                raise
            raise ProtocolBroken(
                f"Google says that a label {self._name!r} exists and shows none."
            ) from None
        name = str(made.get("resourceName", ""))
        if not name:
            raise ProtocolBroken("Google made a label without a resource name.")
        return name

    # -------------------------------------------------------------- membership

    def add(self, names: Sequence[str]) -> list[Outcome]:
        """Put contacts into the label; one outcome each, in order."""
        return self._modify(names, self._add)

    def remove(self, names: Sequence[str]) -> list[Outcome]:
        """Take contacts out of the label; one that is gone is no error."""
        return self._modify(names, self._remove)

    def _modify(self, names: Sequence[str], change: _Change) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for start in range(0, len(names), MEMBERS):
            part = names[start : start + MEMBERS]
            try:
                failed = change(list(dict.fromkeys(part)))
            except OutcomeUnknown as error:
                failed = dict.fromkeys(part, error)
            except CrmSyncError as error:
                if not outcomes:
                    raise
                rest = len(names) - len(outcomes)
                return [*outcomes, *[Outcome(error=error)] * rest]
            outcomes += [Outcome(error=failed.get(name)) for name in part]
        return outcomes

    def _add(self, names: Sequence[str]) -> _Failures:
        try:
            answer = self._api.modify_members(self.resource_name, add=names)
        except NotFound:
            raise Retryable(
                "The label vanished while contacts were put into it; it is made again."
            ) from None
        missing = answer.get("notFoundResourceNames") or []
        return {str(n): NotFound(f"{n} does not exist.") for n in missing}

    def _remove(self, names: Sequence[str]) -> _Failures:
        """Take contacts out; one whose last group this is goes to myContacts first."""
        try:
            answer = self._api.modify_members(self.resource_name, remove=names)
        except NotFound:
            return {}  # without the label nobody is in it
        stuck = [
            str(name)
            for name in answer.get("canNotRemoveLastContactGroupResourceNames") or []
        ]
        if not stuck:
            return {}
        try:
            self._api.modify_members(MY_CONTACTS, add=stuck)
            still = self._remove_again(stuck)
        except CrmSyncError as error:
            # The others have left the label already.
            return dict.fromkeys(stuck, error)
        return {
            str(name): InvalidRecord(f"Google does not let {name} leave the label.")
            for name in still
        }

    def _remove_again(self, names: Sequence[str]) -> Sequence[str]:
        """Take out contacts that are in another group now; return those that stay."""
        try:
            answer = self._api.modify_members(self.resource_name, remove=names)
        except NotFound:
            return ()
        return answer.get("canNotRemoveLastContactGroupResourceNames") or ()
