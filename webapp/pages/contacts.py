"""The built-in CRM's contacts as a list: search, sort, choose, group (CON-1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request
from flask import url_for as to
from sqlalchemy import Connection

from crm import contacts as crm_contacts
from crm import groups
from crm import listing as lists
from crm.common import EVERYONE
from crm.errors import CrmError
from crm.groups import GroupRow
from crm.listing import ContactQuery, Place
from crm.rows import ContactRow
from crmsync.services import browsing
from crmsync.storage import people
from webapp import builtin, session
from webapp.paths import pack, unpack
from webapp.tables import TableState, table_state
from webapp.wiring import core
from webapp.words import write_plural

pages = Blueprint("contacts", __name__)

PAGE = 50
_LONGEST_SEARCH = 200
_MOST_IDS = 1000


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was wrong with an answer: the dialog opens again with what was given."""

    dialog: str
    message: str
    name: str = ""
    selected: frozenset[str] = frozenset()


@pages.before_request
def _require_builtin() -> None:
    builtin.require()


# ------------------------------------------------------------------ showing


@pages.get("/contacts")
def listing() -> Any:
    """Show the contacts that the visitor sees."""
    return show_list(None)


def read_state(path: str = "") -> TableState:
    """Return what the URL says about the list."""
    state = table_state(lists.SORTS, ("q",), default="name")
    kept = {name: value[:_LONGEST_SEARCH] for name, value in state.filters.items()}
    return replace(state, filters=kept, path=path or state.path)


def query_of(state: TableState, viewer: str, **narrow: str) -> ContactQuery:
    """Return what a list asks the CRM for."""
    return ContactQuery(
        viewer,
        text=state.filters.get("q", ""),
        sort=state.sort,
        is_descending=state.is_descending,
        **narrow,
    )


def show_list(group: GroupRow | None, trouble: Trouble | None = None) -> Any:
    """Show a list of contacts: all, or a group's."""
    path = to("groups.detail", group_id=group.id) if group else to("contacts.listing")
    state = read_state(path)
    with builtin.reading() as (connection, viewer):
        narrow = {"group_id": group.id} if group else {}
        query = query_of(state, viewer, **narrow)
        rows, previous, following = list_page(connection, query, state)
        memberships = groups.groups_of(connection, [row.id for row in rows])
        known = groups.list_all(connection, viewer=viewer)
    sync_group = people.seen_pair(core().database, session.user().user_id, "contacts")
    html = render_template(
        "contacts/list.html",
        state=state,
        group=group,
        contacts=_shown(rows, memberships, known),
        groups=known,
        previous=previous,
        next=following,
        trouble=trouble,
        sync_group_id=sync_group.group_id,
        users_of=people.group_users(core().database),
    )
    return html if trouble is None else (html, 400)


def list_page(
    connection: Connection, query: ContactQuery, state: TableState
) -> tuple[list[ContactRow], str, str]:
    """Return the contacts of a page, and the addresses of its neighbours."""
    place = _read_place(state.before or state.after, state.sort)
    is_back = bool(state.before) and place is not None
    found = lists.page(connection, query, place, backwards=is_back, limit=PAGE + 1)
    has_more = len(found) > PAGE
    found = found[-PAGE:] if is_back else found[:PAGE]
    has_previous = has_more if is_back else place is not None
    has_next = is_back or has_more
    if not found:
        return [], "", ""
    previous = state.page(before=pack(*found[0].place)) if has_previous else ""
    following = state.page(after=pack(*found[-1].place)) if has_next else ""
    return [listed.row for listed in found], previous, following


def _read_place(word: str, sort: str) -> Place | None:
    match unpack(word):
        case [str(value), str(row_id)] if sort != "changed":
            texts = value + row_id
            is_good = "\x00" not in texts and not any(
                "\ud800" <= c <= "\udfff" for c in texts
            )
            return (value, row_id) if is_good else None
        case [int(value), str(row_id)] if sort == "changed":
            is_good = abs(value) < 1 << 62 and row_id.isprintable()
            return (value, row_id) if is_good else None
    return None


def _shown(
    rows: list[ContactRow], memberships: dict[str, list[str]], known: list[GroupRow]
) -> list[dict[str, Any]]:
    names = {group.id: group.name for group in known}
    marks = browsing.sync_marks(
        core(), session.user(), {row.id: memberships.get(row.id, []) for row in rows}
    )
    return [
        {
            "id": row.id,
            "name": display_name(row),
            "values": row.values,
            "phone": row.values["work_phone"] or row.values["mobile"],
            "groups": [
                names[group_id]
                for group_id in memberships.get(row.id, ())
                if group_id in names
            ],
            "mark": marks[row.id],
            "changed_at": row.modified_at,
        }
        for row in rows
    ]


