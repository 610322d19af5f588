"""One cycle with its items, and what persons decide about them (HIS-2, HIS-3)."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, jsonify, redirect, render_template, request
from flask import url_for as to
from werkzeug.wrappers import Response

from crmsync.errors import UsageError
from crmsync.services import browsing, ordering, reporting, resolving
from crmsync.services.ordering import What
from crmsync.storage import itemlist, people
from crmsync.storage.itemlist import ItemQuery
from webapp import builtin, session
from webapp.pages import history as listing
from webapp.tables import TableState, table_state
from webapp.wiring import core

pages = listing.pages
PAGE = 50
ACTIONS = ("create", "update", "delete", "link", "unlink", "restore", "skip")
ITEM_STATES = ("done", "failed", "held", "planned", "sent", "skipped", "unknown")
_FILTERS = ("action", "state", "conflicts")
_LONGEST_CHOICE = 1024


def cycle_or_404(cycle_id: str) -> Any:
    """Return a cycle that the visitor may see."""
    row = browsing.cycle_seen_by(core(), session.user(), cycle_id)
    if row is None:
        abort(404)
    return row


def item_or_404(item_id: str) -> tuple[Any, Any]:
    """Return an item that the visitor may see, and its cycle."""
    found = browsing.item_seen_by(core(), session.user(), item_id)
    if found is None:
        abort(404)
    return found


@pages.get("/history/<cycle_id>.json")
def detail_json(cycle_id: str) -> Any:
    """Return a cycle as `history show --json` prints it."""
    cycle_or_404(cycle_id)
    return jsonify(reporting.cycle_detail(core(), cycle_id))


@pages.get("/history/<cycle_id>")
def detail(cycle_id: str) -> Any:
    """Show a cycle and its items."""
    row = cycle_or_404(cycle_id)
    state = table_state(("id",), _FILTERS, default="id")
    rows, previous, following = _items_page(cycle_id, state)
    items = [reporting.item_json(item, row.kind) | {"row": item} for item in rows]
    builtin.add_facts(items)
    numbers = itemlist.tallies(core().database, [cycle_id])[cycle_id]
    return render_template(
        "history/cycle.html",
        cycle=browsing.row_json(core(), row),
        items=items,
        numbers=numbers,
        state=state,
        previous=previous,
        next=following,
        done=request.args.get("done", ""),
        actions=ACTIONS,
        item_states=ITEM_STATES,
        may_decide=not row.is_dry,
    )


def _items_page(cycle_id: str, state: TableState) -> tuple[list[Any], str, str]:
    """Return the items of a page, and the addresses of its neighbours."""
    query = ItemQuery(
        cycle_id,
        action=state.filters.get("action", ""),
        state=state.filters.get("state", ""),
        has_conflict="conflicts" in state.filters,
    )
    database, before = core().database, state.before
    rows = itemlist.page(
        database, query, after=state.after, before=before, limit=PAGE + 1
    )
    has_more = len(rows) > PAGE
    rows = rows[-PAGE:] if before else rows[:PAGE]
    has_previous = has_more if before else bool(state.after)
    has_next = bool(before) or has_more
    if not rows:
        return [], "", ""
    previous = state.page(before=rows[0].id) if has_previous else ""
    return rows, previous, state.page(after=rows[-1].id) if has_next else ""


# ------------------------------------------------------------------ decisions


@pages.post("/history/<cycle_id>/approve")
def approve(cycle_id: str) -> Response:
    """Let a worker carry a held plan out."""
    return _decide(cycle_id, What.APPROVE)


@pages.post("/history/<cycle_id>/reject")
def reject(cycle_id: str) -> Response:
    """Let a worker put a held plan aside."""
    return _decide(cycle_id, What.REJECT)


def _decide(cycle_id: str, what: What) -> Response:
    row = cycle_or_404(cycle_id)
    if row.state != "held":
        flash("This cycle does not wait for a decision any more.", "warning")
        return redirect(to("history.detail", cycle_id=cycle_id))
    return _place(row, what, {"cycle": cycle_id})


def _place(row: Any, what: What, detail: dict[str, Any]) -> Response:
    """Place an order and show that it is being carried out."""
    owner = people.user_by_id(core().database, row.user_id)
    actor = session.user().email
    order = ordering.place(core(), owner, row.kind, what, actor=actor, detail=detail)
    return redirect(to("orders.show", order_id=order))


@pages.post("/history/items/<item_id>/restore")
def restore(item_id: str) -> Response:
    """Let a worker bring losing values back: all of an item, or one field's."""
    item, row = item_or_404(item_id)
    lost = {c["field"] for c in item.changes if c["lost"] is not None}
    field = request.form.get("field", "")
    if not lost or (field and field not in lost) or row.is_dry:
        abort(400)
    detail = {"item": item_id, "fields": [field] if field else []}
    return _place(row, What.RESTORE, detail)


@pages.post("/history/items/<item_id>/retry")
def retry(item_id: str) -> Response:
    """Try a failed or skipped record again in the next cycle."""
    _, row = item_or_404(item_id)
    resolving.retry(core(), item_id, actor=session.user().email)
    flash("It will be tried again in the next synchronisation.", "success")
    return _back(row)


@pages.post("/history/items/<item_id>/resolve")
def resolve(item_id: str) -> Response:
    """Note what a person decided about a held record."""
    item, row = item_or_404(item_id)
    choice = request.form.get("choice", "")
    if not choice:
        flash("Choose one of the answers first.", "warning")
        return _back(row)
    if len(choice) > _LONGEST_CHOICE or not _is_offered(item, choice):
        abort(400)
    try:
        resolving.resolve(core(), item_id, choice, actor=session.user().email)
    except UsageError:
        # Another tab or a cycle was faster.
        flash("This question has been dealt with meanwhile.", "warning")
    else:
        flash(_answer_words(item, choice), "success")
    return _back(row)


def _is_offered(item: Any, choice: str) -> bool:
    if item.reason == "ambiguous_account":
        offered = {account.id for account in builtin.accounts_for(item)}
        return choice in offered | {"skip"}
    return choice.isprintable()


def _answer_words(item: Any, choice: str) -> str:
    if item.reason == "company_edited":
        return "Noted; it is not shown in the Inbox any more."
    if choice == "skip":
        return f"{item.name} is left alone."
    return "Noted. The next synchronisation carries it out."


def _back(row: Any) -> Response:
    """Return to where the form was."""
    target = session.own_path(request.form.get("next", ""))
    return redirect(target or to("history.detail", cycle_id=row.id))
