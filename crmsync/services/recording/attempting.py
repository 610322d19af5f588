"""One cycle of mail as the services run it: wired, run, and its requests counted."""

from __future__ import annotations

from crmsync.engine.report import CycleReport
from crmsync.services.app import App
from crmsync.services.recording import cycle
from crmsync.services.recording.desk import Desk, circle_of, rules_of
from crmsync.services.runs import Shape, usable_connection
from crmsync.storage.people import Pair, User
from crmsync.storage.state import SqlState


class MailRun:
    """A cycle over one mailbox, ready to be run."""

    def __init__(self, desk: Desk, shape: Shape) -> None:
        """Run at `desk` what `shape` says."""
        self._desk = desk
        self._shape = shape

    @property
    def requests(self) -> dict[str, int]:
        """How many requests were made so far, by side."""
        desk = self._desk
        return {"google": desk.mailbox.requests, "crm": desk.crm.requests}

    def run(self) -> CycleReport:
        """Run the cycle, or its next slice; a dry run writes nothing (ENG-7)."""
        if self._shape.is_dry:
            return cycle.preview(self._desk)
        return cycle.run(self._desk, self._shape.is_over)


def desk_of(app: App, user: User, pair: Pair, state: SqlState) -> Desk:
    """Return what recording for a user works with; nothing is requested yet.

    Raises:
        ReconnectNeeded: if Google Mail is not authorised, or its grant is dead.
        PermissionMissing: if its scope was not granted (AUTH-5).
    """
    connection = usable_connection(app, user, pair.kind)
    return Desk(
        app=app,
        user=user,
        pair=pair,
        database=state.database,
        lease=state.lease,
        cycle_id=state.cycle_id,
        mailbox=app.google.mailbox(connection),
        crm=app.crm.mail(user),
        files=app.files,
        circle=circle_of(app, user),
        rules=rules_of(app, user),
    )


def mail_run(
    app: App, user: User, pair: Pair, state: SqlState, shape: Shape
) -> MailRun:
    """Wire a cycle of mail; raises as `desk_of`."""
    return MailRun(desk_of(app, user, pair, state), shape)
