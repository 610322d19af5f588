"""`crm-sync demo`: the whole product in a throw-away instance, in a minute (RUN-1).

It starts the sandbox, imports the demo company into the built-in CRM, connects the
users through the consent page over HTTP, runs cycles, edits on both sides, and prints
what was synchronised.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from cli import demo_files, demo_mail
from cli.common import echo_json, says_errors
from cli.sync import print_cycle
from crmsync.errors import ConfigError, UsageError

CLIENT = ("demo.apps.sandbox.example", "sandbox-client-secret")
USERS = (
    ("anna.miller@ostervik.example", "Anna Miller"),
    ("ben.ortiz@ostervik.example", "Ben Ortiz"),
)
NEWCOMER = ("clara.novak@ostervik.example", "Clara Novak")
"""Has a Google account in the sandbox and has authorised nothing yet."""

PASSWORD = "sandbox-demo"  # noqa: S105  of a demo on this machine, printed for all to see
GROUP = "Google contacts"
_READY = "sandbox ready on "
_PATIENCE = 60
_FEED_DELAY = 2.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to show: files to load and how to say it."""

    files: tuple[str, ...]
    tables: tuple[Path, ...]
    as_json: bool
    stays: bool
    mail: tuple[str, ...] = ()

    def say(self, text: str) -> None:
        """Print a line, unless JSON is wanted."""
        if not self.as_json:
            click.echo(text)


