"""Known bugs of such engines, as patches to the real one (guarantees, section 1.6).

Each is a list of (file, old text, new text); a patch whose old text is gone fails. A
mutant runs in a process of its own, over a patched copy of the package, until the
simulation finds it.

Usage: python -m tests.support.mutants NAME [SCHEDULES]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
FOUND, NOT_FOUND = 0, 9
Patch = tuple[str, str, str]

_NO_ADOPTION: Patch = (
    "cycle/settling.py",
    "elif made is not None:",
    "elif False:",
)

CALENDAR: dict[str, tuple[Patch, ...]] = {
    "occurrence_of_a_leaving_series": (
        (
            "cycle/twinning.py",
            "        if parent.link_id in self.parents.leaving:\n",
            "        if False:\n",
        ),
    ),
    "parted_occurrence_is_unknown": (
        (
            "cycle/outcomes.py",
            "if side is SideName.GOOGLE and not self.run.kind.has_label:",
            "if False:",
        ),
    ),
    "fork_is_imported_again": (
        (
            "engine/activities.py",
            "steps = Steps(ignore_google=True, alone=True, restage_crm=True)",
            "steps = Steps(alone=True, restage_crm=True)",
        ),
    ),
    "completed_comes_back": (
        (
            "engine/activities.py",
            "    steps = Steps(ignore_google=True, ignore_crm=_is_occurrence(facts))\n",
            "    steps = Steps()\n",
        ),
    ),
    "import_is_like_any_other": (
        (
            "engine/activities.py",
            "    if role is Role.IMPORTED:\n        return _reconcile_imported(",
            "    if role is Role.COPY and False:\n        return _reconcile_imported(",
        ),
    ),
    "first_cycle_tells": (
        (
            "cycle/notifying.py",
            "is_early = is_backlog or run.is_first",
            "is_early = False",
        ),
    ),
    "delete_beats_edit": (
        (
            "engine/activities.py",
            "if not _is_edited(facts, survivor, table) and not",
            "if True or not",
        ),
    ),
    "cancelled_wins": (
        (
            "engine/activities.py",
            '    if "cancelled" not in table.names:\n',
            "    if True:\n",
        ),
    ),
}
"""Known bugs of calendars; the stories of calendars find them."""

MUTANTS: dict[str, tuple[Patch, ...]] = {
    **CALENDAR,
    "no_base": (
        (
            "engine/merge.py",
            "    if not crm_changed and not google_changed:",
            "    crm_changed = False\n    if not crm_changed and not google_changed:",
        ),
    ),
    "no_ifmatch": (
        (
            "cycle/applying.py",
            "        item.etag(side),\n        item.seen(side),\n",
            '        "*",\n        {},\n',
        ),
    ),
    "delete_wins_blindly": (
        (
            "engine/reconcile.py",
            "is SideName.GOOGLE and facts.pristine",
            "is SideName.GOOGLE",
        ),
    ),
    "clear_on_error": (
        (
            "cycle/applying.py",
            "base=_base_after(item, failed), sends",
            "base=item.base, sends",
        ),
    ),
    "no_adopt": (
        _NO_ADOPTION,
        ("cycle/pairing.py", "or run.origin_of(other.key) == remote.remote_id", ""),
    ),
    "token_first": (
        (
            "cycle/reading.py",
            "        _store(run, side, page, progress, is_whole=cursor is None)\n"
            "        following",
            "        if page.cursor:\n"
            "            run.state.commit(Unit(cursors={side: page.cursor}))\n"
            "        _store(run, side, page, progress, is_whole=cursor is None)\n"
            "        following",
        ),
    ),
    "delete_no_etag": (
        (
            "cycle/removing.py",
            "return item.steps.delete_crm if is_crm else item.steps.delete_google\n",
            "return False\n",
        ),
    ),
    "no_key": (
        _NO_ADOPTION,
        ("cycle/settling.py", "not _has_waited(run, waiting)", "False"),
    ),
    "base_is_now": (
        (
            "cycle/applying.py",
            "    base = item.base\n    if is_crm and made.values",
            "    base = item.base\n"
            "    if not is_crm:\n"
            "        now = run.crm.fetch([crm_id])[crm_id]\n"
            "        base = Base(now.values, base.google)\n"
            "    if is_crm and made.values",
        ),
    ),
    "no_full_deletes": (
        (
            "cycle/reading.py",
            "    if cursor is None:\n        _store_absent",
            "    if False:\n        _store_absent",
        ),
    ),
    "no_inflight": (
        (
            "engine/reconcile.py",
            "link, disputed = settle_sends(facts.link, facts, table)",
            "link, disputed = replace(facts.link, sends=()), set[str]()",
        ),
    ),
    "adopt_base_is_remote": (
        (
            "cycle/settling.py",
            "            base=item.base,\n",
            "            base=type(item.base)(\n"
            "                item.base.crm if not is_crm\n"
            "                else run.crm.fetch([remote_id])[remote_id].values,\n"
            "                item.base.google if is_crm\n"
            "                else run.google.fetch([remote_id])[remote_id].values,\n"
            "            ),\n",
        ),
    ),
    "one_inflight": (
        (
            "engine/reconcile.py",
            "    for sent in link.sends:\n",
            "    for sent in link.sends[-1:]:\n",
        ),
    ),
    "no_tombstones": (
        (
            "cycle/settling.py",
            "for key, r in run.crm.lookup(keys).items()}",
            "for key, r in run.crm.lookup(keys).items() if not r.is_gone}",
        ),
        (
            "cycle/applying.py",
            "if outcome.remote.is_gone or",
            "if not outcome.remote.is_gone and",
        ),
    ),
    # Our own: bugs that the simulation found, or that it must find.
    "no_confirmation": (
        (
            "cycle/planning.py",
            "if unsure or _is_out(subject.crm) or _is_out(subject.google):",
            "if unsure or _is_out(subject.crm):",
        ),
    ),
    "no_parting": (
        (
            "cycle/removing.py",
            "        unit.directory.append(_parted(run, item))\n",
            "",
        ),
    ),
    "late_is_now": (
        (
            "cycle/reading.py",
            "    return record.stamp < stamp",
            "    return False",
        ),
    ),
    "no_waiting": (("cycle/settling.py", "progress.waiting.add(origin)", "pass"),),
    "blank_base_at_linking": (
        ("engine/reconcile.py", 'NEVER = "\\ufdd0"', 'NEVER = ""'),
    ),
    "loser_is_forgotten": (
        (
            "engine/merge.py",
            "        lost = _of(versions, lost_side)\n",
            "        lost = None\n",
        ),
    ),
    "select_after_linking": (
        (
            "engine/reconcile.py",
            "select_google=not google.is_selected",
            "select_google=False",
        ),
    ),
    "half_is_whole": (
        (
            "cycle/applying.py",
            '                sends.append(Sent(side, "", {}, {}))\n',
            "                pass\n",
        ),
    ),
    "fetched_is_forgotten": (
        (
            "cycle/planning.py",
            "            draft.stage.append(new)\n",
            "            pass\n",
        ),
    ),
    "adopted_without_a_look": (
        (
            "cycle/settling.py",
            "run.state.commit(Unit(links=tuple(links), items=done, stage=tuple(now)))",
            "run.state.commit(Unit(links=tuple(links), items=done))",
        ),
    ),
    # Two workers, listings in disorder, records that are refused.
    "commit_without_proof": (
        (
            "storage/leases.py",
            "    if pair.rowcount != 1:\n",
            "    if False:\n",
        ),
        (
            "storage/leases.py",
            "    if account.rowcount != 1:\n",
            "    if False:\n",
        ),
    ),
    "same_token_again": (
        (
            "storage/leases.py",
            "token = pair.lease_token + 1",
            "token = pair.lease_token",
        ),
        (
            "storage/leases.py",
            "token = int(found.lease_token) + 1",
            "token = int(found.lease_token)",
        ),
    ),
    "open_without_proof": (
        (
            "storage/cycles.py",
            "        prove(connection, lease, now)\n"
            "        abandon(connection, lease.pair_id, now)\n"
            "        pair =",
            "        abandon(connection, lease.pair_id, now)\n        pair =",
        ),
    ),
    "sent_again_as_it_is_now": (
        (
            "cycle/pairing.py",
            "item = replace(earlier, state=ItemState.PLANNED, reason=",
            "item = plan_create(earlier.item_id, remote, run.values(remote),\n"
            "            run.table, earlier.key)\n"
            "        item = replace(item, sent_at=earlier.sent_at,\n"
            "            clean_reads=earlier.clean_reads, reason=",
        ),
    ),
    "write_without_proof": (("cycle/outcomes.py", "        run.state.renew()\n", ""),),
    "twice_in_one_page": (
        (
            "cycle/reading.py",
            "    records = _once(page.records)\n",
            "    records = page.records\n",
        ),
    ),
    "last_listed_is_newest": (
        (
            "cycle/reading.py",
            "if known is None or not is_stale(record, known.stamp):",
            "if True:",
        ),
    ),
    "extras_are_not_looked_at": (
        (
            "cycle/removing.py",
            "has_more = run.kind.has_label and bool(remote.extras) "
            "and not is_deleted_anyway",
            "has_more = False",
        ),
    ),
    "put_off_is_listed_again": (
        (
            "cycle/reading.py",
            "    return shown == known and bool(record.etag or record.is_gone)\n",
            "    return False\n",
        ),
    ),
    "refused_for_ever": (
        (
            "cycle/outcomes.py",
            "            self.postponed += postpone(self.run, records)\n",
            "",
        ),
    ),
    "no_bound": (
        (
            "engine/guard.py",
            "    if removed > max(bound,",
            "    if False and removed > max(bound,",
        ),
        (
            "engine/guard.py",
            "    if totals.removals > max(bound,",
            "    if False and totals.removals > max(bound,",
        ),
    ),
}


def patched_copy(name: str, folder: Path) -> None:
    """Write a copy of the package and of the tests' support with the bug in it."""
    for package in ("crmsync", "tests"):
        shutil.copytree(
            ROOT / package,
            folder / package,
            ignore=shutil.ignore_patterns("__pycache__", "data", "connectors"),
        )
    for file, old, new in MUTANTS[name]:
        path = folder / "crmsync" / file
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(
                f"{name}: the text to patch stands {text.count(old)} times"
            )
        path.write_text(text.replace(old, new), encoding="utf-8")


