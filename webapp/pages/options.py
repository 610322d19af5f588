"""Tools › Options, tab *General*: what is synchronised, when, and how it is shown."""

from __future__ import annotations

from typing import Any

from babel import Locale
from flask import (
    Blueprint,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response

from crmsync.errors import UsageError
from crmsync.services import (
    choosing,
    grouping,
    ordering,
    reporting,
    scheduling,
    settings,
)
from crmsync.services.runs import SERVICE_OF
from crmsync.services.settings_table import LANGUAGES
from crmsync.services.syncing import check_allowed
from crmsync.storage import people
from crmsync.storage.people import User
from webapp import choices, session
from webapp.security import limited
from webapp.wiring import core

pages = Blueprint("options", __name__, url_prefix="/options")

_KIND = "/<any(contacts, calendar, tasks, mail):kind>"
_SHOWN_ITEMS = 200
_SHOWN_NAMES = 25
WINDOW = ("window_past_days", "window_future_days")
REGION = ("time_zone", "language", "default_region")


@pages.get("")
def general() -> str:
    """Show the tab *General*."""
    app, who = core(), session.user()
    pair = people.seen_pair(app.database, who.user_id, "contacts")
    groups = app.crm.groups(who.email)
    values = {name: settings.get(app, name, user_id=who.user_id) for name in REGION}
    return render_template(
        "options/general.html",
        kinds=scheduling.kind_states(app, who),
        services=SERVICE_OF,
        groups=groups,
        pair=pair,
        has_lost_group=bool(pair.group_id)
        and pair.group_id not in {group.group_id for group in groups},
        is_fixed=pair.is_accepted and not who.is_admin,
        values=values,
        zones=choices.time_zones(),
        languages=LANGUAGES,
        regions=choices.regions(Locale.parse(values["language"])),
    )


@pages.get("/collections")
@limited("30 per minute", key=session.user_key)
def collections() -> str:
    """Show which calendar and task list are synchronised, and what else there is."""
    app, who = core(), session.user()
    allowed = settings.allowed_kinds(app, who.user_id)
    kinds = [kind for kind in choosing.SETTING_OF if kind in allowed]
    shows_calendars = "calendar" in kinds
    return render_template(
        "options/collections.html",
        found=[choosing.choosable(app, who, kind) for kind in kinds],
        nouns=choosing.NOUN,
        further=choosing.further_calendars(app, who) if shows_calendars else None,
        private=settings.get(app, "private_events", user_id=who.user_id),
        window={n: settings.get(app, n, user_id=who.user_id) for n in WINDOW},
    )


@pages.post("/collections/<any(calendar, tasks):kind>")
@limited("10 per minute", key=session.user_key)
def choose(kind: str) -> Response:
    """Synchronise another calendar or task list from now on."""
    who = session.user()
    check_allowed(core(), who, kind)
    wanted = request.form.get("chosen", "")
    if choosing.choose(core(), who, kind, wanted, actor=who.email):
        noun = choosing.NOUN[kind]
        flash(f"Another {noun} is chosen. Look at its preview next.", "success")
    return redirect(url_for("options.collections"))


@pages.post("/collections/further")
@limited("10 per minute", key=session.user_key)
def choose_further() -> Response:
    """Choose the calendars that are only shown in the CRM."""
    app, who = core(), session.user()
    check_allowed(app, who, "calendar")
    wanted = list(dict.fromkeys(request.form.getlist("further")))
    if choosing.choose_further(app, who, wanted, actor=who.email):
        flash("Saved. The next synchronisation shows what changes.", "success")
    return redirect(url_for("options.collections"))


@pages.post("/calendar-rules")
def calendar_rules() -> Response:
    """Save how private events and old events are treated."""
    app, who = core(), session.user()
    for name in ("private_events", *WINDOW):
        given = request.form.get(name, "").strip()
        if given and given != settings.get(app, name, user_id=who.user_id):
            settings.put(app, name, given, user_id=who.user_id, actor=who.email)
    flash("Saved.", "success")
    return redirect(url_for("options.collections"))


@pages.post("/group")
def designate() -> Any:
    """Save the Contact Sync Group; an admin sees first what a change would do."""
    app, who = core(), session.user()
    chosen = request.form.get("group", "")
    if not chosen:
        flash("Choose a group first.", "warning")
        return redirect(url_for("options.general"))
    pair = people.pair_of(app.database, who.user_id, "contacts")
    changes = pair.is_accepted and pair.group_id not in {"", chosen}
    if changes and who.is_admin and request.form.get("confirmed") != "yes":
        return redirect(url_for("options.review_group", to=chosen))
    group = grouping.designate(app, who, chosen, actor=who.email, by_admin=who.is_admin)
    flash(f"The Contact Sync Group is {group.name}.", "success")
    return redirect(url_for("options.general"))


@pages.get("/group")
def review_group() -> Any:
    """Show an admin what another Contact Sync Group would add and remove (CON-2)."""
    who = session.user()
    if not who.is_admin:
        abort(403)
    try:
        change = grouping.compare(core(), who, request.args.get("to", ""))
    except UsageError:
        abort(404)
    return render_template("options/group.html", change=change, shown=_SHOWN_NAMES)


@pages.post("/region")
def save_region() -> Response:
    """Save time zone, language and region."""
    app, who = core(), session.user()
    try:
        for name in REGION:
            if name in request.form:
                value = request.form[name].strip()
                settings.put(app, name, value, user_id=who.user_id, actor=who.email)
    except UsageError as error:
        flash(f"{error.message} The rest was saved.", "error")
    else:
        flash("Saved.", "success")
    return redirect(url_for("options.general"))


@pages.post(f"{_KIND}/sync")
@limited("6 per minute", "60 per hour", key=session.user_key)
def sync(kind: str) -> Response:
    """Make a cycle due now."""
    who = session.user()
    scheduling.sync_now(core(), who, [kind], actor=who.email)
    flash(f"{kind.capitalize()} will be synchronised at once.", "success")
    return _back()


@pages.post(f"{_KIND}/pause")
def pause(kind: str) -> Response:
    """Pause a kind."""
    who = session.user()
    scheduling.pause(core(), who, kind, actor=who.email)
    flash(f"{kind.capitalize()} is paused until you resume it.", "success")
    return _back()


@pages.post(f"{_KIND}/resume")
def resume(kind: str) -> Response:
    """Resume a kind."""
    who = session.user()
    scheduling.resume(core(), who, kind, actor=who.email)
    flash(f"{kind.capitalize()} goes on.", "success")
    return _back()


@pages.post(f"{_KIND}/preview")
@limited("6 per minute", "60 per hour", key=session.user_key)
def ask_preview(kind: str) -> Response:
    """Order a dry run (ENG-7)."""
    return _order(kind, "preview")


@pages.post(f"{_KIND}/accept")
def accept(kind: str) -> Response:
    """Order the first cycle that a preview announced."""
    seen = request.form.get("cycle", "")
    _, owner = _planned_cycle(seen)
    if owner.user_id != session.user().user_id:
        abort(404)
    return _order(kind, "accept", {"cycle": seen})


@pages.get("/preview/<cycle_id>")
def preview(cycle_id: str) -> Any:
    """Show what a cycle would do, with counts and items."""
    cycle, owner = _planned_cycle(cycle_id, _SHOWN_ITEMS + 1)
    pair = people.seen_pair(core().database, owner.user_id, cycle["kind"])
    return render_template(
        "options/preview.html",
        cycle=cycle,
        items=cycle["items"][:_SHOWN_ITEMS],
        is_cut=len(cycle["items"]) > _SHOWN_ITEMS,
        is_own=owner.user_id == session.user().user_id,
        is_first=not pair.is_accepted,
    )


def _planned_cycle(cycle_id: str, limit: int = 1) -> tuple[dict[str, Any], User]:
    """Return a dry or held cycle with its user, if the visitor may see it."""
    app = core()
    try:
        cycle = reporting.cycle_detail(app, cycle_id, limit=limit)
        owner = people.user_by_email(app.database, cycle["user"])
    except UsageError:
        abort(404)
    session.require_owner(owner.user_id)
    if not (cycle["dry_run"] or cycle["state"] == "held"):
        abort(404)
    return cycle, owner


def _order(kind: str, what: str, detail: dict[str, Any] | None = None) -> Response:
    who = session.user()
    order_id = ordering.place(core(), who, kind, what, actor=who.email, detail=detail)
    return redirect(url_for("orders.show", order_id=order_id))


def _back() -> Response:
    return redirect(url_for("options.general"))
