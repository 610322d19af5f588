"""Mail recorded from a mailbox over HTTP into the built-in CRM (MAIL-1 … MAIL-16)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from cli import builtin
from crm import history, users
from crmsync.services.syncing import Order, run_kinds
from crmsync.storage import mail as mail_store
from crmsync.storage import people
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.product import Product

BEN = "ben@shop.example"
ADA, BOB = "ada@client.example", "bob@client.example"
SEND, MISSING, RECORDED = (
    "Infor CRM/Send To CRM",
    "Infor CRM/Missing Contact",
    "Infor CRM/Recorded",
)
JPEG = bytes(range(256)) * 64


def letter(
    sender: str, *to: str, number: int = 1, files: tuple[bytes, ...] = (), **head: str
) -> bytes:
    """Return a message as it travels."""
    message = EmailMessage()
    message["From"], message["To"] = sender, ", ".join(to)
    message["Subject"] = head.pop("Subject", f"Offer {number}")
    message["Date"] = "Mon, 23 Nov 2026 10:00:00 +0100"
    message["Message-ID"] = head.pop("Message_ID", f"<{number}@client.example>")
    for name, value in head.items():
        message[name] = value
    message.set_content(f"Dear Anna, number {number}.")
    for place, data in enumerate(files):
        name = f"file{place}.pdf"
        message.add_attachment(data, "application", "pdf", filename=name)
    return message.as_bytes()


class Mailroom:
    """Users with mailboxes, and what became of their messages."""

    def __init__(self, product: Product, box: SandboxServer) -> None:
        self.product, self.box = product, box
        self.anna = self.hire(ANNA)

    def hire(self, email: str) -> User:
        self.box.account(email)
        user = self.product.add_user(email)
        self.product.connect(user, service="google_mail")
        self.cycle(user)
        return user

    def cycle(self, user: User | None = None, **order: Any) -> dict[str, Any]:
        return run_kinds(self.product.app, user or self.anna, ["mail"], Order(**order))[
            0
        ]

    def contact(self, first: str, email: str) -> str:
        made = builtin.edit_contact(
            self.product.app, "new", {"first": first, "email": email}
        )
        return str(made["id"])

    def labels(self, message_id: str, account: str = ANNA) -> set[str]:
        found = self.box.message(account, message_id)["labels"]
        return {name for name in found if name.startswith("Infor CRM")}

    def arrives(self, raw: bytes, *labels: str, account: str = ANNA) -> str:
        return str(self.box.deliver(account, raw, labels)["id"])

    def reads(self) -> list[str]:
        """The messages of Anna's whose bodies were asked for."""
        rows = self.box.requests(account=ANNA, method="GET", path="/messages/[^/]+$")
        return [
            row["path"].rpartition("/")[2]
            for row in rows
            if "format=raw" in row["query"]
        ]

    def history(self, contact: str, *, limit: int = 50) -> list[Any]:
        with self.product.app.database.read() as conn:
            viewer = users.get_by_email(conn, ANNA)
            assert viewer is not None
            return history.entries(
                conn, ("contact", contact), viewer=viewer.id, limit=limit
            )


@pytest.fixture
def room(product: Product, box: SandboxServer) -> Mailroom:
    return Mailroom(product, box)


@pytest.mark.rule("MAIL-1")
def test_the_first_cycle_makes_the_labels_and_adopts_the_users(
    product: Product, box: SandboxServer
) -> None:
    box.new_mail_label(ANNA, "infor crm")
    box.new_mail_label(ANNA, "INFOR CRM/recorded")

    Mailroom(product, box)

    assert set(box.mail_labels(ANNA)) >= {
        "infor crm", SEND, MISSING, "INFOR CRM/recorded",
    }  # fmt: skip
    assert len([n for n in box.mail_labels(ANNA) if "crm" in n.casefold()]) == 4


@pytest.mark.rule("MAIL-1")
def test_a_renamed_label_is_ours_and_a_deleted_one_is_made_again(
    room: Mailroom, box: SandboxServer
) -> None:
    ada = room.contact("Ada", ADA)
    labels = box.mail_labels(ANNA)
    box.rename_mail_label(ANNA, labels[SEND]["id"], "To the CRM")
    box.delete_mail_label(ANNA, labels[RECORDED]["id"])

    mail = room.arrives(letter(ADA, ANNA), "To the CRM")
    done = room.cycle()

    assert (done["state"], done["counts"]["recorded"]) == ("succeeded", 1)
    assert room.labels(mail) == {RECORDED}
    assert len(room.history(ada)) == 1


