"""The process: options, restarts, crashes, the demo (RUN-6, architecture 11)."""

from __future__ import annotations

import csv
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.sandbox.client import User, contact, email, reason, refusal
from tests.sandbox.harness import ROOT, SandboxServer

ANNA = "anna.miller@ostervik.example"
BEN = "ben.ortiz@ostervik.example"
OPTIONS = ("--account", "anna@x.example", "--delay", "0", "--quota", "off")


@pytest.mark.point("S-12")
def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    with SandboxServer(*OPTIONS, data=tmp_path) as box:
        anna = User(box, "anna@x.example")
        kept, gone = anna.create(contact("Kept")), anna.create(contact("Gone"))
        token = anna.full()["nextSyncToken"]
        anna.delete(gone["resourceName"])
        renamed = box.act(anna.email, kept["resourceName"], "rename")
        group = box.control("POST", "/accounts/anna@x.example/groups", {"name": "Team"})
        anna.close()

        box.restart()

        again = User(box, "anna@x.example")
        again.credentials.token = anna.credentials.token
        changes = again.full(syncToken=token)["connections"]
        assert {p["resourceName"] for p in changes} == {
            gone["resourceName"],
            renamed["resourceName"],
        }
        assert again.names() == [renamed["resourceName"]]
        assert box.groups(again.email)["Team"]["id"] == group["id"]
        again.edit(again.get(kept["resourceName"]), "names", names=[{"givenName": "X"}])
        again.close()


@pytest.mark.point("S-12")
def test_what_was_answered_survives_a_crash(tmp_path: Path) -> None:
    box = SandboxServer(*OPTIONS, data=tmp_path).start()
    anna = User(box, "anna@x.example")
    answered: list[str] = []

    def create() -> None:
        for n in range(2_000):
            try:
                answered.append(anna.create(contact(f"N{n}"))["resourceName"])
            except OSError:
                return

    writer = threading.Thread(target=create)
    writer.start()
    while len(answered) < 30:
        writer.join(0.01)
    box.kill()
    writer.join()
    anna.close()

    with box.start():
        listed = [p["resourceName"] for p in box.people("anna@x.example")]

    assert set(answered) <= set(listed)
    assert len(listed) - len(answered) <= 2


@pytest.mark.point("S-12")
def test_a_restart_in_memory_makes_tokens_expire() -> None:
    with SandboxServer(*OPTIONS) as box:
        anna = User(box, "anna@x.example")
        token = anna.full()["nextSyncToken"]
        anna.close()
        box.restart()

        again = User(box, "anna@x.example")
        error = refusal(lambda: again.full(syncToken=token))
        again.close()

    assert reason(error) == "EXPIRED_SYNC_TOKEN"


@pytest.mark.point("S-12")
def test_a_page_goes_on_after_a_restart(tmp_path: Path) -> None:
    with SandboxServer(*OPTIONS, data=tmp_path) as box:
        box.create_people("anna@x.example", [contact(f"N{n}") for n in range(6)])
        anna = User(box, "anna@x.example")
        first = anna.page(pageSize=2)
        anna.close()
        box.restart()

        again = User(box, "anna@x.example")
        second = again.page(pageSize=2, pageToken=first["nextPageToken"])
        third = again.page(pageSize=2, pageToken=second["nextPageToken"])
        again.close()

    shown = first["connections"] + second["connections"] + third["connections"]
    assert len({p["resourceName"] for p in shown}) == 6
    assert "nextPageToken" not in third


@pytest.mark.point("S-12")
def test_it_stops_cleanly_when_told_to() -> None:
    box = SandboxServer(*OPTIONS).start()

    assert box.stop() == 0


@pytest.mark.point("S-12")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--load", "nowhere.vcf"], "nowhere.vcf"),
        (["--load", "README.md"], "only .vcf, .ics, .mbox and .eml"),
        (["--client", "a", "b", "http://x.example/cb"], "must be https"),
    ],
)
def test_options_that_make_no_sense_end_with_a_sentence(
    options: list[str], sentence: str
) -> None:
    command = [sys.executable, "-m", "sandbox", "--port", "0", *options]

    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )

    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.point("S-14")
