"""Settings: read and written in their scopes, and made into rules (ADM-2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update

from crmsync.engine.policy import (
    Conflict,
    DeleteFromGoogle,
    Direction,
    Granularity,
    Match,
    MemberEdit,
    Policy,
    WeakMatch,
)
from crmsync.errors import UsageError
from crmsync.records.contacts import CUSTOM_PREFIX, FIELDS, custom_field
from crmsync.records.values import FieldTable
from crmsync.services.app import AccountDefaults, App
from crmsync.services.settings_table import KINDS, SETTINGS, Setting
from crmsync.storage import tables as t

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


@dataclass(frozen=True, slots=True)
class Chosen:
    """Settings as they were at one moment, read in one query.

    Attributes:
        values: what differs from the defaults, by name, user and kind.
    """

    values: Mapping[tuple[str, str, str], str]

    def get(self, name: str, *, user_id: str = "", kind: str = "") -> str:
        """Return a value where it is used: user and kind, user, kind, global."""
        found = setting(name)
        if kind and kind not in KINDS:
            raise UsageError(f"Kinds are {', '.join(KINDS)}; it was given {kind!r}.")
        for scope in ((user_id, kind), (user_id, ""), ("", kind), ("", "")):
            value = self.values.get((name, *scope))
            if value is not None:
                return value
        if name == "poll_seconds" and kind:
            return _POLL[kind]
        return found.default


def chosen(
    app: App, *, user_id: str | None = None, names: Sequence[str] = ()
) -> Chosen:
    """Return settings, of one user and of all; None stands for everybody's."""
    wanted = select(t.settings)
    if user_id is not None:
        wanted = wanted.where(t.settings.c.user_id.in_(["", user_id]))
    if names:
        wanted = wanted.where(t.settings.c.name.in_(names))
    with app.database.read() as connection:
        rows = connection.execute(wanted).all()
    return Chosen({(r.name, r.user_id, r.kind): str(r.value) for r in rows})


def get(app: App, name: str, *, user_id: str = "", kind: str = "") -> str:
    """Return one setting's value; see `Chosen.get`."""
    setting(name)
    found = chosen(app, user_id=user_id, names=(name,))
    return found.get(name, user_id=user_id, kind=kind)


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
    found = chosen(app, user_id=user_id)

    def value(name: str) -> str:
        return found.get(name, user_id=user_id, kind=kind)

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
        member_edit=MemberEdit(value("member_edit")),
        keeps_original=value("fork_keeps_original") == "on",
        notification_budget=int(value("notification_budget")),
    )


def contact_table(app: App, user_id: str) -> FieldTable:
    """Return the mapped contact fields as one user's pair sees them (CON-17)."""
    found = chosen(app, user_id=user_id, names=("mapping", "default_region"))
    mapping = json.loads(found.get("mapping") or "{}")
    off = set(mapping.get("off", []))
    fields = tuple(field for field in FIELDS if field.name not in off)
    custom = tuple(custom_field(key) for key in mapping.get("custom", []))
    region = found.get("default_region", user_id=user_id)
    limits = app.crm.limits()
    # The adapter's one limit for all custom fields, whatever they are called.
    limit = limits.pop(CUSTOM_PREFIX, None)
    if limit is not None:
        limits |= {field.name: limit for field in custom}
    return FieldTable(fields + custom, limits, region)


def account_defaults(app: App) -> AccountDefaults:
    """Return what new accounts look like (CON-9)."""
    names = ("account_type", "account_status", "account_owner", "ambiguous_account")
    found = chosen(app, user_id="", names=names)
    return AccountDefaults(*(found.get(name) for name in names))


def allowed_kinds(app: App, user_id: str) -> tuple[str, ...]:
    """Return the kinds that a user may synchronise (AUTH-9)."""
    return chosen_kinds(get(app, "kinds", user_id=user_id))


def chosen_kinds(value: str) -> tuple[str, ...]:
    """Return the kinds that a value of the setting `kinds` names."""
    chosen = {part.strip() for part in value.split(",")}
    return tuple(kind for kind in KINDS if kind in chosen)
