"""`doctor`: looks at everything an installation needs and says how to mend it (RUN-3).

Each check answers by itself, so that one fault does not hide the others. Nothing is
changed anywhere.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from crmsync import enqueue, migrations
from crmsync.config import Config
from crmsync.connectors.google.oauth import OAuthClient
from crmsync.connectors.google.tokens import Grant, TokenCipher
from crmsync.connectors.transport import Transport
from crmsync.errors import ConfigError, CrmSyncError, ReconnectNeeded
from crmsync.ports import Clock
from crmsync.storage import people, queueing
from crmsync.storage.database import Database, make_database

_DISTRIBUTION = "crm-sync-for-gmail"
_LEAST_BYTES = 500_000_000
_WORST_SKEW = timedelta(seconds=60)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_OLDEST_POSTGRESQL = 130000


class Verdict(StrEnum):
    """How a check ended; only `wrong` makes `doctor` fail."""

    WELL = "well"
    DOUBTFUL = "doubtful"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check, e.g. `database`.
        message: what is so, one sentence.
        mend: what to do about it, or "".
    """

    name: str
    verdict: Verdict
    message: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at; the database is opened by the doctor itself."""

    config: Config
    clock: Clock
    oauth: OAuthClient | None
    transport: Transport
    has_embedded_redis: Callable[[], str]


def _well(name: str, message: str) -> Finding:
    return Finding(name, Verdict.WELL, message)


def _doubtful(name: str, message: str, mend: str) -> Finding:
    return Finding(name, Verdict.DOUBTFUL, message, mend)


def _wrong(name: str, message: str, mend: str) -> Finding:
    return Finding(name, Verdict.WRONG, message, mend)


def examine(patient: Patient) -> Iterator[Finding]:
    """Yield what each check found, one after the other."""
    yield _packages()
    yield _instance_folder(patient.config)
    yield _secrets(patient.config)
    yield _disk(patient.config)
    yield _public_url(patient.config)
    yield from _redis(patient)
    yield _google_client(patient)
    yield _google_clock(patient)
    yield from _with_database(patient)


def _packages() -> Finding:
    """Compare what is installed with what this version was made for."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    wrong = []
    for text in requires(_DISTRIBUTION) or ():
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(needed.name)
        except PackageNotFoundError:
            found = ""
        if not found or not needed.specifier.contains(found, prereleases=True):
            wrong.append(f"{needed} (there is {found or 'none'})")
    if wrong:
        return _wrong(
            "packages",
            f"Python packages do not fit: {', '.join(wrong)}.",
            "Install this version again: pip install -c constraints.txt .",
        )
    python = ".".join(str(part) for part in sys.version_info[:3])
    return _well("packages", f"Python {python}; all packages fit.")


def _instance_folder(config: Config) -> Finding:
    name = "instance folder"
    try:
        config.make_instance()
    except ConfigError as error:
        return _wrong(name, error.message, error.next_step)
    mode = stat.S_IMODE(config.instance_path.stat().st_mode)
    if mode & 0o077:
        return _doubtful(
            name,
            f"Others on this machine can look into {config.instance_path}.",
            f"Type: chmod 700 {config.instance_path}",
        )
    return _well(name, f"{config.instance_path} can be written, by us alone.")


def _secrets(config: Config) -> Finding:
    try:
        TokenCipher(config.token_keys())
        config.secret_key()
    except (ConfigError, OSError) as error:
        message = error.message if isinstance(error, ConfigError) else str(error)
        return _wrong(
            "secrets", message, "Correct TOKEN_KEYS and SECRET_KEY, or the files."
        )
    for file in ("token-keys", "secret-key"):
        path = config.instance_path / file
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            return _wrong(
                "secrets",
                f"Others on this machine can read {path}.",
                f"Type: chmod 600 {path}; then rotate: crm-sync keys rotate",
            )
    return _well("secrets", "Token keys and secret key are there and private.")


def _disk(config: Config) -> Finding:
    free = shutil.disk_usage(config.instance_path).free
    if free < _LEAST_BYTES:
        return _wrong(
            "disk",
            f"Only {free // 1_000_000} MB are free on the instance folder's disk.",
            "Make room: a full disk stops all cycles (nothing is lost).",
        )
    return _well("disk", f"{free // 1_000_000_000} GB are free.")


