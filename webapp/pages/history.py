"""Sync History: the list of cycles, its exports, and how far running ones are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
from flask import (
    Blueprint,
    Response,
    jsonify,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)

from crmsync.services import browsing
from crmsync.services.browsing import CyclePage, Wish
from crmsync.services.settings_table import KINDS
from crmsync.storage import cyclelist, people
from webapp import formats, session
from webapp.paths import FRAMES, frame_bounds, read_place, write_place
from webapp.tables import TableState, table_state
from webapp.wiring import core

pages = Blueprint("history", __name__)

STATES = ("failed", "held", "partial", "paused", "rejected", "running", "succeeded")
_FILTERS = ("user", "kind", "state", "errors", "conflicts", "text", "frame", "quiet")
_MOST_EXPORTED = 20_000
_MOST_WATCHED = 50
_CSV = (
    "id",
    "job",
    "user",
    "kind",
    "state",
    "started_at",
    "finished_at",
    "seconds",
    "dry_run",
    "linked",
    "google_created",
    "google_updated",
    "google_deleted",
    "google_unlinked",
    "crm_created",
    "crm_updated",
    "crm_deleted",
    "crm_unlinked",
    "unchanged",
    "conflicts",
    "held",
    "skipped",
    "errors",
    "error",
)


def read_state() -> TableState:
    """Return what the URL says about the list."""
    state = table_state(cyclelist.SORTS, _FILTERS, default="-started")
    known = {
        "kind": KINDS,
        "state": STATES,
        "frame": tuple(FRAMES),
        "errors": ("1",),
        "conflicts": ("1",),
        "quiet": ("show",),
    }
    kept = {
        name: value[:200]
        for name, value in state.filters.items()
        if name not in known or value in known[name]
    }
    return replace(state, filters=kept)


def read_wish(state: TableState) -> Wish:
    """Return what is wanted of the list."""
    chosen = state.filters.get
    now = core().clock.now()
    since, until = frame_bounds(chosen("frame", ""), now, formats.time_zone())
    return Wish(
        user_id=chosen("user", ""),
        kind=chosen("kind", ""),
        state=chosen("state", ""),
        text=chosen("text", ""),
        has_errors="errors" in state.filters,
        has_conflicts="conflicts" in state.filters,
        since=since,
        until=until,
        sort=state.sort,
        is_descending=state.is_descending,
        folds="quiet" not in state.filters,
    )


@pages.get("/history")
def listing() -> Any:
    """Show the list of cycles (HIS-1)."""
    state = read_state()
    viewer = session.user()
    is_time = state.sort not in {"duration", "changes"}
    word = state.before or state.after
    place = read_place(word, is_time=is_time)
    is_back = bool(state.before) and place is not None
    found = browsing.list_page(
        core(), viewer, read_wish(state), place, backwards=is_back
    )
    return render_template(
        "history/list.html",
        state=state,
        rows=[_shown(state, row) for row in found.rows],
        previous=_page_url(state, before=found),
        next=_page_url(state, after=found),
        frames=FRAMES,
        kinds=formats.KINDS,
        states=STATES,
        users=people.users(core().database) if viewer.is_admin else (),
        exports=_exports(state),
    )


def _shown(state: TableState, row: Any) -> dict[str, Any]:
    """Return a row as the template takes it."""
    if not isinstance(row, tuple):
        return dict(row)
    quiet, above = row
    opened = replace(state, filters={**state.filters, "quiet": "show"})
    return {"quiet": quiet, "url": opened.page(after=write_place(above))}


def _page_url(
    state: TableState, before: CyclePage | None = None, after: CyclePage | None = None
) -> str:
    if before is not None:
        return state.page(before=write_place(before.before)) if before.before else ""
    if after is not None and after.after:
        return state.page(after=write_place(after.after))
    return ""


def _exports(state: TableState) -> dict[str, str]:
    return {
        kind: replace(state, path=url_for(f"history.{kind}_export")).url()
        for kind in ("csv", "json")
    }


@pages.get("/history/lookup")
def lookup() -> Any:
    """Go to what a person names: a cycle, a record, or jobs by name (HIS-1)."""
    text = request.args.get("q", "").strip()[:200]
    if not text:
        return redirect(url_for("history.listing"))
    if browsing.cycle_seen_by(core(), session.user(), text) is not None:
        return redirect(url_for("history.detail", cycle_id=text))
    if browsing.item_seen_by(core(), session.user(), text) is not None:
        return redirect(url_for("trace.show", q=text))
    if browsing.knows_record(core(), session.user(), text):
        return redirect(url_for("trace.show", q=text))
    return redirect(url_for("history.listing", text=text))


@pages.get("/history/live.json")
def live() -> Any:
    """Return how far the named cycles are; the page asks now and then."""
    wanted = request.args.get("ids", "")[:4000].split(",")[:_MOST_WATCHED]
    return jsonify({"cycles": browsing.progress(core(), session.user(), wanted)})


# ------------------------------------------------------------------ exports


def _exported() -> Iterator[dict[str, Any]]:
    wish = read_wish(read_state())
    return browsing.every_cycle(core(), session.user(), wish, _MOST_EXPORTED)


@pages.get("/history.json")
def json_export() -> Response:
    """Export the list as JSON."""

    def lines() -> Iterator[bytes]:
        between = b'{"cycles": [\n'
        for cycle in _exported():
            yield between + orjson.dumps(cycle)
            between = b",\n"
        yield b"\n]}\n" if between == b",\n" else between + b"]}\n"

    return _download(lines(), "application/json", "sync-history.json")


@pages.get("/history.csv")
def csv_export() -> Response:
    """Export the list as CSV; no cell can be taken for a formula."""

    def lines() -> Iterator[bytes]:
        # The mark at the beginning tells spreadsheets that this is UTF-8.
        yield "\ufeff".encode() + _line(_CSV)
        for cycle in _exported():
            flat = _flat(cycle)
            yield _line(tuple(flat[name] for name in _CSV))

    return _download(lines(), "text/csv; charset=utf-8", "sync-history.csv")


def _flat(cycle: dict[str, Any]) -> dict[str, Any]:
    counts = cycle["counts"]
    sides = {
        f"{side}_{what}": number
        for side in ("google", "crm")
        for what, number in counts[side].items()
    }
    error = cycle["error"]["message"] if cycle["error"] else ""
    return {**cycle, **counts, **sides, "error": error}


def _line(cells: tuple[Any, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([defuse(cell) for cell in cells])
    return text.getvalue().encode()


def defuse(cell: Any) -> str:
    """Return a cell that no spreadsheet runs.

    >>> defuse("=1+1"), defuse("Jo"), defuse(None)
    ("'=1+1", 'Jo', '')
    """
    text = "" if cell is None else str(cell)
    is_formula = text.lstrip().startswith(("=", "+", "-", "@")) or text[:1] in "\t\r\n"
    return f"'{text}" if text and is_formula else text


def _download(parts: Iterator[bytes], kind: str, name: str) -> Response:
    response = Response(stream_with_context(parts), content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
