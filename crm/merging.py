"""Merge Records: two contacts become one (WEB-3, CON-21)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from crm import activities, contacts, feed, groups, history
from crm.common import NOBODY, Author
from crm.deals import OPPORTUNITIES, TICKETS
from crm.errors import BadValue, VersionMismatch
from crm.fields import EMAILS, FIELDS, LIMITS, PLACE_PARTS, PLACES, is_custom
from crm.folding import address_key
from crm.rows import ContactRow, full_values

_PLACE_FIELDS = tuple(f"{place}_{part}" for place in PLACES for part in PLACE_PARTS)


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge made.

    Attributes:
        row: the survivor.
        left_out: values of the loser, by field, that found no empty slot.
    """

    row: ContactRow
    left_out: dict[str, str]


def merge(
    conn: Connection,
    keep_id: str,
    *,
    lose_id: str,
    chosen: Mapping[str, str] | None = None,
    versions: tuple[int, int] | None = None,
    by: Author = NOBODY,
) -> Merged:
    """Merge two contacts: the loser fills empty slots; what belongs to it moves.

    Addresses are united while slots last, a postal address is taken whole, notes are
    put one after the other. A survivor without a company takes the loser's account.
    The loser becomes a tombstone that names the survivor.

    Args:
        conn: the open unit of work.
        keep_id: the survivor.
        lose_id: the other one.
        chosen: values that a person chose, by field; they come before the rules. The
            company is one of the two contacts'.
        versions: of the survivor and the other one, as the person saw them.
        by: who merges.

    Raises:
        BadValue: if both are the same contact, or the CRM cannot hold a value.
        NotFound: if one of them does not exist.
        VersionMismatch: if one of them was changed since.
    """
    if keep_id == lose_id:
        raise BadValue("contact", "cannot be merged with itself")
    feed.lock(conn)
    keep, lose = contacts.get(conn, keep_id), contacts.get(conn, lose_id)
    for row, version in zip((keep, lose), versions or (), strict=False):
        if row.version != version:
            raise VersionMismatch(row)
    values, left_out = merge_values(keep.values, lose.values)
    values = full_values({**values, **(chosen or {})}, values["company"])
    takes_account = not keep.values["company"] and bool(lose.values["company"])
    if chosen is not None and "company" in chosen:
        takes_account = chosen["company"] != keep.values["company"]
    values["company"] = (lose if takes_account else keep).values["company"]
    account_id = lose.account_id if takes_account else keep.account_id
    memberships = groups.groups_of(conn, [lose_id]).get(lose_id, [])
    contacts.bury(conn, [lose_id], merged_into=keep_id, by=by)
    activities.move_contact(conn, lose_id, keep_id=keep_id, by=by)
    history.move_contact(conn, lose_id, keep_id=keep_id)
    for shelf in (OPPORTUNITIES, TICKETS):
        shelf.move_contact(conn, lose_id, keep_id=keep_id, by=by)
    row = keep
    if values != keep.values or takes_account:
        row = contacts.rewrite(
            conn, replace(keep, values=values, account_id=account_id), by=by
        )
    for group_id in memberships:
        if groups.get(conn, group_id) is not None:
            groups.add_members(conn, group_id, contact_ids=[keep_id])
    return Merged(row, left_out)


def merge_values(
    keep: Mapping[str, str], lose: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the survivor's values, and what of the loser found no place."""
    values = dict(keep)
    left_out: dict[str, str] = {}
    _merge_emails(values, lose, left_out)
    for place in PLACES:
        _merge_place(values, lose, place=place, left_out=left_out)
    _merge_notes(values, lose, left_out)
    for name in (*FIELDS, *filter(is_custom, lose)):
        if name in EMAILS or name in _PLACE_FIELDS or name == "notes":
            continue
        if not values.get(name):
            values[name] = lose[name]
        elif lose[name] and lose[name] != values[name]:
            left_out[name] = lose[name]
    return values, left_out


def _merge_emails(
    values: dict[str, str], lose: Mapping[str, str], left_out: dict[str, str]
) -> None:
    known = {_same_address(values[slot]) for slot in EMAILS if values[slot]}
    empty = [slot for slot in EMAILS if not values[slot]]
    for slot in EMAILS:
        if not lose[slot] or _same_address(lose[slot]) in known:
            continue
        known.add(_same_address(lose[slot]))
        if empty:
            values[empty.pop(0)] = lose[slot]
        else:
            left_out[slot] = lose[slot]


def _same_address(value: str) -> str:
    return address_key(value) or value.strip().casefold()


def _merge_place(
    values: dict[str, str],
    lose: Mapping[str, str],
    *,
    place: str,
    left_out: dict[str, str],
) -> None:
    names = [f"{place}_{part}" for part in PLACE_PARTS]
    if not any(values[name] for name in names):
        values.update((name, lose[name]) for name in names)
        return
    left_out.update(
        (name, lose[name])
        for name in names
        if lose[name] and lose[name] != values[name]
    )


def _merge_notes(
    values: dict[str, str], lose: Mapping[str, str], left_out: dict[str, str]
) -> None:
    notes = lose["notes"]
    if not notes or notes in values["notes"]:
        return
    both = "\n\n".join(filter(None, [values["notes"], notes]))
    if len(both) <= LIMITS["notes"]:
        values["notes"] = both
    else:
        left_out["notes"] = notes
