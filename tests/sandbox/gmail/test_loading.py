"""mbox and eml into an account; mail over a restart; mail in the panel."""

from __future__ import annotations

import mailbox
import re
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.sandbox.gmail.client import Letters, letter
from tests.sandbox.harness import SandboxServer

ONE, TWO = letter("One", "First\n\nFrom here"), letter("Two", "Second")


def mbox(path: Path, *messages: bytes) -> bytes:
    found = mailbox.mbox(path)
    for message in messages:
        found.add(message)
    found.close()
    return path.read_bytes()


@pytest.mark.point("M-11")
def test_an_mbox_comes_in_under_its_label_with_its_bytes(
    anna: Letters, box: SandboxServer, tmp_path: Path
) -> None:
    data = mbox(
        tmp_path / "a.mbox", TWO, letter("Old", Date="Mon, 02 Mar 2020 9:00 +0000")
    )

    report = box.load_mail(anna.email, data, "CRM/Send To CRM")

    assert report == {"added": 2, "known": 0, "refused": []}
    found = box.mail(anna.email, label="CRM/Send To CRM")
    assert [one["subject"] for one in found] == ["Two", "Old"]
    assert found[1]["at"] == 1_583_139_600
    assert "CRM" in box.mail_labels(anna.email)
    assert anna.raw(found[0]["id"]) == TWO
    assert box.load_mail(anna.email, data)["known"] == 2


@pytest.mark.point("M-11")
def test_a_message_is_loaded_whole_and_one_without_a_head_refused(
    anna: Letters, box: SandboxServer
) -> None:
    assert box.load_mail(anna.email, ONE)["added"] == 1
    assert box.message(anna.email, anna.ids()[0])["raw"] == ONE
    refused = box.load_mail(anna.email, b"\n\nno head")["refused"]
    assert refused == [{"line": 1, "reason": "it has no header"}]


@pytest.mark.point("M-11", "M-15")
def test_a_folder_is_loaded_and_everything_outlives_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "mail" / "more"
    folder.mkdir(parents=True)
    (folder / "one.eml").write_bytes(ONE)
    bare = b"From nobody Wed Mar 30 12:15:10 2016\nno head at all"
    (folder / "bare.eml").write_bytes(bare)
    mbox(tmp_path / "mail" / "two.mbox", TWO)
    (folder / "LICENSE").write_text("not mail")
    email = "anna@x.example"
    options = ("--load", f"{email}={tmp_path / 'mail'}", "--label", "Loaded")

    with SandboxServer(*options, data=tmp_path / "state") as box:
        assert "one.eml: 1 added" in box.errors()
        mail = Letters(box, email)
        draft, start = mail.draft(letter("Draft")), mail.cursor()
        mail.modify(mail.ids("subject:one")[0], [], ["INBOX"])
        box.set_aliases(email, "sales@x.example")
        before = box.mail(email)
        mail.close()
        box.kill()
        box.start(box.port)
        mail = Letters(box, email)
        assert "one.eml: 0 added, 1 already there" in box.errors()
        assert box.mail(email) == before
        loaded = box.mail(email, label="Loaded")
        raws = {box.message(email, one["id"])["raw"] for one in loaded}
        assert raws == {ONE, TWO, bare}
        assert mail.raw(mail.ids("subject:one")[0]) == ONE
        assert [list(one)[-1] for one in mail.changes(start)] == ["labelsRemoved"]
        found = mail.drafts.get(userId="me", id=draft["id"]).execute()
        assert found["message"]["id"] == draft["message"]["id"]
        mail.close()


# ---------------------------------------------------------------- the panel


@pytest.mark.point("M-13")
def test_a_person_reads_and_labels_a_message_in_the_panel(
    anna: Letters, box: SandboxServer
) -> None:
    raw = letter("<b>Offer</b>", "Hello <script>there</script>")
    key = anna.arrives(raw, "Old")
    root = f"/_sandbox/panel/{quote(anna.email)}/mail"

    def send(**form: str) -> set[str]:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _, _ = box.http("POST", f"{root}/{key}", urlencode(form), kind)
        assert status == 302
        return set(box.message(anna.email, key)["labels"])

    _, _, listed = box.http("GET", root)
    assert "<strong>&lt;b&gt;Offer" in listed.decode()
    assert f"mail/{key}" in listed.decode()
    _, _, shown = box.http("GET", f"{root}/{key}")
    assert "Hello &lt;script&gt;there" in shown.decode()
    assert re.search("Remove Old", shown.decode())

    assert send(do="label", name="Send To CRM") >= {"Old", "Send To CRM"}
    assert "Old" not in send(do="unlabel", name="Old")
    assert "UNREAD" not in send(do="read")
    assert "TRASH" in send(do="trash")
    _, _, empty = box.http("GET", root)
    assert "No message fits" in empty.decode()
    status, _, _ = box.http("GET", f"{root}/18c")
    assert status == 404
