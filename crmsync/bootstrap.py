"""The composition root: wires configuration, storage, connectors and services."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crmsync import migrations
from crmsync.config import Config
from crmsync.connectors.filestore import FsspecStore
from crmsync.connectors.google.oauth import OAuthClient
from crmsync.connectors.google.tokens import TokenCipher
from crmsync.connectors.postman import SmtpPostman
from crmsync.connectors.transport import Budget, Transport
from crmsync.enqueue import RedisDoorbell
from crmsync.errors import (
    ConfigError,
    CrmSyncError,
    StorageDown,
)
from crmsync.parts.builtin import BuiltinParts
from crmsync.parts.google import GoogleParts, endpoints_of
from crmsync.ports import Clock
from crmsync.services.app import (
    App,
    CrmBackend,
    SystemClock,
)
from crmsync.storage import people
from crmsync.storage.database import Database, make_database
from crmsync.storage.faults import telling_faults

if TYPE_CHECKING:
    from crmsync.services.diagnosing import Patient

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class TimeOrderedIds:
    """Identifiers that sort by time: 48 bits of milliseconds, a count, 60 random."""

    def __init__(self, clock: Clock) -> None:
        """Take time from `clock`."""
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0
        self._random = secrets.token_hex(4)

    def new(self) -> str:
        """Return an identifier greater than all before it."""
        with self._lock:
            milliseconds = int(self._clock.now().timestamp() * 1000)
            self._last = max(self._last + 1, milliseconds << 12)
            return f"{_base32(self._last)}{self._random}"


def _base32(number: int) -> str:
    letters = ""
    for _ in range(12):
        letters = _ALPHABET[number & 31] + letters
        number >>= 5
    return letters


def build(config: Config, *, clock: Clock | None = None) -> App:
    """Wire one process.

    Raises:
        ConfigError: if the configuration is wrong, or the database is older or newer
            than this version.
        StorageDown: if the database is busy or lacks room.
    """
    config.make_instance()
    clock = clock or SystemClock()
    database = make_database(
        config.database_url, busy_seconds=config.database_busy_seconds
    )
    try:
        _check_database(database)
    except CrmSyncError:
        database.close()
        raise
    cipher = TokenCipher(config.token_keys())
    ids = TimeOrderedIds(clock)
    installation = people.installation_id(database, ids.new(), clock.now())
    google = GoogleParts(config, database, cipher, clock)
    google.installation = installation

    def close() -> None:
        google.transport.close()
        database.close()

    return App(
        config=config,
        database=database,
        clock=clock,
        ids=ids,
        cipher=cipher,
        crm=_crm(config, database, installation, clock),
        google=google,
        files=FsspecStore(config.store_url()),
        doorbell=RedisDoorbell(config.redis_url),
        postman=_postman(config),
        installation=installation,
        wait=time.sleep,
        close=close,
    )


@contextmanager
def make_patient(config: Config, find_redis: Callable[[], str]) -> Iterator[Patient]:
    """Wire what `doctor` looks at; the database need not be there or current."""
    from crmsync.services.diagnosing import Patient

    clock = SystemClock()
    transport = Transport(Budget(timeout_seconds=config.http_timeout_seconds))
    oauth = None
    if config.google_client_id:
        oauth = OAuthClient(
            config.google_client_id,
            config.google_client_secret.get_secret_value(),
            endpoints=endpoints_of(config),
            transport=transport,
            clock=clock,
        )
    try:
        yield Patient(config, clock, oauth, transport, find_redis)
    finally:
        transport.close()


def _postman(config: Config) -> SmtpPostman | None:
    url = config.smtp_url.get_secret_value()
    if not url:
        return None
    if "@" not in config.mail_from:
        raise ConfigError("MAIL_FROM is not an address; SMTP_URL needs a sender.")
    return SmtpPostman(url, config.mail_from)


def _crm(
    config: Config, database: Database, installation: str, clock: Clock
) -> CrmBackend:
    if config.crm_backend == "infor":
        raise ConfigError("CRM_BACKEND=infor: this version knows only builtin so far.")
    return BuiltinParts(database, installation, clock, config.public_url)


def _check_database(database: Database) -> None:
    from sqlalchemy.exc import DBAPIError

    try:
        with telling_faults():
            is_current = migrations.is_current(database.engine)
    except StorageDown as error:
        if error.code not in {"storage_gone", "storage_damaged"}:
            raise
        cause = error.__cause__
        why = str(cause.orig if isinstance(cause, DBAPIError) else error)
        raise ConfigError(
            f"DATABASE_URL: the database cannot be opened ({why.splitlines()[0]}). "
            "See that the address is right and that its server runs."
        ) from None
    if is_current:
        return
    if migrations.is_newer(database.engine):
        raise ConfigError(
            "DATABASE_URL: a later version of CRM Sync has migrated this database. "
            "Install that version, or restore a backup from before it."
        )
    raise ConfigError(
        "DATABASE_URL: the database is older than this version, or empty. "
        "Run: crm-sync db upgrade"
    )