def display_name(row: ContactRow) -> str:
    """Return a contact as lists sort it: "Last, First"."""
    names = (row.values["last"], row.values["first"])
    others = ("email", "company", "mobile", "work_phone")
    found = ", ".join(filter(None, names))
    return found or next((row.values[n] for n in others if row.values[n]), "(no name)")


@pages.get("/contacts/count.json")
def count() -> Any:
    """Return how many contacts match a search; asked when all are to be chosen."""
    with builtin.reading() as (connection, viewer):
        group_id = request.args.get("group", "")
        narrow = {}
        if group_id:
            narrow["group_id"] = builtin.group_or_404(connection, viewer, group_id).id
        query = query_of(read_state(), viewer, **narrow)
        return jsonify({"count": lists.count(connection, query)})


# ------------------------------------------------------------------ choosing


@pages.post("/contacts/selection")
def selection() -> Any:
    """Do something with the chosen contacts; see `templates/contacts/list.html`."""
    form = request.form
    # Return in a text field sends no button's value.
    what = form.get("do") or ("save" if form.get("name", "").strip() else "add")
    actions = {"save": _save, "add": _add, "remove": _remove, "merge": _merge}
    if what not in actions:
        abort(400)
    return actions[what]()


def _chosen(connection: Connection, viewer: str) -> list[str]:
    """Return the ids of the chosen contacts that the visitor sees."""
    form = request.form
    if form.get("everything"):
        text = form.get("q", "")[:_LONGEST_SEARCH]
        query = ContactQuery(viewer, text=text, group_id=form.get("group", ""))
        return list(lists.every_id(connection, query))
    wanted = form.getlist("ids")[:_MOST_IDS]
    rows = crm_contacts.read(connection, wanted, viewer=viewer)
    return list(dict.fromkeys(row.id for row in rows if not row.deleted))


def _context_group(connection: Connection, viewer: str) -> GroupRow | None:
    group_id = request.form.get("group", "")
    return builtin.group_or_404(connection, viewer, group_id) if group_id else None


def _back(message: str = "", tone: str = "warning") -> Any:
    """Return to the list as it was."""
    if message:
        flash(message, tone)
    target = session.own_path(request.form.get("next", ""))
    return redirect(target or to("contacts.listing"))


def _nothing_chosen() -> Any:
    return _back("Choose one or more contacts first.")


def _save() -> Any:
    """*Save Records as Group* (CON-1)."""
    name = request.form.get("name", "")
    is_shared = request.form.get("shared") == "1"
    context: GroupRow | None = None
    try:
        with builtin.writing() as (connection, author):
            context = _context_group(connection, author.user_id)
            ids = _chosen(connection, author.user_id)
            if not ids:
                return _nothing_chosen()
            owner = EVERYONE if is_shared else author.user_id
            group = groups.create(connection, name, owner=owner, by=author)
            groups.add_members(connection, group.id, contact_ids=ids)
    except CrmError as error:
        chosen = frozenset(request.form.getlist("ids"))
        trouble = Trouble("save-group", builtin.sentence(error), name[:200], chosen)
        return show_list(context, trouble)
    flash(f"{write_plural(len(ids), 'contact')} saved as “{group.name}”.", "success")
    return redirect(to("groups.detail", group_id=group.id))


def _add() -> Any:
    """*Add to an existing Group* (CON-1)."""
    with builtin.refusals(), builtin.writing() as (connection, author):
        ids = _chosen(connection, author.user_id)
        if not ids:
            return _nothing_chosen()
        if not request.form.get("target"):
            return _back("Choose the group first.")
        target = request.form["target"]
        group = builtin.group_or_404(connection, author.user_id, target)
        added = groups.add_members(connection, group.id, contact_ids=ids)
    known = len(ids) - len(added)
    also = f" {write_plural(known, 'contact was', 'contacts were')} in it already."
    words = f"{write_plural(len(added), 'contact')} added to “{group.name}”."
    return _back(words + (also if known else ""), "success")


def _remove() -> Any:
    """*Remove from Group* (CON-1); the contacts stay."""
    with builtin.refusals(), builtin.writing() as (connection, author):
        group = _context_group(connection, author.user_id)
        if group is None:
            abort(400)
        ids = _chosen(connection, author.user_id)
        if not ids:
            return _nothing_chosen()
        gone = groups.remove_members(connection, group.id, contact_ids=ids)
    words = f"{write_plural(len(gone), 'contact')} taken out of “{group.name}”."
    return _back(words, "success")


def _merge() -> Any:
    """Go to *Merge Records* with the two contacts that are chosen."""
    with builtin.reading() as (connection, viewer):
        ids = _chosen(connection, viewer)
    if len(ids) != 2:
        return _back("Choose the two contacts that are the same person.")
    return redirect(to("contacts.merge", a=ids[0], b=ids[1]))