TOLD_BY = {
    "adopt_base_is_remote": 61,
    "adopted_without_a_look": 20,
    "base_is_now": 41,
    "blank_base_at_linking": 1261,
    "delete_no_etag": 1238,
    "extras_are_not_looked_at": 2269,
    "fetched_is_forgotten": 2879,
    "half_is_whole": 120,
    "last_listed_is_newest": 3031,
    "no_bound": 42,
    "no_confirmation": 1374,
    "no_inflight": 31,
    "no_parting": 63,
    "no_tombstones": 1142,
    "one_inflight": 1454,
    "open_without_proof": 62,
    "put_off_is_listed_again": 827,
    "sent_again_as_it_is_now": 7539,
    "token_first": 51,
    "twice_in_one_page": 301,
    "write_without_proof": 2003,
}
"""Stories that are known to find a bug late in the row; they are told first."""


def hunt(name: str, schedules: int) -> str:
    """Run a mutant until it is found; return what the simulation said.

    Raises:
        AssertionError: if the bug was not found.
    """
    with TemporaryDirectory() as folder:
        patched_copy(name, Path(folder))
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.mutants", name, str(schedules)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == FOUND, f"{name} was not found: {done.stderr[-2000:]}"
    return done.stdout.strip()


def _tell_in_database(seed: int) -> None:
    from tests.support.sql_state import simulate_in_database

    with TemporaryDirectory() as folder:
        simulate_in_database(seed, f"sqlite:///{folder}/state.db")


def main() -> int:
    """Simulate inside the patched copy until an invariant breaks.

    A bug of the database's state is hunted over a database, the others in memory.
    """
    from tests.support import calendar_story
    from tests.support.simulation import simulate

    name, schedules = sys.argv[1], int(sys.argv[2])
    in_database = any(file.startswith("storage/") for file, _, _ in MUTANTS[name])
    tell: Callable[[int], object] = _tell_in_database if in_database else simulate
    if name in CALENDAR:
        tell = calendar_story.simulate
    known = TOLD_BY.get(name)
    first = [known] if known is not None and known < schedules else []
    for seed in (*first, *range(schedules)):
        try:
            tell(seed)
        except AssertionError as error:
            print(f"{name}: seed {seed}: {str(error).splitlines()[0][:100]}")  # noqa: T201  its answer
            return FOUND
    return NOT_FOUND


if __name__ == "__main__":
    raise SystemExit(main())
