"""The demo's mail: labelled in the sandbox, recorded, accounted for."""

from __future__ import annotations

import base64
import hashlib
import mailbox
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import orjson
import urllib3

from crmsync.errors import UsageError
from crmsync.services.recording.labels import SEND

ANNA, BEN = "anna.miller@ostervik.example", "ben.ortiz@ostervik.example"
SUFFIXES = (".eml", ".mbox")
_REUTER, _VOSS = "t.reuter@krummwasser.example", "m.voss@krummwasser.example"
_HURLEY = "declan.hurley@hollowbrook.example"
_STRANGER = "purchasing@newcomer.example"
_QUOTE = b"%PDF-1.4 a quotation\n" + bytes(range(256)) * 90


@dataclass(frozen=True, slots=True)
class _Letter:
    """One message that somebody wrote to Anna."""

    sender: str
    subject: str
    text: str
    files: tuple[tuple[str, bytes], ...] = ()


_LETTERS = (
    _Letter(_REUTER, "Framework order", "Please find our conditions attached.",
            (("conditions.pdf", _QUOTE),)),
    _Letter(_VOSS, "Visit on Thursday", "Ten suits us. Ask for me at the gate."),
    _Letter(_HURLEY, "Re: Your quotation", "We accept, see the signed copy.",
            (("signed.pdf", _QUOTE), ("order.txt", b"Order 4711, 40 pumps"))),
    _Letter(_STRANGER, "Price list?", "Could you send us your current price list?"),
    _Letter(BEN, "Lunch?", "Twelve at the usual place?"),
)  # fmt: skip


def letters() -> list[bytes]:
    """Return the demo's own messages as they travel."""
    found = []
    for number, letter in enumerate(_LETTERS, 1):
        message = EmailMessage()
        message["From"], message["To"] = letter.sender, ANNA
        message["Subject"] = letter.subject
        message["Date"] = f"Mon, 23 Nov 2026 1{number}:00:00 +0100"
        message["Message-ID"] = f"<demo-{number}@ostervik.example>"
        message.set_content(letter.text)
        for name, data in letter.files:
            message.add_attachment(data, "application", "octet-stream", filename=name)
        found.append(message.as_bytes())
    return found


def messages_in(files: Iterable[str]) -> list[bytes]:
    """Return the messages of mail files, their bytes as they are."""
    found: list[bytes] = []
    for file in files:
        path = Path(file.rpartition("=")[2])
        if path.suffix.lower() == ".eml":
            found.append(path.read_bytes())
        elif path.suffix.lower() == ".mbox":
            box = mailbox.mbox(path, create=False)
            found += [box.get_bytes(key) for key in box.keys()]  # noqa: SIM118  an mbox is no mapping
    return found


def deliver(root: str, raws: Sequence[bytes], label_root: str) -> None:
    """Let messages arrive in Anna's mailbox and put *Send To CRM* on each."""
    pool = urllib3.PoolManager(retries=False)
    for raw in raws:
        body = {
            "raw": base64.b64encode(raw).decode(),
            "labels": [f"{label_root}/{SEND}"],
        }
        address = f"{root.rstrip('/')}/_sandbox/accounts/{ANNA}/mail"
        answer = pool.request("POST", address, body=orjson.dumps(body))
        if answer.status >= 300:
            text = answer.data.decode(errors="replace")
            raise UsageError(f"The sandbox refused a message: {text}")


def attached(raw: bytes) -> list[bytes]:
    """Return the attachments of a message as the standard library alone reads them."""
    return [
        data
        for part in message_from_bytes(raw).walk()
        if part.get_filename()
        and isinstance(data := part.get_payload(decode=True), bytes)
    ]


def lost(wired: Any, raws: Sequence[bytes]) -> int:
    """Return how many bytes of attachments of recorded messages the store lacks."""
    from crmsync.mime import read_mail
    from crmsync.storage import mail

    known = mail.recorded_identities(wired.database)
    recorded = [raw for raw in raws if read_mail(raw).identity in known]
    wanted = {
        hashlib.sha256(data).hexdigest(): data
        for raw in recorded
        for data in attached(raw)
    }
    lacking = wired.files.missing(wanted)
    return sum(len(data) for digest, data in wanted.items() if lacking[digest])


def show(
    wired: Any, user: Any, files: Sequence[str], say: Callable[[str], None]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Label messages in Anna's mailbox and let a cycle record them.

    Google Mail is authorised already.

    Returns:
        The cycles, and what is wrong.
    """
    from crmsync.services import settings
    from crmsync.services.syncing import Order, run_kinds

    raws = [*letters(), *messages_in(files)]
    first = run_kinds(wired, user, ["mail"], Order(accepts=True))
    root = wired.config.google_root_url
    deliver(root, raws, settings.get(wired, "label_root"))
    done = run_kinds(wired, user, ["mail"], Order())
    again = run_kinds(wired, user, ["mail"], Order())
    counts = done[0]["counts"]
    nobodys = len(raws) - counts["recorded"] - counts["missing"]
    say(
        f"   {len(raws)} messages labelled: {counts['recorded']} recorded with "
        f"{counts['files']} files, {counts['missing']} without a contact, "
        f"{nobodys} between colleagues, without an address, or sent twice."
    )
    problems = [
        f"Mail ended {cycle['state']}: {cycle['error'] or cycle['counts']}"
        for cycle in (*first, *done, *again)
        if cycle["state"] != "succeeded"
    ]
    if again[0]["counts"]["recorded"]:
        problems.append("A second cycle recorded messages again.")
    missing = lost(wired, raws)
    if missing:
        problems.append(f"{missing} bytes of attachments are not in the store.")
    say("   All bytes of their attachments are in the store." if not missing else "")
    return [*first, *done, *again], problems
