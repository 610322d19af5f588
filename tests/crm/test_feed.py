from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Engine

from crm import contacts, feed, groups, lookup, merging
from crm.errors import NotFound, VersionMismatch
from crm.feed import Change, ChangeKind
from tests.crm.builders import RULE, all_changes, make_contact, make_contacts


class Follower:
    """A reader that knows the CRM from its feed only."""

    def __init__(self) -> None:
        self.cursor = 0
        self.live: dict[str, int] = {}
        self.members: set[tuple[str, str]] = set()
        self.seen: list[int] = []

    def follow(self, conn: Connection, limit: int) -> bool:
        """Read one page; False once the end is reached."""
        page, self.cursor = feed.changes_since(conn, self.cursor, limit=limit)
        versions = {
            row.id: row.version
            for row in contacts.read(conn, [change.contact_id for change in page])
        }
        for change in page:
            self._apply(change, versions)
        return len(page) == limit

    def _apply(self, change: Change, versions: dict[str, int]) -> None:
        self.seen.append(change.seq)
        pair = (change.group_id or "", change.contact_id)
        if change.kind is ChangeKind.UPSERT:
            self.live[change.contact_id] = versions[change.contact_id]
        elif change.kind is ChangeKind.DELETE:
            self.live.pop(change.contact_id, None)
        elif change.is_member:
            self.members.add(pair)
        else:
            self.members.discard(pair)


def state_of(conn: Connection) -> tuple[dict[str, int], set[tuple[str, str]]]:
    live = {row.id: row.version for row in lookup.page(conn, limit=10_000)}
    members = {
        (group.id, contact_id)
        for group in groups.list_all(conn)
        for contact_id in groups.members(conn, group.id, limit=10_000)
    }
    return live, members


def assert_in_step(follower: Follower, conn: Connection) -> None:
    while follower.follow(conn, 7):
        pass
    assert (follower.live, follower.members) == state_of(conn)
    assert follower.seen == sorted(set(follower.seen))


class FeedMachine(RuleBasedStateMachine):
    """Whoever follows the feed, at whatever moments, knows the state (decision 3)."""

    people = Bundle("people")

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.conn = engine.connect()
        self.groups = [groups.create(self.conn, name).id for name in ("One", "Two")]
        self.follower = Follower()

    @rule(target=people, company=st.sampled_from(["", "Engines", "Mills"]))
    def create(self, company: str) -> str:
        return make_contact(self.conn, company=company).id

    @rule(person=people, title=st.sampled_from(["", "Lady", "Dr"]))
    def update(self, person: str, title: str) -> None:
        contacts.update(self.conn, person, changes={"title": title})

    @rule(person=consumes(people))
    def delete(self, person: str) -> None:
        contacts.delete(self.conn, person)

    @rule(keep=people, lose=consumes(people))
    def merge(self, keep: str, lose: str) -> None:
        if keep == lose:
            contacts.delete(self.conn, lose)
        else:
            try:
                merging.merge(self.conn, keep, lose_id=lose)
            except NotFound:
                contacts.delete(self.conn, lose)

    @rule(person=people, which=st.integers(0, 1))
    def join(self, person: str, which: int) -> None:
        groups.add_members(self.conn, self.groups[which], contact_ids=[person])

    @rule(person=people, which=st.integers(0, 1))
    def leave(self, person: str, which: int) -> None:
        groups.remove_members(self.conn, self.groups[which], contact_ids=[person])

    @rule(limit=st.integers(1, 4))
    def read(self, limit: int) -> None:
        self.follower.follow(self.conn, limit)

    @invariant()
    def numbers_are_behind_the_counter(self) -> None:
        assert self.follower.cursor <= feed.current_cursor(self.conn)

    def teardown(self) -> None:
        assert_in_step(self.follower, self.conn)
        assert_in_step(Follower(), self.conn)
        self.conn.close()


@pytest.mark.timeout(120)
def test_whoever_follows_the_feed_knows_the_state(engine: Engine) -> None:
    class OnThisDatabase(FeedMachine):
        def __init__(self) -> None:
            super().__init__(engine)

    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(max_examples=40, stateful_step_count=25, deadline=None),
    )


