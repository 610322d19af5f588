"""`crm-sync up`: a local installation in the foreground (RUN-1).

Redis if it is embedded, migrations, web, two workers and the scheduler; with
`--sandbox` a local Google with a demo company besides. One process watches them all.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from cli.common import says_errors
from cli.redis_server import answers, server_command
from cli.supervisor import Child, Supervisor
from crmsync.errors import ConfigError

WORKERS = 2
_PATIENCE = 60.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@click.command()
@click.option("--sandbox", is_flag=True, help="With a local Google and demo data.")
@click.option("--sandbox-port", default=8900, show_default=True)
@says_errors
def up(sandbox: bool, sandbox_port: int) -> None:
    """Run a local installation until Ctrl-C."""
    from crmsync import logs
    from crmsync.config import load_config

    given = _sandbox_variables(sandbox_port) if sandbox else {}
    os.environ.update(given)
    config = load_config()
    config.make_instance()
    logs.configure(as_json=not sys.stderr.isatty(), level="warning")
    place = _web_place(config.public_url)
    _refuse_taken("PUBLIC_URL", place)
    if sandbox:
        _refuse_taken("--sandbox-port", ("127.0.0.1", sandbox_port))
    supervisor = Supervisor(config.instance_path / "logs")
    with contextlib.ExitStack() as stack:
        stack.callback(supervisor.stop)
        _start(supervisor, config, place, sandbox_port if sandbox else 0)
        supervisor.run()
        click.echo("\nStopping …")


def _sandbox_variables(port: int) -> dict[str, str]:
    from cli.demo import CLIENT

    return {
        "GOOGLE_ROOT_URL": f"http://127.0.0.1:{port}",
        "GOOGLE_CLIENT_ID": CLIENT[0],
        "GOOGLE_CLIENT_SECRET": CLIENT[1],
    }


def _web_place(public_url: str) -> tuple[str, int]:
    """Return where the web app listens: PUBLIC_URL's port, on loopback.

    A PUBLIC_URL on another host is served by a proxy in front of port 8000.
    """
    parts = urlsplit(public_url)
    if parts.hostname in _LOOPBACK:
        return "127.0.0.1", parts.port or 80
    return "127.0.0.1", 8000


def _refuse_taken(name: str, place: tuple[str, int]) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            raise ConfigError(
                f"{name}: port {place[1]} cannot be used ({error.strerror}). "
                "Stop what uses it, or choose another port."
            ) from None


def _start(
    supervisor: Supervisor, config: Any, place: tuple[str, int], sandbox_port: int
) -> None:
    environment = {**os.environ, "INSTANCE_PATH": str(config.instance_path)}
    _migrate(config)
    if not config.has_own_redis:
        _start_redis(supervisor, config, environment)
    if sandbox_port:
        _start_sandbox(supervisor, config, environment, sandbox_port)
        _show_demo(config)
    for child in _processes(place, environment):
        supervisor.add(child)
    _await(supervisor, "web", lambda: _is_healthy(place))
    click.echo(f"\nCRM Sync is up: {config.public_url}")
    click.echo(f"Logs: {config.instance_path / 'logs'}. Ctrl-C stops everything.")


def _migrate(config: Any) -> None:
    from crmsync import migrations
    from crmsync.storage.database import make_database

    database = make_database(config.database_url)
    try:
        migrations.upgrade(database.engine)
    finally:
        database.close()


def _start_redis(
    supervisor: Supervisor, config: Any, environment: Mapping[str, str]
) -> None:
    path = config.redis_socket
    child = Child("redis", server_command(path), environment, lambda: answers(path))
    supervisor.add(child)
    _await(supervisor, "redis", lambda: answers(path))


def _start_sandbox(
    supervisor: Supervisor, config: Any, environment: Mapping[str, str], port: int
) -> None:
    from cli.demo import NEWCOMER, demo_table

    folder = config.instance_path / "sandbox"
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--demo"]
    command += ["--data", str(folder), "--account", f"{NEWCOMER[0]}={NEWCOMER[1]}"]
    # The newcomer knows the same people as Anna: a preview has something to find.
    command += ["--load", f"{NEWCOMER[0]}={demo_table().with_name('anna.vcf')}"]
    supervisor.add(Child("sandbox", command, environment))
    _await(supervisor, "sandbox", lambda: _listens(("127.0.0.1", port)))


def _processes(
    place: tuple[str, int], environment: Mapping[str, str]
) -> Iterator[Child]:
    ours = [sys.executable, "-m", "webapp"]
    web = [sys.executable, "-m", "gunicorn", "--bind", f"{place[0]}:{place[1]}"]
    web += ["--worker-class", "gthread", "--threads", "8", "--workers", "1"]
    web += ["--access-logfile", "-", "webapp.wsgi:make()"]
    yield Child("web", web, environment)
    for number in range(1, WORKERS + 1):
        yield Child(f"worker-{number}", [*ours, "worker"], environment)
    yield Child("scheduler", [*ours, "scheduler"], environment)


def _listens(place: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(place) == 0


def _is_healthy(place: tuple[str, int]) -> bool:
    """Whether the web app itself answers; its server listens before it is loaded."""
    connection = HTTPConnection(*place, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _await(supervisor: Supervisor, name: str, is_there: Any) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not is_there():
        supervisor.look()
        child = next(c for c in supervisor.children if c.name == name)
        if time.monotonic() > deadline or child.starts > 3:
            log = supervisor.folder / f"{name}.log"
            raise ConfigError(f"{name} did not start: {_last_line(log)} (see {log}).")
        time.sleep(0.1)


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def _show_demo(config: Any) -> None:
    """At the first start: users, CRM data, consent over HTTP, a first cycle each."""
    from cli.demo import set_up_company
    from crmsync.bootstrap import build

    wired = build(config)
    try:
        set_up_company(wired)
    finally:
        wired.close()
