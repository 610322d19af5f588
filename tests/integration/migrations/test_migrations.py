"""One history over both metadatas, whole or not at all (architecture, section 7)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

import crm.tables
import crmsync
from crm import contacts
from crm.accounts import AccountRule
from crmsync import migrations
from crmsync.bootstrap import build
from crmsync.config import load_config
from crmsync.errors import ConfigError
from crmsync.storage import mailtables, tables
from crmsync.storage.cycles import empty_counts
from crmsync.storage.database import Database, make_database
from tests.conftest import NewUrl

METADATAS = [mailtables.metadata, crm.tables.metadata]
NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@pytest.fixture
def database(new_empty_url: NewUrl) -> Iterator[Database]:
    made = make_database(new_empty_url())
    yield made
    made.close()


def shape(engine: Engine) -> dict[str, Any]:
    """Describe all tables as the database shows them."""
    look = sa.inspect(engine)
    return {
        name: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in look.get_columns(name)
            ],
            "key": look.get_pk_constraint(name),
            "refers": sorted(map(str, look.get_foreign_keys(name))),
            "unique": sorted(map(str, look.get_unique_constraints(name))),
            "indexes": sorted(map(_index, look.get_indexes(name))),
        }
        for name in look.get_table_names()
        if name != "alembic_version"
    }


def _index(found: Any) -> str:
    where = {k: str(v) for k, v in found.get("dialect_options", {}).items()}
    return str({**found, "dialect_options": where})


def names(engine: Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}


def stamp(database: Database, revision: str) -> None:
    with database.write() as connection:
        connection.execute(
            sa.text("UPDATE alembic_version SET version_num = :new"), {"new": revision}
        )


def test_there_is_one_head_and_one_beginning() -> None:
    config = Config()
    config.set_main_option("script_location", migrations.LOCATION)
    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_heads() == [migrations.head()]
    assert len(scripts.get_bases()) == 1


def test_an_empty_database_is_not_current_and_an_upgraded_one_is(
    database: Database,
) -> None:
    assert migrations.current(database.engine) is None
    assert not migrations.is_current(database.engine)

    migrations.upgrade(database.engine)

    assert migrations.current(database.engine) == migrations.head()
    assert migrations.is_current(database.engine)
    assert names(database.engine) == {
        name for metadata in METADATAS for name in metadata.tables
    }


def test_a_url_is_upgraded_like_an_engine(new_empty_url: NewUrl) -> None:
    url = new_empty_url()

    migrations.upgrade(url)

    database = make_database(url)
    assert migrations.is_current(database.engine)
    database.close()


def test_the_tables_have_not_drifted_from_the_history(database: Database) -> None:
    migrations.upgrade(database.engine)

    with database.read() as connection:
        context = MigrationContext.configure(connection)
        both: Any = METADATAS  # its annotation knows only one
        assert compare_metadata(context, both) == []


def test_upgraded_tables_are_shaped_like_declared_ones(
    database: Database, new_empty_url: NewUrl
) -> None:
    migrations.upgrade(database.engine)
    declared = make_database(new_empty_url())
    for metadata in METADATAS:
        metadata.create_all(declared.engine)

    assert shape(database.engine) == shape(declared.engine)
    declared.close()


def test_down_and_up_again_ends_in_the_same_shape(database: Database) -> None:
    migrations.upgrade(database.engine)
    before = shape(database.engine)

    migrations.downgrade(database.engine)
    assert names(database.engine) == set()
    assert migrations.current(database.engine) is None

    migrations.upgrade(database.engine)
    assert shape(database.engine) == before


def test_upgrading_twice_changes_nothing_and_keeps_the_rows(
    database: Database,
) -> None:
    migrations.upgrade(database.engine)
    with database.write() as connection:
        made = contacts.create(
            connection, {"last": "Byron"}, account=AccountRule(), sync_key="k"
        )
        connection.execute(
            tables.users.insert().values(id="u1", email="a@x.example", created_at=NOW)
        )
        connection.execute(
            tables.pairs.insert().values(
                id="u1:contacts", user_id="u1", kind="contacts", next_due_at=NOW
            )
        )

    migrations.upgrade(database.engine)

    with database.read() as connection:
        assert contacts.get(connection, made.id) == made
        due = connection.scalar(sa.select(tables.pairs.c.next_due_at))
    assert due == NOW


def test_cycles_that_were_there_are_measured_for_the_list(database: Database) -> None:
    migrations.upgrade(database.engine)
    plain = {
        "pair_id": "u1:contacts",
        "user_id": "u1",
        "kind": "contacts",
        "state": "succeeded",
        "started_at": NOW,
    }
    later = NOW + timedelta(seconds=1.5)
    some = {**empty_counts(), "linked": 2, "conflicts": 1}
    rows: list[dict[str, Any]] = [
        {"id": "a", "counts": some, "finished_at": later},
        {"id": "b", "counts": empty_counts(), "finished_at": NOW},
        {"id": "c", "counts": {}, "error": {"code": "x"}, "state": "failed"},
    ]
    with database.write() as connection:
        connection.execute(
            tables.users.insert().values(id="u1", email="a@x.example", created_at=NOW)
        )
        connection.execute(
            tables.pairs.insert().values(
                id="u1:contacts", user_id="u1", kind="contacts"
            )
        )
        for row in rows:
            connection.execute(tables.cycles.insert().values({**plain, **row}))

    migrations.downgrade(database.engine, "2026_11_24_alerts")
    migrations.upgrade(database.engine)

    cycle = tables.cycles.c
    measures = (cycle.changes, cycle.duration_ms, cycle.has_errors)
    with database.read() as connection:
        found = connection.execute(
            sa.select(*measures, cycle.has_conflicts, cycle.is_quiet).order_by(cycle.id)
        ).all()
    assert [tuple(row) for row in found] == [
        (2, 1500, False, True, False),
        (0, 0, False, False, True),
        (0, 0, True, False, False),
    ]


def test_foreign_keys_are_enforced_again_after_an_upgrade(database: Database) -> None:
    migrations.upgrade(database.engine)

    with (
        pytest.raises(sa.exc.IntegrityError, match=r"(?i)foreign key"),
        database.write() as connection,
    ):
        connection.execute(
            tables.pairs.insert().values(id="p", user_id="nobody", kind="contacts")
        )


def test_a_failing_upgrade_leaves_nothing_behind(database: Database) -> None:
    last = list(crm.tables.metadata.tables)[-1]
    with database.write() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {last} (id INTEGER)")

    with pytest.raises(sa.exc.DBAPIError, match="already exists"):
        migrations.upgrade(database.engine)

    assert names(database.engine) == {last}
    assert migrations.current(database.engine) is None


def test_orphans_are_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    """SQLite alone: elsewhere nobody can switch the checks off."""
    database = make_database(f"sqlite:///{tmp_path / 'orphans.db'}")
    migrations.upgrade(database.engine)
    migrations.downgrade(database.engine)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE a (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("CREATE TABLE b (a_id INTEGER REFERENCES a (id))")
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute("INSERT INTO b VALUES (1)")
        driver.execute("PRAGMA foreign_keys=ON")

    with pytest.raises(ConfigError, match="rows of b refer to rows of a"):
        migrations.upgrade(database.engine)

    assert names(database.engine) == {"a", "b"}
    database.close()


def test_a_database_of_a_later_version_is_recognised_and_left_alone(
    database: Database,
) -> None:
    migrations.upgrade(database.engine)
    assert not migrations.is_newer(database.engine)
    stamp(database, "2099_01_01_later")

    assert not migrations.is_current(database.engine)
    assert migrations.is_newer(database.engine)
    with pytest.raises(ConfigError, match="later version") as caught:
        migrations.upgrade(database.engine)
    with pytest.raises(ConfigError, match="later version"):
        migrations.downgrade(database.engine)

    assert "Install that version" in caught.value.next_step
    assert migrations.current(database.engine) == "2099_01_01_later"


@pytest.mark.rule("RUN-3")
@pytest.mark.parametrize(
    ("revision", "sentence"),
    [("", "Run: crm-sync db upgrade"), ("2099_01_01_later", "a later version")],
)
def test_the_product_starts_on_its_own_version_of_the_database_only(
    new_empty_url: NewUrl, tmp_path: Path, revision: str, sentence: str
) -> None:
    url = new_empty_url()
    config = load_config({"database_url": url, "instance_path": tmp_path / "instance"})
    if revision:
        migrations.upgrade(url)
        database = make_database(url)
        stamp(database, revision)
        database.close()

    with pytest.raises(ConfigError, match=sentence):
        build(config)


def test_a_wrong_url_is_refused_with_a_sentence() -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        migrations.upgrade("mysql://nowhere/x")


def test_two_processes_may_upgrade_at_once(new_empty_url: NewUrl) -> None:
    url = new_empty_url()
    code = f"from crmsync import migrations; migrations.upgrade({url!r})"
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
        for _ in range(2)
    ]

    errors = [run.communicate(timeout=25)[1].decode() for run in runs]

    assert [run.returncode for run in runs] == [0, 0], errors
    database = make_database(url)
    assert migrations.is_current(database.engine)
    database.close()


def test_a_second_upgrade_waits_for_the_first(database: Database) -> None:
    done: list[str | None] = []

    def upgrade() -> None:
        migrations.upgrade(database.engine)
        done.append(migrations.current(database.engine))

    with database.write():
        waiting = threading.Thread(target=upgrade)
        waiting.start()
        waiting.join(timeout=0.3)
        assert done == []

    waiting.join(timeout=20)
    assert done == [migrations.head()]


def test_the_migrations_work_outside_of_a_checkout(tmp_path: Path) -> None:
    """A copy of the packages elsewhere, as a wheel installs them."""
    source = Path(crmsync.__file__).parents[1]
    for package in ("crmsync", "crm"):
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source / package, tmp_path / package, ignore=skip)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from crmsync import migrations\n"
        f"assert migrations.__file__.startswith({str(tmp_path)!r})\n"
        f"migrations.upgrade('sqlite:///{tmp_path}/wheel.db')\n"
        "print(migrations.head())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )

    assert (done.stdout.strip(), done.stderr) == (migrations.head(), "")


def test_every_time_column_is_stored_with_its_zone_on_postgresql() -> None:
    """The history names no type of ours, so that ours may change."""
    folder = Path(migrations.__file__).parent / "versions"
    text = "".join(path.read_text() for path in folder.glob("*.py"))

    assert "sa.DateTime(timezone=True)" in text
    assert "crmsync" not in text
    assert "from crm" not in text