@pytest.mark.rule("MAIL-2", "MAIL-3", "MAIL-6", "MAIL-12")
def test_a_labelled_message_is_recorded_with_its_files_and_nothing_else_is_read(
    room: Mailroom, box: SandboxServer
) -> None:
    ada = room.contact("Ada", ADA)
    mail = room.arrives(letter(ADA, ANNA, files=(JPEG, JPEG, b"x" * 9000)), SEND)
    for number in range(5, 8):
        room.arrives(letter(ADA, ANNA, number=number))

    done = room.cycle()
    again = room.cycle()

    (entry,) = room.history(ada)
    assert entry.subject == "Offer 1"
    counts = done["counts"]
    assert (counts["recorded"], counts["files"], counts["missing"]) == (1, 3, 0)
    assert room.labels(mail) == {RECORDED}
    assert room.reads() == [mail]
    assert again["requests"]["google"] == 1
    assert again["counts"]["recorded"] == 0


@pytest.mark.rule("MAIL-2", "MAIL-6")
def test_a_sent_message_is_recorded_for_everybody_it_went_to_but_us(
    room: Mailroom,
) -> None:
    ada, bob = room.contact("Ada", ADA), room.contact("Bob", BOB)
    room.hire(BEN)
    raw = letter(ANNA, ADA, BEN, Cc=BOB)
    mail = str(room.box.deliver(ANNA, raw, [SEND], arrives=["SENT"])["id"])

    done = room.cycle()

    assert done["counts"]["recorded"] == 2
    assert [len(room.history(person)) for person in (ada, bob)] == [1, 1]
    assert room.labels(mail) == {RECORDED}


@pytest.mark.rule("MAIL-4")
def test_of_several_with_the_address_the_one_with_more_history_gets_it(
    room: Mailroom,
) -> None:
    first = room.contact("Ada", ADA)
    room.arrives(letter(ADA, ANNA, number=1), SEND)
    room.cycle()
    second = room.contact("Adele", ADA)

    room.arrives(letter(ADA, ANNA, number=2), SEND)
    done = room.cycle()

    assert done["counts"]["recorded"] == 1
    assert (len(room.history(first)), len(room.history(second))) == (2, 0)


@pytest.mark.rule("MAIL-5", "MAIL-9")
def test_a_missing_contact_is_labelled_and_recorded_when_it_appears(
    room: Mailroom,
) -> None:
    mail = room.arrives(letter(ADA, ANNA), SEND)
    missing = room.cycle()

    assert (missing["counts"]["missing"], missing["counts"]["recorded"]) == (1, 0)
    assert room.labels(mail) == {MISSING}

    ada = room.contact("Ada", ADA)
    late = room.cycle()

    assert late["counts"]["recorded"] == 1
    assert room.labels(mail) == {RECORDED}
    assert len(room.history(ada)) == 1


@pytest.mark.rule("MAIL-6", "MAIL-13")
@pytest.mark.parametrize("never", ["", ADA, "client.example"])
def test_who_is_never_recorded_or_a_colleague_gets_no_record(
    room: Mailroom, never: str
) -> None:
    ada = room.contact("Ada", ADA)
    room.product.set("never_record", never)
    sender = ADA if never else BEN
    if not never:
        room.hire(BEN)
    mail = room.arrives(letter(sender, ANNA), SEND)

    done = room.cycle()

    assert done["counts"]["recorded"] == 0
    assert room.labels(mail) == {MISSING}
    assert room.history(ada) == []


@pytest.mark.rule("MAIL-7")
def test_a_message_of_two_mailboxes_is_recorded_once_and_labelled_in_both(
    room: Mailroom,
) -> None:
    ben, ada = room.hire(BEN), room.contact("Ada", ADA)
    raw = letter(ADA, ANNA, BEN, files=(JPEG,))
    mine = room.arrives(raw, SEND)
    his = room.arrives(raw, SEND, account=BEN)

    counts = [room.cycle()["counts"], room.cycle(ben)["counts"]]

    assert [count["recorded"] for count in counts] == [1, 0]
    assert (room.labels(mine), room.labels(his, BEN)) == ({RECORDED}, {RECORDED})
    assert len(room.history(ada)) == 1


