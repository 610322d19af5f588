"""*Merge Records*: two contacts become one, field by field (WEB-3, CON-21)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, render_template, request
from flask import url_for as to
from sqlalchemy import Connection

from crm import merging
from crm.errors import BadValue, VersionMismatch
from crm.fields import FIELDS, is_custom
from crm.rows import ContactRow
from webapp import builtin
from webapp.contactform import input_name
from webapp.formats import field_name
from webapp.pages import contactedit
from webapp.pages.contact import full_name

pages = contactedit.pages


@pages.get("/contacts/merge")
def merge() -> Any:
    """Show two contacts side by side, to become one."""
    return _show_merge()


def _pair(connection: Connection, viewer: str) -> tuple[ContactRow, ContactRow]:
    ids = [request.values.get(name, "") for name in ("a", "b")]
    if ids[0] == ids[1]:
        abort(404)
    first, second = (builtin.contact_or_404(connection, viewer, i) for i in ids)
    return first, second


def _show_merge(notice: str = "", status: int = 200) -> Any:
    with builtin.reading() as (connection, viewer):
        pair = _pair(connection, viewer)
    survivor = request.values.get("survivor", pair[0].id)
    keep, lose = pair if survivor != pair[1].id else pair[::-1]
    merged, left_out = merging.merge_values(keep.values, lose.values)
    page = render_template(
        "contacts/merge.html",
        keep=keep,
        lose=lose,
        keep_name=full_name(keep),
        lose_name=full_name(lose),
        fields=_merge_rows(keep.values, lose.values, merged),
        left_out=left_out,
        notice_words=notice,
    )
    return page if status == 200 else (page, status)


def _merge_rows(
    keep: Mapping[str, str], lose: Mapping[str, str], merged: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the fields to choose of, with what may be chosen."""
    rows = []
    for name in (*FIELDS, *sorted(n for n in {**keep, **lose} if is_custom(n))):
        options = _options(
            keep.get(name, ""), lose.get(name, ""), merged.get(name, ""), name
        )
        if options:
            chosen = merged.get(name, "")
            if name == "company":
                chosen = keep.get(name, "") or lose.get(name, "")
            rows.append(
                {
                    "name": input_name(name),
                    "label": field_name(name),
                    "options": options,
                    "chosen": chosen,
                    "differs": len(options) > 1,
                }
            )
    return rows


def _options(keep: str, lose: str, merged: str, name: str) -> list[tuple[str, str]]:
    """Return the values to choose of: where each is from, and its text."""
    found = {"keep": keep, "lose": lose}
    if name != "company" and merged not in {keep, lose}:
        found["both"] = merged
    unique: dict[str, str] = {}
    for source, value in found.items():
        unique.setdefault(value, source)
    if list(unique) == [""]:
        return []
    return [(source, value) for value, source in unique.items()]


@pages.post("/contacts/merge")
def merge_records() -> Any:
    """Merge two contacts as a person chose, field by field (CON-21)."""
    try:
        with builtin.writing() as (connection, author):
            pair = _pair(connection, author.user_id)
            survivor = request.form.get("survivor", "")
            keep, lose = pair if survivor != pair[1].id else pair[::-1]
            versions = tuple(
                int(text) if text.isdecimal() and len(text) < 10 else 0
                for text in (
                    request.form.get(f"version-{row.id}", "") for row in (keep, lose)
                )
            )
            made = merging.merge(
                connection,
                keep.id,
                lose_id=lose.id,
                chosen=_chosen_values(keep.values, lose.values),
                versions=(versions[0], versions[1]),
                by=author,
            )
    except VersionMismatch:
        words = "One of the two was changed just now. Look again, then merge."
        return _show_merge(words, status=409)
    except BadValue as error:
        return _show_merge(builtin.sentence(error), status=400)
    flash(f"Two contacts became one: {full_name(made.row)}.", "success")
    return redirect(to("contacts.detail", contact_id=made.row.id))


def _chosen_values(keep: Mapping[str, str], lose: Mapping[str, str]) -> dict[str, str]:
    merged, _ = merging.merge_values(keep, lose)
    chosen: dict[str, str] = {}
    for row in _merge_rows(keep, lose, merged):
        wanted = request.form.get(f"of-{row['name']}")
        values = dict(row["options"])
        if wanted in values:
            chosen[_field_of(row["name"], keep, lose)] = values[wanted]
    return chosen


def _field_of(name: str, *values: Mapping[str, str]) -> str:
    known = {input_name(field): field for part in values for field in part}
    return known[name]
