"""An iCalendar file into an account: events into the calendar, to-dos into tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.errors import ApiError
from sandbox.load import ical_tasks
from sandbox.load.ical_events import Loader, order
from sandbox.load.icalendar_text import (
    BrokenComponent,
    Part,
    component,
    decoded,
    parts,
)
from sandbox.load.loader import Report

if TYPE_CHECKING:
    from sandbox.app import Sandbox


def load_calendar(sandbox: Sandbox, account: str, data: bytes) -> Report:
    """Load all components; each is added, known already, or refused with a reason."""
    report = Report()
    found, zones = parts(decoded(data))
    read: list[tuple[Part, Any]] = []
    for part in found:
        try:
            read.append((part, component(part, zones)))
        except BrokenComponent as error:
            _refuse(report, part, error)
    events = [pair for pair in read if pair[0].kind == "VEVENT"]
    rest = [pair for pair in read if pair[0].kind != "VEVENT"]
    events.sort(key=lambda pair: order(pair[1]))
    desk = sandbox.events.desk
    with desk.turn():
        loader = Loader(desk, sandbox.events.copies, desk.primary(account))
        home = loader.shelf.info.zone
        for part, one in events:
            try:
                _count(report, is_new=loader.add(part, one))
            except (BrokenComponent, ApiError) as error:
                _refuse(report, part, error)
    board = sandbox.tasks.board(account)
    with board.turn():
        for part, one in rest:
            try:
                _check_kind(part)
                _count(report, is_new=ical_tasks.add(board, part, one, home))
            except (BrokenComponent, ApiError) as error:
                _refuse(report, part, error)
    report.refused.sort(key=lambda refusal: refusal["line"])
    return report


def _check_kind(part: Part) -> None:
    if part.kind != "VTODO":
        raise BrokenComponent(f"a {part.kind} has no place in Google")


def _count(report: Report, *, is_new: bool) -> None:
    if is_new:
        report.added += 1
    else:
        report.known += 1


def _refuse(report: Report, part: Part, error: Exception) -> None:
    report.refused.append({"line": part.line, "reason": str(error)})