def test_an_empty_crm_has_an_empty_feed(conn: Connection) -> None:
    assert feed.current_cursor(conn) == 0
    assert feed.changes_since(conn, 0) == ([], 0)


def test_changes_come_in_order_and_each_record_once_at_its_last_place(
    conn: Connection,
) -> None:
    one, two = make_contacts(conn, 2)
    contacts.update(conn, one.id, changes={"title": "x"})

    changes = all_changes(conn, limit=1)

    assert [change.contact_id for change in changes] == [two.id, one.id]
    assert [change.kind for change in changes] == [ChangeKind.UPSERT] * 2


def test_deletions_and_memberships_are_visible(conn: Connection) -> None:
    one, two = make_contacts(conn, 2)
    group = groups.create(conn, "Sync")
    groups.add_members(conn, group.id, contact_ids=[one.id, two.id])
    cursor = feed.current_cursor(conn)

    contacts.delete(conn, one.id)
    groups.remove_members(conn, group.id, contact_ids=[two.id])

    shown = [(c.contact_id, c.kind, c.is_member) for c in all_changes(conn, cursor)]
    assert shown == [
        (one.id, ChangeKind.MEMBER, False),
        (one.id, ChangeKind.DELETE, None),
        (two.id, ChangeKind.MEMBER, False),
    ]
    assert all_changes(conn, cursor, group_id=group.id) == all_changes(conn, cursor)


def test_the_current_cursor_is_behind_everything_and_before_what_follows(
    conn: Connection,
) -> None:
    make_contacts(conn, 3)
    cursor = feed.current_cursor(conn)

    assert feed.changes_since(conn, cursor) == ([], cursor)
    later = make_contact(conn)
    page, end = feed.changes_since(conn, cursor)

    assert [change.contact_id for change in page] == [later.id]
    assert end == feed.current_cursor(conn)


def test_a_rolled_back_write_leaves_no_trace_in_the_feed(engine: Engine) -> None:
    with engine.begin() as conn:
        kept = make_contact(conn)
    with engine.connect() as conn:
        make_contacts(conn, 3)
        conn.rollback()
    with engine.begin() as conn:
        later = make_contact(conn)

        changes = all_changes(conn)

    assert [change.contact_id for change in changes] == [kept.id, later.id]


@pytest.mark.rule("ENG-3")
def test_writers_at_once_lose_no_update_and_a_reader_misses_nothing(
    engine: Engine,
) -> None:
    writers, rounds = 4, 12
    with engine.begin() as conn:
        ids = [row.id for row in make_contacts(conn, 3)]
        group = groups.create(conn, "Sync").id

    def write(number: int) -> None:
        rng = random.Random(number)
        for step in range(rounds):
            append_mark(engine, rng.choice(ids), f"[{number}.{step}]")
            with engine.begin() as conn:
                mine = contacts.create(conn, {"last": f"{number}"}, account=RULE)
                groups.add_members(conn, group, contact_ids=[mine.id])
                if step % 3 == 0:
                    contacts.delete(conn, mine.id)

    follower = Follower()
    with ThreadPoolExecutor(writers) as pool:
        jobs = [pool.submit(write, number) for number in range(writers)]
        while not all(job.done() for job in jobs):
            with engine.connect().execution_options(reader=True) as conn:
                follower.follow(conn, 5)
        for job in jobs:
            job.result()

    with engine.connect() as conn:
        assert_in_step(follower, conn)
        marks = "".join(row.values["notes"] for row in contacts.read(conn, ids))
        versions = [row.version for row in contacts.read(conn, ids)]
    assert marks.count("[") == writers * rounds
    assert sum(versions) == len(ids) + writers * rounds


def append_mark(engine: Engine, contact_id: str, mark: str) -> None:
    """Read in one transaction, write in another, again until the version fits."""
    while True:
        with engine.connect().execution_options(reader=True) as conn:
            old = contacts.get(conn, contact_id)
        try:
            with engine.begin() as conn:
                contacts.update(
                    conn,
                    contact_id,
                    changes={"notes": old.values["notes"] + mark},
                    expected_version=old.version,
                )
        except VersionMismatch:
            continue
        return
