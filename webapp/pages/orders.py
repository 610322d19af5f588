"""Orders: what a person asked for and a worker carries out (decision 8)."""

from __future__ import annotations

from typing import Any

from flask import (
    Blueprint,
    abort,
    jsonify,
    redirect,
    render_template,
    url_for,
)
from werkzeug.wrappers import Response

from crmsync.errors import UsageError
from crmsync.services import ordering
from crmsync.services.ordering import PlacedOrder
from webapp import session
from webapp.wiring import core

pages = Blueprint("orders", __name__, url_prefix="/orders")

WORK = {
    "preview": "Working out what the next cycle would do",
    "accept": "Starting the first cycle",
    "approve": "Carrying out the plan you approved",
    "reject": "Rejecting the plan",
    "restore": "Bringing the value back",
}


@pages.get("/<order_id>")
def show(order_id: str) -> Any:
    """Show that work is going on; when it is done, go to what came of it."""
    order = _own(order_id)
    if order.state == "done":
        return redirect(result_url(order))
    return render_template("order.html", order=order, work=WORK.get(order.what, ""))


@pages.get("/<order_id>.json")
def state(order_id: str) -> Response:
    """Return an order's state for the page's script."""
    order = _own(order_id)
    return jsonify(
        {
            "id": order.order_id,
            "state": order.state,
            "is_over": order.is_over,
            "next": result_url(order) if order.state == "done" else None,
            "error": order.error,
        }
    )


def _own(order_id: str) -> PlacedOrder:
    try:
        order = ordering.look(core(), order_id)
    except UsageError:
        abort(404)
    session.require_owner(order.user_id)
    return order


def result_url(order: PlacedOrder) -> str:
    """Return the page of the cycle that an order led to."""
    if order.what == ordering.What.PREVIEW.value:
        return url_for("options.preview", cycle_id=order.cycle_id)
    if order.cycle_id:
        return url_for("history.detail", cycle_id=order.cycle_id, done=order.what)
    return url_for("options.general")
