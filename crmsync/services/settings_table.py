"""The table of settings: names, values, defaults, and what values may be (ADM-2)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from crmsync.engine.policy import (
    Conflict,
    DeleteFromGoogle,
    Direction,
    Granularity,
    Match,
    WeakMatch,
)
from crmsync.records.contacts import CUSTOM_PREFIX, FIELDS

KINDS = ("contacts", "calendar", "tasks", "mail")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        values: the allowed values, the default first; empty for free values.
        default: the default.
        per_user, per_kind: where it may be set besides globally.
        means: one sentence.
        check: returns what is wrong with a free value, or None.
    """

    name: str
    values: tuple[str, ...]
    default: str
    means: str
    per_user: bool = False
    per_kind: bool = False
    check: Callable[[str], str | None] | None = None


def _number(low: int, high: int) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        if value.isascii() and value.isdigit() and low <= int(value) <= high:
            return None
        return f"it takes a whole number from {low} to {high}"

    return check


def _lines(most: int, limit: int) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        lines = value.splitlines()
        if len(lines) <= most and all(len(line) <= limit for line in lines):
            return None
        return f"it takes at most {most} lines of {limit} characters"

    return check


def _text(limit: int) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        if 0 < len(value.strip()) <= limit:
            return None
        return f"it takes 1 to {limit} characters"

    return check


def _region(value: str) -> str | None:
    import phonenumbers

    if value in phonenumbers.SUPPORTED_REGIONS:
        return None
    return "it takes a country's two capital letters, e.g. US or DE"


def _time_zone(value: str) -> str | None:
    from zoneinfo import available_timezones

    if value in available_timezones():
        return None
    return "it takes a time zone's name, e.g. Europe/Berlin or America/New_York"


LANGUAGES = {
    "en_US": "English (United States)",
    "en_GB": "English (United Kingdom)",
    "en_CA": "English (Canada)",
    "en_AU": "English (Australia)",
    "da": "Dansk",
    "de": "Deutsch",
    "de_AT": "Deutsch (Österreich)",
    "de_CH": "Deutsch (Schweiz)",
    "es": "Español",
    "fr": "Français",
    "fr_CA": "Français (Canada)",
    "it": "Italiano",
    "ja": "日本語",
    "nb": "Norsk",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt_BR": "Português (Brasil)",
    "sv": "Svenska",
}
"""Ways to write dates and numbers."""


def _kinds(value: str) -> str | None:
    given = [part.strip() for part in value.split(",") if part.strip()]
    if set(given) <= set(KINDS):
        return None
    return f"it takes a list of {', '.join(KINDS)}"


def _mapping(value: str) -> str | None:
    try:
        data = json.loads(value or "{}")
        off, custom = data.pop("off", []), data.pop("custom", [])
    except (ValueError, AttributeError, TypeError):
        return _MAPPING_FORM
    if data or not _is_list_of_texts(off) or not _is_list_of_texts(custom):
        return _MAPPING_FORM
    both = [key for key in custom if {key, f"{CUSTOM_PREFIX}{key}"} & set(off)]
    if both:
        return f"{both[0]!r} is both switched off and added as a custom field"
    known = {field.name for field in FIELDS}
    wrong = [name for name in off if name not in known]
    if wrong:
        return f"there is no field {wrong[0]!r}; fields are {', '.join(sorted(known))}"
    return _wrong_custom(custom)


_MAPPING_FORM = 'it takes JSON such as {"off": ["notes"], "custom": ["Account number"]}'


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _wrong_custom(keys: Sequence[str]) -> str | None:
    if not all(key.strip() and len(key) <= 64 for key in keys):
        return "custom fields are names of 1 to 64 characters"
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in "".join(keys)):
        return "a custom field has a control character in its name"
    repeated = [key for place, key in enumerate(keys) if key in keys[:place]]
    return f"the custom field {repeated[0]!r} is named twice" if repeated else None


def _enum(kind: Any) -> tuple[str, ...]:
    return tuple(member.value for member in kind)


