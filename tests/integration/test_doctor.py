"""`doctor` finds each seeded fault and says what to do (RUN-3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text, update

from cli.redis_server import find_server
from crmsync.bootstrap import make_patient
from crmsync.config import load_config
from crmsync.errors import ConfigError
from crmsync.services import accounts, diagnosing
from crmsync.services.diagnosing import Finding, Verdict
from crmsync.storage import tables as t
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.product import Product


@pytest.fixture(scope="module")
def box() -> Iterator[SandboxServer]:
    options = ("--quota", "off", "--delay", "0", "--account", ANNA)
    with SandboxServer(*options) as server:
        yield server


@pytest.fixture
def product(tmp_path: Path, box: SandboxServer) -> Iterator[Product]:
    made = Product(tmp_path, box.url)
    accounts.add_user(made.app, ANNA, name="Anna", is_admin=True)
    yield made
    made.close()


def examine(
    product: Product, find_redis: Callable[[], str] = find_server, **variables: Any
) -> dict[str, Finding]:
    config = load_config({**product.variables, **variables})
    with make_patient(config, find_redis) as patient:
        return {f.name: f for f in diagnosing.examine(patient)}


def no_server() -> str:
    raise ConfigError("REDIS_URL is not set and no Redis server is installed.")


@pytest.mark.rule("RUN-3")
def test_a_healthy_installation_has_nothing_wrong(product: Product) -> None:
    found = examine(product)

    assert len(found) >= 10
    assert [f for f in found.values() if f.verdict is Verdict.WRONG] == []


FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "public address": (
        "public address", {"public_url": "http://crm.example.com"}, "https",
    ),
    "path": ("public address", {"public_url": "https://crm.example.com/x"}, "path"),
    "no client": (
        "google client",
        {"google_client_id": "", "google_client_secret": ""},
        "OAuth client",
    ),
    "wrong client": (
        "google client", {"google_client_id": "nobody.example"}, "GOOGLE_CLIENT_ID",
    ),
    "no google": (
        "google client", {"google_root_url": "http://127.0.0.1:9"}, "GOOGLE_ROOT_URL",
    ),
    "redis away": (
        "redis", {"redis_url": "redis://127.0.0.1:9/0"}, "REDIS_URL",
    ),
    "no database": (
        "database",
        {"database_url": "postgresql+psycopg://nobody@127.0.0.1:9/none"},
        "DATABASE_URL",
    ),
    "wrong key": ("secrets", {"token_keys": "no-key"}, "TOKEN_KEYS"),
}  # fmt: skip


@pytest.mark.rule("RUN-3", "HIS-5")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_found_with_its_remedy(product: Product, fault: str) -> None:
    name, variables, remedy = FAULTS[fault]

    finding = examine(product, **variables)[name]

    assert finding.verdict is Verdict.WRONG
    assert remedy in f"{finding.message} {finding.mend}"


@pytest.mark.rule("RUN-3")
def test_a_missing_redis_server_is_found(product: Product) -> None:
    assert examine(product, no_server)["redis"].verdict is Verdict.WRONG
    assert examine(product)["redis"].verdict is Verdict.DOUBTFUL


@pytest.mark.rule("RUN-3", "AUTH-6")
def test_secrets_that_others_can_read_are_found(product: Product) -> None:
    (product.app.config.instance_path / "token-keys").chmod(0o644)

    finding = examine(product)["secrets"]

    assert finding.verdict is Verdict.WRONG
    assert "chmod 600" in finding.mend


@pytest.mark.rule("RUN-3")
def test_an_older_and_a_newer_database_are_told_apart(product: Product) -> None:
    database = product.app.database
    for version, remedy in (("2099_later", "later version"), (None, "db upgrade")):
        with database.write() as connection:
            if version is None:
                connection.execute(text("DELETE FROM alembic_version"))
            else:
                connection.execute(
                    text("UPDATE alembic_version SET version_num = :v"),
                    {"v": version},
                )
        finding = examine(product)["database"]
        assert finding.verdict is Verdict.WRONG
        assert remedy in f"{finding.message} {finding.mend}"


@pytest.mark.rule("RUN-3", "AUTH-6", "AUTH-7")
def test_unreadable_and_dead_grants_are_found(product: Product) -> None:
    user = product.add_user("ben@shop.example")
    product.connect(user, ANNA)
    other = Fernet.generate_key().decode()

    unreadable = examine(product, token_keys=other)["connections"]
    with product.app.database.write() as connection:
        connection.execute(update(t.connections).values(state="dead"))
    dead = examine(product)["connections"]

    assert (unreadable.verdict, dead.verdict) == (Verdict.WRONG, Verdict.DOUBTFUL)
    assert "TOKEN_KEYS" in unreadable.mend
    assert ANNA in dead.message


@pytest.mark.rule("RUN-3", "ADM-1")
def test_an_installation_without_an_admin_is_found(product: Product) -> None:
    with product.app.database.write() as connection:
        connection.execute(update(t.users).values(is_admin=False))

    assert "user add" in examine(product)["users"].mend


@pytest.mark.rule("RUN-3")
def test_a_wrong_clock_is_found(product: Product, box: SandboxServer) -> None:
    box.advance(600)
    try:
        finding = examine(product)["clock"]
    finally:
        box.advance(-600)

    assert finding.verdict is Verdict.WRONG
    assert "time synchronisation" in finding.mend
