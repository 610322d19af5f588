"""What recording works with: a mailbox, the CRM, a store, and the user's rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crmsync.engine.recording import Circle
from crmsync.mailports import FileStore, Mailbox, MailCrm
from crmsync.services import settings
from crmsync.services.app import App
from crmsync.services.colleagues import Colleagues
from crmsync.storage.database import Database
from crmsync.storage.leases import Lease
from crmsync.storage.people import Pair, User


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that recording obeys.

    Attributes:
        label_root: MAIL-1.
        late_days: days back in which a missing message is recorded by itself when its
            owner appears; 0 never (MAIL-9).
        small_image_bytes, largest: MAIL-14.
    """

    label_root: str
    late_days: int
    small_image_bytes: int
    largest: int

    def late_since(self, now: datetime) -> datetime:
        """Return since when messages are recorded late."""
        return now - timedelta(days=self.late_days)


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that recording for one user needs.

    Attributes:
        database: our own state; of a dry run, a scratch copy.
    """

    app: App
    user: User
    pair: Pair
    database: Database
    lease: Lease
    cycle_id: str
    mailbox: Mailbox
    crm: MailCrm
    files: FileStore
    circle: Circle
    rules: Rules

    def knowing(self, own: tuple[str, ...]) -> Desk:
        """Return the desk with the user's own addresses as the mailbox has them."""
        folded = frozenset(address.casefold() for address in own)
        circle = replace(self.circle, own=self.circle.own | folded)
        return replace(self, circle=circle)


def rules_of(app: App, user: User) -> Rules:
    """Return the settings that recording obeys."""
    found = settings.chosen(app, user_id=user.user_id)
    is_late = found.get("mail_late_match") == "on"
    return Rules(
        found.get("label_root"),
        int(found.get("mail_late_match_days")) if is_late else 0,
        int(found.get("small_image_bytes")),
        int(found.get("attachment_max_bytes")),
    )


def circle_of(app: App, user: User) -> Circle:
    """Return who belongs to us, and who is never recorded (MAIL-6, MAIL-13)."""
    everybody = settings.chosen(app, user_id=user.user_id, names=("never_record",))
    lists = (
        everybody.get("never_record"),
        everybody.get("never_record", user_id=user.user_id),
    )
    never = {part for text in lists for part in _parts(text)}
    return Colleagues(app).circle(user, frozenset(never))


def _parts(text: str) -> list[str]:
    return [part.casefold() for part in text.replace(",", " ").split()]
