"""`python -m sandbox`: read the options, fill the accounts, serve until stopped."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from sandbox.accounts import Account
from sandbox.app import Sandbox
from sandbox.load import demo, mail
from sandbox.load.ical import load_calendar
from sandbox.load.loader import Report, load_text
from sandbox.server import Server

DATA = Path(__file__).resolve().parent / "data"
DEFAULT_ACCOUNT = ("user@sandbox.example", "Sandbox User")
DEMO = (
    ("anna.miller@ostervik.example", "Anna Miller", "anna.vcf"),
    ("ben.ortiz@ostervik.example", "Ben Ortiz", "ben.vcf"),
    ("clara.novak@ostervik.example", "Clara Novak", ""),
)


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    sandbox = Sandbox(options.data)
    try:
        prepare(sandbox, options)
        server = Server(sandbox, options.port)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        sandbox.close()
        return 2
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _number, _frame: stop.set())
    server.start()
    sys.stdout.write(f"sandbox ready on {server.url}\n")
    sys.stdout.flush()
    stop.wait()
    server.shutdown()
    server.server_close()
    sandbox.close()
    return 0


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m sandbox", description="A local stand-in for Google's servers."
    )
    add = options.add_argument
    add("--port", type=int, default=8900, help="0 picks a free port")
    add(
        "--data", type=Path, help="folder that keeps the state; none keeps it in memory"
    )
    add(
        "--account",
        action="append",
        default=[],
        metavar="EMAIL[=NAME]",
        help="an account to have; may be repeated",
    )
    add(
        "--load",
        action="extend",
        nargs="+",
        default=[],
        metavar="[ACCOUNT=]FILE",
        help="vCard, iCalendar, mbox and eml files, or folders of mail, to put into "
        "an account (the first one if none is named)",
    )
    add("--label", help="contact group or mail label that loaded ones are put into")
    add(
        "--client",
        action="append",
        nargs=3,
        default=[],
        metavar=("ID", "SECRET", "REDIRECT_URI"),
        help="an OAuth client instead of the demo client; may be repeated",
    )
    add("--consent", choices=("auto", "page"), default="page")
    add("--quota", choices=("on", "off"), default="on")
    add("--delay", type=float, default=2.0, help="seconds until feeds show a write")
    add("--demo", action="store_true", help="three accounts of a demo company")
    return options


def prepare(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """Switches, clients, accounts and files, in this order.

    Raises:
        ValueError: an option makes no sense.
        OSError: a file cannot be read.
    """
    sandbox.switches.update(
        {
            "consent": options.consent,
            "quota": options.quota == "on",
            "delay": options.delay,
        }
    )
    for client_id, secret, redirect in options.client:
        sandbox.oauth.clients.register(client_id, secret, redirect)
    if not options.client:
        sandbox.oauth.clients.register_demo()
    for text in options.account:
        email, _, name = text.partition("=")
        sandbox.accounts.ensure(email, name)
    if options.demo:
        for email, name, file in DEMO:
            account = sandbox.accounts.ensure(email, name)
            if file:
                _load(sandbox, account, DATA / file, None)
        demo.fill(sandbox)
    if not sandbox.accounts.all():
        sandbox.accounts.ensure(*DEFAULT_ACCOUNT)
    for text in options.load:
        account, file_path = _target(sandbox, text)
        _load(sandbox, account, file_path, options.label)


def _load(sandbox: Sandbox, account: Account, file: Path, label: str | None) -> None:
    if file.is_dir():
        for one in mail.files(file):
            _load(sandbox, account, one, label)
    elif file.suffix.lower() in mail.ENDINGS:
        data, is_single = file.read_bytes(), file.suffix.lower() == ".eml"
        report = mail.load_mail(
            sandbox, account.email, data, label, is_single=is_single
        )
        _say(report, file.name)
    elif file.suffix.lower() == ".ics":
        _say(load_calendar(sandbox, account.email, file.read_bytes()), file.name)
    else:
        book = sandbox.people.book(account.email)
        _say(load_text(book, _read(file), label), file.name)


def _target(sandbox: Sandbox, text: str) -> tuple[Account, Path]:
    owner, equals, file = text.partition("=")
    if equals and "@" in owner:
        return sandbox.accounts.ensure(owner), Path(file)
    return sandbox.accounts.all()[0], Path(text)


def _read(file: Path) -> bytes:
    if file.suffix.lower() != ".vcf":
        raise ValueError(f"{file.name}: only .vcf, .ics, .mbox and .eml can be loaded")
    return file.read_bytes()


def _say(report: Report, name: str) -> None:
    for line in report.lines(name):
        sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
