"""The consistency checker: both sides and the links, read only (I1, I4 … I7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import Any

from crmsync.cycle import Run
from crmsync.cycle.kinds import KINDS
from crmsync.engine.roles import narrowed
from crmsync.errors import CrmSyncError, describe
from crmsync.records.activities import DECLINED, Role, end_of, note_of
from crmsync.records.remote import Link, Remote
from crmsync.records.values import FieldTable, SideName
from crmsync.services.app import App
from crmsync.services.runs import Shape, build_run
from crmsync.storage import history, leases, people
from crmsync.storage.people import Pair, User
from crmsync.storage.scratch import scratch_copy
from crmsync.storage.state import SqlState

_PAGE = 200


@dataclass
class Findings:
    """What the check of one pair found.

    Attributes:
        equal: links whose sides agree.
        accepted: links that differ on purpose (shortened, one way, company).
        pending: links with an edit that the next cycle carries over.
        missing: links whose record is gone on one side.
        unlinked: selected records that no link and no question accounts for.
        doubled: Google contacts that carry the key of a record linked to another.
    """

    user: str
    kind: str
    links: int = 0
    equal: int = 0
    accepted: int = 0
    pending: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    error: Mapping[str, Any] | None = None

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong; pending edits are no fault."""
        return not (self.missing or self.unlinked or self.doubled or self.error)


def check(app: App) -> dict[str, Any]:
    """Check all pairs that have links; nothing is written on either side.

    Returns:
        `ok` and, per pair, the `Findings`.
    """
    found: list[Findings] = []
    for user in people.users(app.database):
        for kind in KINDS:
            pair = people.seen_pair(app.database, user.user_id, kind)
            if people.link_count(app.database, pair.pair_id):
                found.append(_check_pair(app, user, pair))
    return {
        "ok": all(findings.is_well for findings in found),
        "pairs": [asdict(findings) for findings in found],
    }


def _check_pair(app: App, user: User, pair: Pair) -> Findings:
    findings = Findings(user.email, pair.kind)
    try:
        with scratch_copy(app.database, pair.pair_id, with_questions=True) as copy:
            people.edit_pair(copy, pair.pair_id, lease_until=None)
            now = app.clock.now()
            lease = leases.acquire(copy, pair.pair_id, "", now=now, seconds=3600)
            state = SqlState(copy, lease, "", clock=app.clock)
            run = build_run(app, user, pair, state, Shape(is_dry=True))
            memo = state.memo(SideName.GOOGLE)
            run.google.open(memo, verify=True, may_write=False)
            run.crm.open(state.memo(SideName.CRM), verify=True, may_write=False)
            _compare(state, run, findings)
            _look_for_strays(app, state, run, findings)
    except CrmSyncError as error:
        findings.error = describe(error)
    return findings


def _compare(state: SqlState, run: Run, findings: Findings) -> None:
    crm, google = run.crm, run.google
    after = ""
    while links := state.links(after, _PAGE):
        crm_now = crm.fetch([link.crm_id for link in links])
        google_now = google.fetch([link.google_id for link in links])
        for link in links:
            findings.links += 1
            one, other = crm_now[link.crm_id], google_now[link.google_id]
            if one.is_gone or other.is_gone:
                findings.missing.append(f"{link.crm_id} – {link.google_id}")
                continue
            crm_values = crm.project(one, link.base.crm)
            google_values = google.project(other, link.base.google)
            table = narrowed(run.table, Role(link.role)) if link.role else run.table
            _judge(link, table, (crm_values, google_values), findings)
        after = links[-1].link_id


def _judge(
    link: Link,
    table: FieldTable,
    values: Sequence[Mapping[str, str]],
    findings: Findings,
) -> None:
    crm_values, google_values = values
    if table.are_same(crm_values, google_values):
        findings.equal += 1
    elif table.are_same(crm_values, link.base.crm) and table.are_same(
        google_values, link.base.google
    ):
        findings.accepted += 1
    else:
        findings.pending.append(f"{link.crm_id} – {link.google_id}")


def _look_for_strays(app: App, state: SqlState, run: Run, findings: Findings) -> None:
    for page in run.google.read(None):
        ids = [remote.remote_id for remote in page.records]
        links = state.links_by(SideName.GOOGLE, ids)
        # Somebody was asked about these, has decided to leave them alone, or was told
        # that the CRM cannot hold them.
        asked = {
            *state.held(SideName.GOOGLE, ids),
            *state.choices(SideName.GOOGLE, ids),
            *history.set_aside(app.database, state.pair_id, ids),
        }
        for remote in page.records:
            if remote.remote_id not in links and not _is_left_out(run, remote):
                origin = run.origin_of(remote.key)
                _judge_stray(state, remote, findings, origin, asked)


def _is_left_out(run: Run, remote: Remote) -> bool:
    """Whether an event is one that is not synchronised by rule."""
    if run.kind.has_label:
        return False
    values = run.values(remote)
    end = end_of(values)
    return (
        remote.is_gone
        or bool(note_of(remote, "odd") or note_of(remote, "marker"))
        or values.get("answer") == DECLINED
        or bool(values.get("slot"))
        or not any(values.get(name) for name in ("start", "title"))
        or (run.since is not None and end is not None and end < run.since)
    )


def _judge_stray(
    state: SqlState,
    remote: Remote,
    findings: Findings,
    origin: str,
    asked: Set[str],
) -> None:
    if origin and state.links_by(SideName.CRM, [origin]) and remote.is_selected:
        findings.doubled.append(f"{remote.remote_id} – {origin}")
    elif remote.is_selected and remote.remote_id not in asked:
        findings.unlinked.append(remote.remote_id)