def test_the_demo_company(tmp_path: Path) -> None:
    with SandboxServer("--demo", data=tmp_path) as box:
        first = {owner: box.people(owner) for owner in (ANNA, BEN)}
        labelled = [box.groups(owner)["Infor CRM"]["members"] for owner in (ANNA, BEN)]
        box.restart()
        second = {owner: box.people(owner) for owner in (ANNA, BEN)}

    assert [len(people) for people in first.values()] == [40, 40]
    assert all(10 < len(members) < 30 for members in labelled)
    assert second == first


@pytest.mark.point("S-14")
def test_the_demo_company_has_calendars_and_tasks(tmp_path: Path) -> None:
    with SandboxServer("--demo", data=tmp_path) as box:
        mine = {e["id"]: e for e in box.events(ANNA)}
        theirs = {e["id"]: e for e in box.events(BEN)}
        tasks = box.tasks(ANNA)
        mails = box.notifications()
        box.restart()
        again = {e["id"]: e for e in box.events(ANNA)}

    moved = [e for e in mine.values() if "recurringEventId" in e]
    plan = mine["demo04plan"]
    assert len(mine) == 14
    assert len(moved) == 1
    assert {"demo01standup", "demo02quote", "demo04plan"} < theirs.keys()
    assert plan["conferenceData"]["conferenceId"] == "abc-defg-hij"
    assert [g["responseStatus"] for g in mine["demo02quote"]["attendees"]] == [
        "needsAction",
        "accepted",
        "needsAction",
    ]
    assert mine["demo05dentist"]["visibility"] == "private"
    assert mine["demo03fair"]["start"].keys() == {"date"}
    assert len(tasks) == 7
    assert mails == []
    assert again == mine


@pytest.mark.point("S-14")
def test_the_demo_s_crm_rows_overlap_with_the_contacts() -> None:
    path = ROOT / "sandbox" / "data" / "demo-crm.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with SandboxServer("--demo") as box:
        people = box.people(ANNA)

    addresses = {e["value"] for p in people for e in p.get("emailAddresses", [])}
    shared = [row for row in rows if row["E-mail"].lower() in addresses]
    assert len(rows) == 40
    assert len(shared) >= 20


@pytest.mark.point("S-13")
def test_files_are_loaded_once_and_put_under_the_label(tmp_path: Path) -> None:
    file = tmp_path / "cards.vcf"
    file.write_text(
        "BEGIN:VCARD\nVERSION:3.0\nUID:u1\nN:Doe;Ann;;;\nEMAIL:a@x.example\nEND:VCARD\n"
        "BEGIN:VCARD\nVERSION:3.0\nN:Broken;;;\nno colon here\nEND:VCARD\n"
        "BEGIN:VCARD\nVERSION:3.0\nN:Roe;Bob;;;\nEND:VCARD\n",
        encoding="utf-8",
    )
    options = ["--load", f"anna@x.example={file}", "--label", "Customers"]

    with SandboxServer(*options, data=tmp_path / "state") as box:
        first, said = box.people("anna@x.example"), box.errors()
        members = box.groups("anna@x.example")["Customers"]["members"]
        box.delete_person("anna@x.example", first[0]["resourceName"])
        box.restart()
        second, again = box.people("anna@x.example"), box.errors()

    assert "cards.vcf: 2 added, 0 already there, 1 refused" in said
    assert "line 7: not a vCard line" in said
    assert "cards.vcf: 0 added, 2 already there, 1 refused" in again
    assert (len(first), len(members), len(second)) == (2, 2, 1)


@pytest.mark.point("S-10")
def test_the_hand_creates_edits_and_deletes() -> None:
    with SandboxServer(*OPTIONS) as box:
        owner = "anna@x.example"
        person = {**contact("Ann"), "labels": ["Team"]}
        person["emailAddresses"] = [email("a@x.example")]
        made = box.create_person(owner, person)
        name = made["resourceName"]

        edited = box.edit_person(owner, name, {"names": [{"givenName": "Anne"}]})
        box.act(owner, name, "unlabel", name="Team")
        photo = box.act(owner, name, "photo")
        box.delete_person(owner, name)

        assert edited["emailAddresses"][0]["value"] == "a@x.example"
        assert edited["names"][0]["displayName"] == "Anne"
        assert "default" not in photo["photos"][0]
        assert box.groups(owner)["Team"]["members"] == []
        assert box.people(owner) == []
