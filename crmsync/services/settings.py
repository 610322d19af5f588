"""Settings: their names, values, defaults and scopes (interfaces.md, ADM-2)."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update

from crmsync.engine.policy import (
    Conflict,
    DeleteFromGoogle,
    Direction,
    Granularity,
    Match,
    Policy,
    WeakMatch,
)
from crmsync.errors import UsageError
from crmsync.records.contacts import CUSTOM_PREFIX, FIELDS, custom_field
from crmsync.records.values import FieldTable
from crmsync.services.app import AccountDefaults, App
from crmsync.storage import tables as t

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

_REREAD = frozenset({"direction", "mapping"})
"""What these held back is found again by a full read of both sides."""

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_POLL = {"contacts": "300", "calendar": "300", "tasks": "1800", "mail": "60"}


def setting(name: str) -> Setting:
    """Return a setting by name.

    Raises:
        UsageError: if there is none.
    """
    found = _BY_NAME.get(name)
    if found is None:
        raise UsageError(
            f"There is no setting {name!r}.",
            next_step="See the settings with: crm-sync settings list",
        )
    return found


def stored(app: App) -> Sequence[Any]:
    """Return all settings that differ from their defaults, as rows."""
    with app.database.read() as connection:
        return connection.execute(
            select(t.settings).order_by(
                t.settings.c.name, t.settings.c.user_id, t.settings.c.kind
            )
        ).all()


def get(app: App, name: str, *, user_id: str = "", kind: str = "") -> str:
    """Return a setting's value where it is used: user and kind, user, kind, global."""
    found = setting(name)
    if kind and kind not in KINDS:
        raise UsageError(f"Kinds are {', '.join(KINDS)}; it was given {kind!r}.")
    with app.database.read() as connection:
        rows = connection.execute(
            select(t.settings).where(
                t.settings.c.name == name,
                t.settings.c.user_id.in_(["", user_id]),
                t.settings.c.kind.in_(["", kind]),
            )
        ).all()
    if rows:
        best = max(rows, key=lambda row: (bool(row.user_id), bool(row.kind)))
        return str(best.value)
    if name == "poll_seconds" and kind:
        return _POLL[kind]
    return found.default


def put(
    app: App, name: str, value: str, *, user_id: str = "", kind: str = "", actor: str
) -> None:
    """Set a setting, globally or for a user or a kind.

    Raises:
        UsageError: if the name, the scope or the value is wrong; it says what fits.
    """
    from crmsync.services.auditing import note

    found = setting(name)
    _check_scope(found, user_id, kind)
    if found.values and value not in found.values:
        raise UsageError(
            f"{name} takes {', '.join(found.values)}; it was given {value!r}."
        )
    wrong = found.check(value) if found.check else None
    if wrong:
        raise UsageError(f"{name}: {wrong}; it was given {value!r}.")
    with app.database.write() as connection:
        row = {"name": name, "user_id": user_id, "kind": kind, "value": value}
        app.database.upsert(connection, t.settings, [row])
    if name in _REREAD:
        _read_anew(app, user_id, kind)
    detail = {"name": name, "value": value, "user": user_id, "kind": kind}
    note(app, actor, "setting.changed", detail)


def suggest(app: App, name: str, value: str, *, user_id: str) -> None:
    """Set a user's setting that nobody has set yet; a wrong value is passed over.

    Used for what a browser knows, such as the time zone: a guess, and nobody's act.
    """
    found = setting(name)
    _check_scope(found, user_id, "")
    is_wrong = bool(found.check and found.check(value))
    row = {"name": name, "user_id": user_id, "kind": "", "value": value}
    with app.database.read() as connection:
        mine = (t.settings.c.name == name) & t.settings.c.user_id.in_(["", user_id])
        known = connection.execute(select(t.settings.c.name).where(mine)).first()
    if is_wrong or known is not None:
        return
    with app.database.write() as connection:
        app.database.upsert(connection, t.settings, [row])


def _read_anew(app: App, user_id: str, kind: str) -> None:
    """Forget the cursors of the pairs that a setting concerns (CON-5, CON-17)."""
    pairs = select(t.pairs.c.id)
    if user_id:
        pairs = pairs.where(t.pairs.c.user_id == user_id)
    if kind:
        pairs = pairs.where(t.pairs.c.kind == kind)
    with app.database.write() as connection:
        connection.execute(
            update(t.collections)
            .where(t.collections.c.pair_id.in_(pairs))
            .values(cursor=None)
        )


def reset(app: App, name: str, *, user_id: str = "", kind: str = "") -> None:
    """Take a setting back to its default in one scope."""
    setting(name)
    with app.database.write() as connection:
        connection.execute(
            delete(t.settings).where(
                t.settings.c.name == name,
                t.settings.c.user_id == user_id,
                t.settings.c.kind == kind,
            )
        )


def _check_scope(found: Setting, user_id: str, kind: str) -> None:
    if user_id and not found.per_user:
        raise UsageError(f"{found.name} cannot be set for one user.")
    if kind and not found.per_kind:
        raise UsageError(f"{found.name} cannot be set for one kind.")
    if kind and kind not in KINDS:
        raise UsageError(f"Kinds are {', '.join(KINDS)}; it was given {kind!r}.")


def policy(app: App, user_id: str, kind: str) -> Policy:
    """Return the rules for one pair."""

    def value(name: str) -> str:
        return get(app, name, user_id=user_id, kind=kind)

    return Policy(
        direction=Direction(value("direction")),
        conflict=Conflict(value("conflict")),
        granularity=Granularity(value("conflict_granularity")),
        match=Match(value("match")),
        weak_match=WeakMatch(value("weak_match")),
        delete_from_google=DeleteFromGoogle(value("delete_from_google")),
        hold_records=int(value("hold_records")),
        hold_percent=int(value("hold_percent")),
        hold_creates=int(value("hold_creates")),
    )


def contact_table(app: App, user_id: str) -> FieldTable:
    """Return the mapped contact fields as one user's pair sees them (CON-17)."""
    mapping = json.loads(get(app, "mapping") or "{}")
    off = set(mapping.get("off", []))
    fields = tuple(field for field in FIELDS if field.name not in off)
    custom = tuple(custom_field(key) for key in mapping.get("custom", []))
    region = get(app, "default_region", user_id=user_id)
    limits = app.crm.limits()
    # The adapter's one limit for all custom fields, whatever they are called.
    limit = limits.pop(CUSTOM_PREFIX, None)
    if limit is not None:
        limits |= {field.name: limit for field in custom}
    return FieldTable(fields + custom, limits, region)


def account_defaults(app: App) -> AccountDefaults:
    """Return what new accounts look like (CON-9)."""
    return AccountDefaults(
        get(app, "account_type"),
        get(app, "account_status"),
        get(app, "account_owner"),
        get(app, "ambiguous_account"),
    )


def allowed_kinds(app: App, user_id: str) -> tuple[str, ...]:
    """Return the kinds that a user may synchronise (AUTH-9)."""
    given = get(app, "kinds", user_id=user_id)
    chosen = {part.strip() for part in given.split(",")}
    return tuple(kind for kind in KINDS if kind in chosen)
