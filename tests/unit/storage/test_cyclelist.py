"""Sync History lists cycles by reads of indexes, page by page (HIS-1)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from crmsync.storage import cyclelist
from crmsync.storage import tables as t
from crmsync.storage.cyclelist import CycleQuery, Place
from crmsync.storage.database import Database, make_database
from tests.conftest import NewUrl

pytestmark = pytest.mark.rule("HIS-1")

BEGIN = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
USERS = ("u1", "u2", "u3")
KINDS = ("calendar", "contacts", "mail", "tasks")
STATES = ("failed", "held", "partial", "succeeded")
BUCKETS = {
    "job": tuple(f"{user}:{kind}" for kind in KINDS for user in USERS),
    "user": USERS,
    "kind": KINDS,
    "state": STATES,
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("cycles")
    made = make_database(f"sqlite:///{folder / 'data.db'}")
    t.metadata.create_all(made.engine)
    with made.write() as connection:
        fill(connection)
        connection.execute(text("ANALYZE"))
    yield made
    made.close()


def fill(connection: Any) -> None:
    connection.execute(
        t.users.insert(),
        [
            {"id": user, "email": f"{user}@x.example", "created_at": BEGIN}
            for user in USERS
        ],
    )
    pairs = list(itertools.product(USERS, KINDS))
    connection.execute(
        t.pairs.insert(),
        [{"id": f"{u}:{k}", "user_id": u, "kind": k} for u, k in pairs],
    )
    connection.execute(t.cycles.insert(), [cycle(n, pairs) for n in range(600)])


def cycle(number: int, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    user, kind = pairs[(number * 7) % len(pairs)]
    # Several cycles start in the same moment, so that the id has to decide.
    started = BEGIN + timedelta(minutes=number // 3)
    return {
        "id": f"c{number:05}",
        "pair_id": f"{user}:{kind}",
        "user_id": user,
        "kind": kind,
        "state": STATES[number % 11 % len(STATES)],
        "started_at": started,
        "finished_at": started + timedelta(seconds=number % 5),
        "changes": number % 4,
        "duration_ms": number % 5 * 1000,
        "has_errors": number % 13 == 0,
        "has_conflicts": number % 17 == 0,
        "is_quiet": number % 5 != 0,
    }


def query_for(sort: str, **wishes: Any) -> CycleQuery:
    return CycleQuery(sort=sort, buckets=BUCKETS.get(sort, ()), **wishes)


WISHES: list[dict[str, Any]] = [
    {},
    {"user_id": "u2"},
    {"state": "failed"},
    {"kind": "mail"},
    {"user_id": "u1", "kind": "contacts"},
    {"user_id": "u1", "state": "held"},
    {"has_errors": True},
    {"has_conflicts": True, "user_id": "u3"},
    {"quiet": False},
    {"pair_ids": ("u1:contacts", "u2:mail", "u3:tasks")},
    {"pair_ids": ()},
    {"since": BEGIN + timedelta(minutes=50), "until": BEGIN + timedelta(minutes=90)},
]


def expected(database: Database, query: CycleQuery) -> list[str]:
    """Sort and filter in Python what the whole table holds."""
    with database.read() as connection:
        rows = list(connection.execute(t.cycles.select()))
    kept = [row for row in rows if fits(row, query)]
    if query.sort in BUCKETS:
        kept.sort(key=lambda row: (row.started_at, row.id), reverse=True)
        column = {"job": "pair_id", "user": "user_id"}.get(query.sort, query.sort)
        order = BUCKETS[query.sort]
        turn = -1 if query.is_descending else 1
        kept.sort(key=lambda row: turn * order.index(getattr(row, column)))
    else:
        columns = {"started": "started_at", "duration": "duration_ms"}
        column = columns.get(query.sort, query.sort)
        kept.sort(
            key=lambda row: (getattr(row, column), row.id), reverse=query.is_descending
        )
    return [row.id for row in kept]


def fits(row: Any, query: CycleQuery) -> bool:
    return all(
        (
            query.user_id in {"", row.user_id},
            query.kind in {"", row.kind},
            query.state in {"", row.state},
            query.pair_ids is None or row.pair_id in query.pair_ids,
            not query.has_errors or row.has_errors,
            not query.has_conflicts or row.has_conflicts,
            query.quiet in {None, row.is_quiet},
            query.since is None or row.started_at >= query.since,
            query.until is None or row.started_at < query.until,
        )
    )


@pytest.mark.parametrize("is_descending", [True, False])
@pytest.mark.parametrize("sort", cyclelist.SORTS)
@pytest.mark.parametrize("wishes", WISHES, ids=str)
def test_walking_page_by_page_shows_every_cycle_once_and_in_order(
    database: Database, sort: str, wishes: dict[str, Any], is_descending: bool
) -> None:
    query = query_for(sort, is_descending=is_descending, **wishes)
    whole = expected(database, query)

    there: list[str] = []
    place: Place | None = None
    while rows := cyclelist.page(database, query, place, limit=37):
        there += [row.id for row in rows]
        place = cyclelist.place_of(query, rows[-1])

    assert there == whole
    back: list[str] = []
    while place and (
        rows := cyclelist.page(database, query, place, backwards=True, limit=41)
    ):
        back = [row.id for row in rows] + back
        place = cyclelist.place_of(query, rows[0])
    assert back == whole[:-1]


@pytest.mark.parametrize("sort", cyclelist.SORTS)
@pytest.mark.parametrize(
    "wishes", [wish for wish in WISHES if "since" not in wish], ids=str
)
def test_no_page_reads_or_sorts_the_whole_table(
    database: Database, sort: str, wishes: dict[str, Any]
) -> None:
    query = query_for(sort, **wishes)
    # What one filter has left over may be sorted by a measure; nothing else may.
    is_narrowed = bool(set(wishes) - {"user_id", "quiet"}) or len(wishes) > 1
    rows = cyclelist.page(database, query, limit=2)
    place = cyclelist.place_of(query, rows[-1]) if rows else None

    for at in (None, place):
        for plan in plans(database, cyclelist.explain(database, query, at)):
            assert "SCAN cycle\n" not in plan, plan
            if not is_narrowed or sort not in {"duration", "changes"}:
                assert "TEMP B-TREE" not in plan, plan


@pytest.mark.parametrize("sort", cyclelist.SORTS)
def test_either_database_lists_the_same(new_url: NewUrl, sort: str) -> None:
    made = make_database(new_url())
    t.metadata.create_all(made.engine)
    with made.write() as connection:
        fill(connection)
    for wishes in ({}, {"user_id": "u2"}, {"has_errors": True}, {"quiet": False}):
        query = query_for(sort, **wishes)
        seen: list[str] = []
        place: Place | None = None
        while rows := cyclelist.page(made, query, place, limit=70):
            seen += [row.id for row in rows]
            place = cyclelist.place_of(query, rows[-1])
        assert seen == expected(made, query)
    told = cyclelist.quiet_between(made, query_for("started"), None, None)
    assert told is not None
    assert told.first_at < told.last_at
    made.close()


def plans(database: Database, statements: list[Any]) -> Iterator[str]:
    with database.read() as connection:
        for statement in statements:
            compiled = statement.compile(
                database.engine, compile_kwargs={"render_postcompile": True}
            )
            processors = compiled._bind_processors
            given = {
                name: processors[name](value) if name in processors else value
                for name, value in compiled.params.items()
            }
            names = compiled.positiontup or []
            rows = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {compiled.string}",
                tuple(given[name] for name in names),
            )
            yield "".join(f"{row[3]}\n" for row in rows)


def test_an_ordering_that_has_no_index_is_noticed(database: Database) -> None:
    by_pair = t.cycles.select().order_by(t.cycles.c.objection).limit(50)

    (plan,) = plans(database, [by_pair])

    assert "SCAN cycle\n" in plan
    assert "TEMP B-TREE" in plan


@pytest.mark.parametrize("is_descending", [True, False])
def test_cycles_without_a_change_are_counted_between_two_places(
    database: Database, is_descending: bool
) -> None:
    query = query_for("started", is_descending=is_descending, user_id="u1")
    loud = cyclelist.page(database, replace(query, quiet=False), limit=500)
    quiet = expected(database, replace(query, quiet=True))

    places = [None, *(cyclelist.place_of(query, row) for row in loud), None]
    counted = [
        cyclelist.quiet_between(database, query, *pair)
        for pair in itertools.pairwise(places)
    ]

    assert sum(found.count for found in counted if found) == len(quiet)
    assert max(found.count for found in counted if found) > 1
    for found in counted:
        assert found is None or found.first_at <= found.last_at