@pytest.mark.rule("MAIL-10")
def test_later_messages_of_a_followed_conversation_need_no_label(
    room: Mailroom,
) -> None:
    ada = room.contact("Ada", ADA)
    first = room.box.deliver(ANNA, letter(ADA, ANNA), [SEND])
    room.cycle()
    pair = people.pair_of(room.product.app.database, room.anna.user_id, "mail")
    now = datetime.now(UTC)
    database = room.product.app.database
    mail_store.follow(database, pair.pair_id, first["threadId"], "Offer", now)

    room.box.deliver(ANNA, letter(ADA, ANNA, number=2), thread=first["threadId"])
    room.cycle()
    mail_store.unfollow(database, pair.pair_id, first["threadId"], now)
    room.box.deliver(ANNA, letter(ADA, ANNA, number=3), thread=first["threadId"])
    room.cycle()

    assert len(room.history(ada)) == 2


@pytest.mark.rule("MAIL-11")
def test_an_expired_history_costs_no_message(room: Mailroom) -> None:
    ada = room.contact("Ada", ADA)
    room.arrives(letter(ADA, ANNA), SEND)
    room.box.expire_history(ANNA)

    assert room.cycle()["counts"]["recorded"] == 1
    assert room.cycle()["requests"]["google"] == 1
    assert len(room.history(ada)) == 1


@pytest.mark.rule("MAIL-16")
def test_while_the_store_of_files_is_down_the_label_stays(
    room: Mailroom, tmp_path: Path
) -> None:
    ada = room.contact("Ada", ADA)
    store = room.product.app.config.instance_path / "attachments"
    store.write_text("a file where the folder should be")
    mail = room.arrives(letter(ADA, ANNA, files=(JPEG,)), SEND)

    down = room.cycle()

    assert (down["state"], down["error"]["code"]) == ("partial", "provider_down")
    assert room.labels(mail) == {SEND}
    assert room.history(ada) == []
    store.unlink()
    assert room.cycle()["counts"]["recorded"] == 1
    assert room.labels(mail) == {RECORDED}


@pytest.mark.rule("WEB-2", "ENG-7")
def test_a_preview_says_what_would_be_recorded_and_writes_nothing(
    room: Mailroom,
) -> None:
    ada = room.contact("Ada", ADA)
    mail = room.arrives(letter(ADA, ANNA), SEND)
    room.arrives(letter(BOB, ANNA, number=2), SEND)

    seen = room.cycle(is_dry=True)

    assert (seen["counts"]["recorded"], seen["counts"]["missing"]) == (1, 1)
    assert room.labels(mail) == {SEND}
    assert room.history(ada) == []


@pytest.mark.rule("MAIL-8")
def test_whatever_arrives_is_recorded_and_stops_nothing(room: Mailroom) -> None:
    ada = room.contact("Ada", ADA)
    broken = (
        b"From: ada@client.example\r\n\r\nno id, no date, no subject",
        b"From: ada@client.example\r\nContent-Type: multipart/mixed\r\n\r\n--x\r\n",
        b"From: ada@client.example\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%",
        b"From: \xff\xfe <ada@client.example>\r\nSubject: =?x?b?///?=\r\n\r\n\x00\x01",
    )
    for raw in broken:
        room.arrives(raw, SEND)

    done = room.cycle()

    assert (done["state"], done["counts"]["recorded"]) == ("succeeded", len(broken))
    assert len(room.history(ada)) == len(broken)


@pytest.mark.timeout(120)
@pytest.mark.rule("MAIL-7")
def test_a_hundred_messages_of_two_mailboxes_recorded_at_once_are_recorded_once(
    room: Mailroom,
) -> None:
    ben, ada = room.hire(BEN), room.contact("Ada", ADA)
    states = set()

    with ThreadPoolExecutor(2) as both:
        for number in range(100):
            raw = letter(ADA, ANNA, BEN, number=number, files=(b"%d" % number * 900,))
            room.arrives(raw, SEND)
            room.arrives(raw, SEND, account=BEN)
            cycles = list(both.map(room.cycle, (room.anna, ben)))
            states |= {cycle["state"] for cycle in cycles}

    told = [entry.subject for entry in room.history(ada, limit=500)]
    assert states == {"succeeded"}
    assert sorted(told) == sorted(f"Offer {number}" for number in range(100))
    for account in (ANNA, BEN):
        assert room.box.mail(account, label=SEND) == []
        assert len(room.box.mail(account, label=RECORDED)) == 100