@click.command()
@click.option("--crm", "backend", default="builtin", show_default=True)
@click.option(
    "--load",
    multiple=True,
    metavar="[ACCOUNT=]FILE",
    help="vCards, iCalendar and mail files, or a folder of them; or a CSV.",
)
@click.option("--stay", is_flag=True, help="Stay up until Ctrl-C, to try commands.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def demo(backend: str, load: tuple[str, ...], stay: bool, as_json: bool) -> None:
    """Show everything in a throw-away instance, then exit."""
    if backend != "builtin":
        raise UsageError("This version's demo knows only --crm builtin.")
    files = [file for text in load for file in demo_files.files_in(text)]
    mail = tuple(f for f in files if f.lower().endswith(demo_mail.SUFFIXES))
    tables = tuple(Path(f) for f in files if f.lower().endswith(".csv"))
    rest = tuple(f for f in files if f not in mail and Path(f) not in tables)
    plan = _Plan(rest, tables, as_json, stay, mail)
    with (
        TemporaryDirectory(prefix="crm-sync-demo-") as folder,
        _sandbox(Path(folder), plan) as url,
        _wired(Path(folder), url) as wired,
    ):
        shown = _show(wired, plan)
        if stay:
            _stay(wired)
    if as_json:
        echo_json(shown)
    sys.exit(1 if shown["problems"] else 0)


@contextlib.contextmanager
def _sandbox(folder: Path, plan: _Plan) -> Iterator[str]:
    """Start the sandbox as a process of its own; yield its address."""
    arguments = [sys.executable, "-m", "sandbox", "--port", "0", "--demo"]
    arguments += ["--data", str(folder / "sandbox"), "--delay", str(_FEED_DELAY)]
    if plan.files:
        arguments += ["--label", "Infor CRM"]
    for file in plan.files:
        arguments += ["--load", file]
    notes = (folder / "sandbox.log").open("w+", encoding="utf-8")
    process = subprocess.Popen(  # noqa: S603  our own module
        arguments,
        stdout=subprocess.PIPE,
        stderr=notes,
        text=True,
        env=dict(os.environ),
    )
    try:
        address = _address(process)
        if address is None:
            notes.seek(0)
            raise ConfigError(f"The sandbox did not start: {notes.read().strip()}")
        if plan.files:
            plan.say((folder / "sandbox.log").read_text(encoding="utf-8"))
        yield address
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        notes.close()
        if process.stdout is not None:
            process.stdout.close()
        process.wait()


def _address(process: subprocess.Popen[str]) -> str | None:
    deadline = time.monotonic() + _PATIENCE
    stream = process.stdout
    while stream is not None and time.monotonic() < deadline:
        line = stream.readline()
        if not line:
            break
        if line.startswith(_READY):
            return line.removeprefix(_READY).strip()
    return None


@contextlib.contextmanager
def _wired(folder: Path, url: str) -> Iterator[Any]:
    from crmsync import logs, migrations
    from crmsync.bootstrap import build
    from crmsync.config import load_config
    from crmsync.storage.database import make_database

    logs.configure(as_json=not sys.stderr.isatty(), level="warning")
    config = load_config(
        {
            "instance_path": folder / "instance",
            "database_url": f"sqlite:///{folder / 'instance' / 'demo.db'}",
            "google_root_url": url,
            "google_client_id": CLIENT[0],
            "google_client_secret": CLIENT[1],
            "public_url": f"http://127.0.0.1:{free_port()}",
            "crm_backend": "builtin",
            "token_keys": "",
        }
    )
    config.make_instance()
    database = make_database(config.database_url)
    migrations.upgrade(database.engine)
    database.close()
    wired = build(config)
    try:
        yield wired
    finally:
        wired.close()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _begin(wired: Any, plan: _Plan) -> list[Any]:
    """Add the users, fill the CRM, and authorise; return the users."""
    from crmsync.services import accounts, grouping

    users = [
        accounts.add_user(wired, email, name=name, is_admin=email == USERS[0][0])
        for email, name in USERS
    ]
    plan.say("1. The demo company goes into the built-in CRM.")
    _import(wired, plan)
    if demo_files.has_events(plan.files):
        demo_files.widen(wired)
    plan.say("\n2. Both users agree on Google's consent page, over HTTP.")
    for user in users:
        grouping.designate(wired, user, GROUP, actor="demo")
        account = _connect(wired, user)
        plan.say(f"   {user.name} authorised Google Sync as {account}.")
    return users


def _show(wired: Any, plan: _Plan) -> dict[str, Any]:
    from cli import demo_figures
    from crmsync.services import checking
    from crmsync.services.syncing import Order, run_kinds

    users = _begin(wired, plan)
    plan.say("\n3. The first cycle: what would it do?")
    dry = [c for user in users for c in run_kinds(wired, user, (), Order(is_dry=True))]
    _print(plan, dry)
    plan.say("\n4. Accepted; now it does it.")
    first = [
        c for user in users for c in run_kinds(wired, user, (), Order(accepts=True))
    ]
    _print(plan, first)
    if demo_files.has_events(plan.files):
        for line in demo_files.set_aside(wired, first):
            plan.say(f"   {line}")
    time.sleep(_FEED_DELAY + 0.5)
    plan.say("\n5. A second cycle has nothing to do.")
    second = [c for user in users for c in run_kinds(wired, user, (), Order())]
    _print(plan, second)
    third = _complete(wired, plan, users[0])
    found = checking.check(wired)
    figures = demo_figures.figures(
        [*first, *second, *third], found, completed=1 if third else 0
    )
    problems = demo_figures.problems(figures, second, found, shows_both=not plan.tables)
    plan.say("\n7. All in all, and what an independent check of both sides finds:")
    for line in demo_figures.lines(figures):
        plan.say(f"   {line}")
    plan.say("   All is well." if not problems else "   Something is wrong:")
    for problem in problems:
        plan.say(f"   {problem}")
    plan.say("\n8. Mail: Anna labels messages in Gmail, and a cycle records them.")
    _connect(wired, users[0], "google_mail")
    mails, wrong = demo_mail.show(wired, users[0], plan.mail, plan.say)
    problems += wrong
    _print_questions(wired, plan)
    return {
        "cycles": [*dry, *first, *second, *third, *mails],
        "check": found,
        "figures": [asdict(figure) for figure in figures],
        "problems": problems,
    }


def _complete(wired: Any, plan: _Plan, user: Any) -> list[dict[str, Any]]:
    """Let Anna complete something, which her next cycle carries over."""
    from cli import demo_agenda
    from crmsync.services.syncing import Order, run_kinds

    if plan.tables:
        return []
    call, todo = demo_agenda.complete_some(wired)
    plan.say(f"\n6. In the CRM, Anna completes “{call}” and “{todo}”.")
    third: list[dict[str, Any]] = run_kinds(wired, user, ["calendar", "tasks"], Order())
    _print(plan, third)
    return third


def set_up_company(wired: Any) -> None:
    """Set up the demo company, unless it is there already, and say how to sign in.

    Both colleagues agree on the consent page over HTTP and accept a first cycle; the
    newcomer is left to try that on the pages.
    """
    from crmsync.services import accounts, grouping
    from crmsync.services.syncing import Order, run_kinds
    from crmsync.storage import people

    plan = _Plan((), (), as_json=False, stays=True)
    if not people.users(wired.database):
        plan.say("The demo company moves in; this takes a few seconds.")
        added = []
        for email, name in (*USERS, NEWCOMER):
            is_admin = email == USERS[0][0]
            user = accounts.add_user(wired, email, name=name, is_admin=is_admin)
            accounts.set_password(wired, user, PASSWORD)
            added.append(user)
        _import(wired, plan)
        for user in added[: len(USERS)]:
            grouping.designate(wired, user, GROUP, actor="demo")
            account = _connect(wired, user)
            plan.say(f"   {user.name} authorised Google Sync as {account}.")
            _print(plan, run_kinds(wired, user, [], Order(accepts=True)))
    plan.say(f"\nSign in with the password {PASSWORD} as")
    plan.say(f"   {USERS[0][0]} (admin, synchronised already)")
    plan.say(f"   {USERS[1][0]} (synchronised already)")
    newcomer = people.user_by_email(wired.database, NEWCOMER[0])
    is_new = not people.connections(wired.database, newcomer.user_id)
    hint = "new: authorise, choose a group, look at a preview" if is_new else "set up"
    plan.say(f"   {NEWCOMER[0]} ({hint})")
    root = wired.config.google_root_url
    plan.say(f"A person's hand in Google, all of it: {root}/_sandbox/panel")


def _stay(wired: Any) -> None:
    """Say how to go on with this instance, and wait."""
    config = wired.config
    root = config.google_root_url
    settings = {
        "INSTANCE_PATH": str(config.instance_path),
        "DATABASE_URL": config.database_url,
        "GOOGLE_ROOT_URL": root,
        "GOOGLE_CLIENT_ID": CLIENT[0],
        "GOOGLE_CLIENT_SECRET": CLIENT[1],
    }
    click.echo("\nThe sandbox stays up until Ctrl-C. In another terminal, type:\n")
    click.echo("  . .venv/bin/activate")
    for name, value in settings.items():
        click.echo(f"  export {name}={value}")
    click.echo("\nand then, for example:\n")
    click.echo("  crm-sync crm list contact")
    click.echo("  crm-sync crm edit contact ID title=Director")
    click.echo(f"  crm-sync sync run --user {USERS[0][0]}")
    click.echo("  crm-sync history list")
    click.echo("  crm-sync inbox")
    click.echo(f"\nA person's hand in Google: see sandbox/README.md, {root}/_sandbox")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


def _import(wired: Any, plan: _Plan) -> None:
    from cli import builtin, demo_agenda
    from crmsync.services import settings

    settings.put(wired, "time_zone", demo_agenda.ZONE.key, actor="demo")
    files = plan.tables or (demo_table(),)
    for path in files:
        result = builtin.import_file(wired, path, USERS[0][0], GROUP)
        plan.say(f"   {path.name}: {result.imported} contacts imported, all selected.")
    # A colleague has a group of his own, with some of the same contacts.
    theirs = builtin.create_group(wired, GROUP, USERS[1][0])
    shared = [row["id"] for row in builtin.list_contacts(wired, "", 8)]
    builtin.change_members(wired, theirs, shared, selected=True)
    plan.say(f"   Ben Ortiz selects {len(shared)} of them, too.")
    if not plan.tables:
        made = demo_agenda.fill(wired)
        plan.say(
            f"   {made['activity']} activities and {made['todo']} to-dos are planned."
        )


def demo_table() -> Path:
    """Return the demo company's contacts, a CSV file beside its vCards."""
    import importlib.util

    spec = importlib.util.find_spec("sandbox")
    if spec is None or spec.origin is None:
        raise ConfigError("The sandbox is not installed.")
    return Path(spec.origin).parent / "data" / "demo-crm.csv"


def _connect(wired: Any, user: Any, service: str = "google_sync") -> str:
    from cli.browser import Browser
    from cli.callback import CallbackServer
    from crmsync.services import connecting

    session = secrets.token_urlsafe(16)
    browser = Browser()
    with CallbackServer(wired.config.public_url) as server:
        url = connecting.start(wired, user, service, session)
        browser.agree(url, user.email)
        answer = server.wait(_PATIENCE)
    browser.close()
    waiting = connecting.callback(wired, session, answer)
    made = connecting.confirm(wired, user, service, session, waiting.email)
    return str(made.email)


def _print(plan: _Plan, found: list[dict[str, Any]]) -> None:
    if not plan.as_json:
        for cycle in found:
            print_cycle(cycle, points_on=plan.stays)


def _print_questions(wired: Any, plan: _Plan) -> None:
    from crmsync.services import reporting

    questions = reporting.inbox(wired, None)
    if not questions:
        return
    plan.say(f"\n9. {len(questions)} questions wait for a person, for example:")
    for entry in questions[:3]:
        item = entry.get("item")
        if item:
            plan.say(f"   {item['crm']['name']}: {item['reason']}")