_ON = ("on", "off")
_OFF = ("off", "on")

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "direction", _enum(Direction), "both",
        "Which way changes go (CON-5).", per_user=True, per_kind=True,
    ),
    Setting(
        "conflict", _enum(Conflict), "google",
        "Who wins a field that both sides changed (CON-11).", per_kind=True,
    ),
    Setting(
        "conflict_granularity", _enum(Granularity), "field",
        "Whether a conflict decides the field or the whole record (CON-11).",
    ),
    Setting(
        "match", _enum(Match), "all",
        "Whether unselected records are looked at before one is created (CON-7).",
    ),
    Setting(
        "weak_match", _enum(WeakMatch), "hold",
        "What happens with a candidate found without an e-mail address (CON-7).",
    ),
    Setting(
        "ambiguous_account", ("first", "hold"), "first",
        "Which account a new contact gets if several have the name (CON-9).",
    ),
    Setting(
        "account_type", (), "Prospect", "Type of new accounts (CON-9).", check=_text(64)
    ),
    Setting(
        "account_status", (), "Active", "Status of new accounts (CON-9).",
        check=_text(64),
    ),
    Setting(
        "account_owner", (), "Everyone", "Owner of new accounts (CON-9).",
        check=_text(12),
    ),
    Setting(
        "delete_from_google", _enum(DeleteFromGoogle), "created",
        "What happens in Google to a contact that left the group (CON-12).",
    ),
    Setting(
        "member_edit", ("fork", "propose", "write_back"), "fork",
        "What a member's edit of a colleague's event does (CAL-8, CAL-11).",
    ),
    Setting(
        "fork_keeps_original", _OFF, "off",
        "Whether the original gets a second event (CAL-11).",
    ),
    Setting(
        "context_section", ("colleagues_only", "always", "never"), "colleagues_only",
        "When an event's description names its CRM records (CAL-5).",
    ),
    Setting(
        "invite_contacts", _OFF, "off",
        "Whether contacts of an activity are invited (CAL-9).",
    ),
    Setting(
        "notification_budget", (), "20",
        "Guest notifications a cycle may cause without asking (CAL-20).",
        check=_number(0, 100000),
    ),
    Setting(
        "private_events", ("full", "busy", "skip"), "full",
        "How private events are treated (CAL-21).", per_user=True,
    ),
    Setting(
        "calendar", (), "primary",
        "Which Google calendar is synchronised: primary, or a calendar's ID (CAL-23).",
        per_user=True, check=_text(254),
    ),
    Setting(
        "further_calendars", (), "",
        "Calendars that are only shown in the CRM: an ID and a name a line (CAL-23).",
        per_user=True, check=_lines(20, 400),
    ),
    Setting(
        "task_list", (), "@default",
        "Which Google task list is synchronised: @default, or a list's ID (TSK-5).",
        per_user=True, check=_text(254),
    ),
    Setting(
        "window_past_days", (), "30", "Days back that a full read covers (CAL-19).",
        per_user=True, check=_number(0, 3650),
    ),
    Setting(
        "window_future_days", (), "365",
        "Days ahead that a full read covers (CAL-19).",
        per_user=True, check=_number(1, 3650),
    ),
    Setting(
        "label_root", (), "Infor CRM",
        "Name of the label in Google (CON-3, MAIL-1).", check=_text(128),
    ),
    Setting(
        "mail_late_match", _ON, "on",
        "Whether mails are recorded when their contact appears later (MAIL-9).",
    ),
    Setting(
        "mail_late_match_days", (), "30", "For mails of so many days (MAIL-9).",
        check=_number(0, 3650),
    ),
    Setting(
        "never_record", (), "",
        "Addresses and domains that are never recorded (MAIL-13).", per_user=True,
    ),
    Setting(
        "small_image_bytes", (), "8192",
        "Pictures below this size are no attachments (MAIL-14).",
        check=_number(0, 10**8),
    ),
    Setting(
        "attachment_max_bytes", (), "52428800",
        "Largest attachment that is stored (MAIL-14).", check=_number(0, 10**10),
    ),
    Setting("own_domains", (), "", "Mail domains of colleagues."),
    Setting(
        "first_cycle", ("preview", "run"), "preview",
        "Whether the first cycle waits until its preview is accepted (WEB-2).",
    ),
    Setting(
        "poll_seconds", (), "300", "Seconds between cycles (ADM-2).",
        per_kind=True, check=_number(10, 86400),
    ),
    Setting(
        "hold_records", (), "10",
        "Deletions and blankings a cycle may do without asking (ENG-6).",
        check=_number(0, 10**6),
    ),
    Setting(
        "hold_percent", (), "5", "The same, in per cent of the links (ENG-6).",
        check=_number(0, 100),
    ),
    Setting(
        "hold_creates", (), "500",
        "Records a cycle may create beyond what was announced (ENG-6).",
        check=_number(0, 10**6),
    ),
    Setting(
        "history_days", (), "180", "Days that Sync History is kept (HIS-8).",
        check=_number(1, 36500),
    ),
    Setting(
        "admin_sees_mail", _OFF, "off",
        "Whether admins see subjects and bodies of others' mail (HIS-8).",
    ),
    Setting(
        "infor_sync_results", _OFF, "off",
        "Whether cycles are written to Infor's own Sync History (CRM-3).",
    ),
    Setting(
        "default_region", (), "US",
        "Country of phone numbers without a country code (CON-7).",
        per_user=True, check=_region,
    ),
    Setting(
        "time_zone", (), "UTC", "Time zone in which pages show times (WEB-2).",
        per_user=True, check=_time_zone,
    ),
    Setting(
        "language", tuple(LANGUAGES), "en_US",
        "How pages write dates and numbers (WEB-2).", per_user=True,
    ),
    Setting(
        "mapping", (), "{}",
        "Fields switched off and custom fields added, as JSON (CON-17).",
        check=_mapping,
    ),
    Setting(
        "kinds", (), ",".join(KINDS),
        "Which kinds a user may synchronise (AUTH-9).", per_user=True, check=_kinds,
    ),
)  # fmt: skip