def _public_url(config: Config) -> Finding:
    parts = urlsplit(config.public_url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        return _wrong(
            "public address",
            f"PUBLIC_URL is {config.public_url}: Google accepts plain http for this "
            "machine only, and passwords would travel in the open.",
            "Serve it with https and set PUBLIC_URL to that address.",
        )
    if parts.path.strip("/"):
        return _wrong(
            "public address",
            f"PUBLIC_URL has a path: {parts.path}.",
            "Give it a host name of its own, without a path.",
        )
    return _well(
        "public address", f"Register {config.redirect_uri} with Google as redirect URI."
    )


def _redis(patient: Patient) -> Iterator[Finding]:
    from redis.exceptions import RedisError
    from rq import Worker
    from rq.serializers import JSONSerializer

    client = enqueue.connect(patient.config.redis_url)
    try:
        client.ping()
        workers = len(Worker.all(connection=client, serializer=JSONSerializer))
    except (RedisError, ValueError) as error:
        yield _redis_away(patient, type(error).__name__)
        return
    finally:
        client.close()
    yield _well("redis", "Redis answers.")
    if workers:
        yield _well("workers", f"{workers} at work.")
    else:
        yield _doubtful(
            "workers",
            "No worker is at work: cycles wait.",
            "Start some with: crm-sync worker --count 2 (crm-sync up does by itself)",
        )


def _redis_away(patient: Patient, why: str) -> Finding:
    if patient.config.has_own_redis:
        return _wrong(
            "redis",
            f"The Redis of REDIS_URL does not answer ({why}).",
            "Start it, or correct REDIS_URL. Nothing is lost meanwhile.",
        )
    try:
        program = patient.has_embedded_redis()
    except ConfigError as error:
        return _wrong("redis", error.message, error.next_step)
    return _doubtful(
        "redis",
        f"The embedded Redis is not running ({program}).",
        "It is started by: crm-sync up",
    )


def _google_client(patient: Patient) -> Finding:
    """Ask Google with a made-up refresh token: a known client gets `invalid_grant`."""
    name = "google client"
    if patient.oauth is None:
        return _wrong(
            name,
            "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are not set.",
            "Make an OAuth client of type Web application and set both; "
            "see the README.",
        )
    try:
        patient.oauth.refresh(
            Grant("none", patient.clock.now(), refresh_token="1//doctor")  # noqa: S106  made up on purpose
        )
    except ReconnectNeeded:
        return _well(name, "Google knows our OAuth client.")
    except ConfigError as error:
        return _wrong(name, error.message, error.next_step)
    except CrmSyncError as error:
        return _wrong(
            name,
            f"Google cannot be asked: {error.message}",
            "Check the way to the Internet, the proxy and GOOGLE_ROOT_URL.",
        )
    return _doubtful(name, "Google accepted a made-up token.", "Check GOOGLE_ROOT_URL.")


def _google_clock(patient: Patient) -> Finding:
    skew = timedelta()
    if patient.oauth is not None:
        skew = patient.transport.skew(patient.oauth.token_address)
    if abs(skew) > _WORST_SKEW:
        return _wrong(
            "clock",
            f"This machine's clock is {abs(skew.total_seconds()):.0f} s "
            f"{'behind' if skew > timedelta() else 'ahead of'} Google's.",
            "Switch on time synchronisation (e.g. systemd-timesyncd).",
        )
    return _well("clock", "The clock agrees with Google's.")


# ------------------------------------------------------------------ the database


def _with_database(patient: Patient) -> Iterator[Finding]:
    try:
        database = make_database(patient.config.database_url)
    except ConfigError as error:
        yield _wrong("database", error.message, error.next_step)
        return
    try:
        finding = _database(database)
        yield finding
        if finding.verdict is not Verdict.WRONG:
            yield _users(database)
            yield _connections(patient, database)
            yield _scheduler(patient, database)
    finally:
        database.close()


def _database(database: Database) -> Finding:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if migrations.is_newer(database.engine):
            return _wrong(
                "database",
                "A later version of CRM Sync has changed the database.",
                "Install that version, or restore a backup from before it.",
            )
        if not migrations.is_current(database.engine):
            return _wrong(
                "database",
                "The database is older than this version, or empty.",
                "Type: crm-sync db upgrade",
            )
        return _sqlite(database) if database.is_sqlite else _postgresql(database)
    except (SQLAlchemyError, CrmSyncError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        return _wrong(
            "database",
            f"The database cannot be used: {reason}",
            "Check DATABASE_URL, the server, and the rights of its user.",
        )


def _sqlite(database: Database) -> Finding:
    with database.read() as connection:
        answer = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if answer != "ok":
        return _wrong(
            "database", f"The SQLite file is damaged: {answer}", "Restore a backup."
        )
    path = database.engine.url.database or ""
    if path and not os.access(path, os.W_OK):
        return _wrong("database", f"{path} cannot be written.", "Correct its owner.")
    return _well("database", "SQLite, up to date, undamaged.")


def _postgresql(database: Database) -> Finding:
    with database.read() as connection:
        number = int(
            connection.exec_driver_sql("SHOW server_version_num").scalar() or 0
        )
    if number < _OLDEST_POSTGRESQL:
        return _wrong(
            "database", "PostgreSQL is older than version 13.", "Upgrade the server."
        )
    return _well("database", f"PostgreSQL {number // 10000}, up to date.")


def _users(database: Database) -> Finding:
    found = [user for user in people.users(database) if not user.is_disabled]
    if not any(user.is_admin for user in found):
        return _wrong(
            "users",
            "There is no admin.",
            "Type: crm-sync user add you@example.com --admin --password-stdin",
        )
    return _well("users", f"{len(found)} users, with an admin.")


def _connections(patient: Patient, database: Database) -> Finding:
    found = [c for c in people.all_connections(database) if c.grant]
    try:
        cipher = TokenCipher(patient.config.token_keys())
    except ConfigError:
        # Said already, with its remedy.
        return _doubtful(
            "connections", "Not looked at: the token keys are unusable.", ""
        )
    for connection in found:
        try:
            cipher.decrypt(connection.grant)
        except ReconnectNeeded:
            return _wrong(
                "connections",
                f"The tokens of {connection.email} cannot be decrypted.",
                "Put the former key back into TOKEN_KEYS (behind a comma), or let "
                "the user authorise again.",
            )
    dead = [c.email for c in people.all_connections(database) if c.state == "dead"]
    if dead:
        return _doubtful(
            "connections",
            f"Google has ended the authorisation of {', '.join(sorted(set(dead)))}.",
            "They press Authorize again under Options, Authorize Services.",
        )
    return _well("connections", f"{len(found)} authorised services, all readable.")


def _scheduler(patient: Patient, database: Database) -> Finding:
    row = queueing.scheduler(database)
    mend = "Start it with: crm-sync scheduler (crm-sync up does so by itself)"
    if row is None or row.until <= patient.clock.now():
        return _doubtful(
            "scheduler", "No scheduler is at work: nothing runs by itself.", mend
        )
    return _well("scheduler", "A scheduler is at work.")
