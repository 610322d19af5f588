"""The commands as a host types them: each a process, with exit status and output."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from cli.browser import Browser
from cli.demo import free_port
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer

ROOT = Path(__file__).resolve().parents[2]
GROUP = "Friends"
NOWHERE = "http://127.0.0.1:9"
SIDES = {"created": 0, "updated": 0, "deleted": 0, "unlinked": 0}


class Shell:
    """Runs `crm-sync` in an instance of its own."""

    def __init__(self, folder: Path, google: str) -> None:
        self.folder = folder
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GOOGLE_")},
            "PYTHONPATH": str(ROOT),
            "INSTANCE_PATH": str(folder / "instance"),
            "GOOGLE_ROOT_URL": google,
            "GOOGLE_CLIENT_ID": "demo.apps.sandbox.example",
            "GOOGLE_CLIENT_SECRET": "sandbox-client-secret",
            "PUBLIC_URL": f"http://127.0.0.1:{free_port()}",
            "SETTLE_SECONDS": "3",
        }

    def __call__(
        self, *arguments: str, status: int = 0, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "webapp", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            **more,
        )
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", status=status).stdout)

    def authorize(self, user: str) -> str:
        """Type `connection authorize` and agree in the browser."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "webapp", "connection", "authorize"),
                *("google_sync", "--user", user, "--yes", "--timeout", "20"),
            ],
            cwd=self.folder,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            found = re.search(r"https?://\S+", line)
            if found:
                browser = Browser()
                thread = threading.Thread(
                    target=browser.agree, args=(found[0], user), daemon=True
                )
                thread.start()
        assert process.wait(20) == 0, lines
        process.stdout.close()
        return "".join(lines)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with a user and a group, made by commands once and then copied."""
    made = Shell(tmp_path_factory.mktemp("prepared"), NOWHERE)
    made("db", "upgrade")
    made("user", "add", ANNA, "--name", "Anna")
    made("group", "create", GROUP)
    made("group", "set", GROUP, "--user", ANNA)
    return made.folder


@pytest.fixture
def offline(tmp_path: Path, prepared: Path) -> Shell:
    """An instance for commands that ask nothing of Google."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path, NOWHERE)


@pytest.fixture
def shell(tmp_path: Path, prepared: Path, box: SandboxServer) -> Shell:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path, box.url)


def _contact(shell: Shell, **values: str) -> str:
    changes = [f"{name}={value}" for name, value in values.items()]
    made = json.loads(shell("crm", "edit", "contact", "new", *changes).stdout)
    shell("group", "add", GROUP, made["id"])
    return str(made["id"])


@pytest.mark.timeout(120)
@pytest.mark.rule("CON-8", "AUTH-4")
def test_sync_run_prints_exactly_the_object_of_the_interfaces(
    shell: Shell, box: SandboxServer
) -> None:
    _contact(shell, first="Ada", last="Lovelace", email="ada@example.com")
    assert f"as {ANNA}" in shell.authorize(ANNA)

    found = shell.json("sync", "run", "--user", ANNA, "--kind", "contacts", "--accept")

    cycle = found["cycles"][0]
    assert list(found) == ["cycles"]
    assert list(cycle) == [
        "id", "user", "kind", "state", "started_at", "finished_at", "dry_run",
        "counts", "requests", "error",
    ]  # fmt: skip
    assert cycle["counts"] == {
        "linked": 0,
        "google": {**SIDES, "created": 1},
        "crm": SIDES,
        "recorded": 0, "missing": 0, "files": 0,
        "unchanged": 0, "conflicts": 0, "held": 0, "skipped": 0, "errors": 0,
    }  # fmt: skip
    assert list(cycle["counts"]) == [
        "linked", "google", "crm", "recorded", "missing", "files", "unchanged",
        "conflicts", "held", "skipped", "errors",
    ]  # fmt: skip
    assert (cycle["user"], cycle["kind"]) == (ANNA, "contacts")
    assert (cycle["state"], cycle["dry_run"], cycle["error"]) == (
        "succeeded", False, None,
    )  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", cycle["started_at"])
    assert cycle["requests"]["crm"] == 0
    assert cycle["requests"]["google"] >= 3
    assert [p["names"][0]["givenName"] for p in box.people(ANNA)] == ["Ada"]


@pytest.mark.timeout(120)
@pytest.mark.rule("CON-11", "HIS-3")
def test_a_losing_value_is_shown_by_history_and_comes_back_by_restore(
    shell: Shell, box: SandboxServer
) -> None:
    contact = _contact(shell, first="Ada", last="Lovelace", email="ada@example.com")
    shell.authorize(ANNA)
    shell("sync", "run", "--user", ANNA, "--accept")
    box.settle()
    name = box.people(ANNA)[0]["resourceName"]
    shell("crm", "edit", "contact", contact, "title=Countess", "department=Engines")
    box.edit_person(
        ANNA, name, {"organizations": [{"title": "Programmer"}],
                     "biographies": [{"value": "Tall."}]},
    )  # fmt: skip

    cycle = shell.json("sync", "run", "--user", ANNA)["cycles"][0]
    shown = shell.json("history", "show", cycle["id"])
    item = shown["items"][0]

    assert cycle["counts"]["conflicts"] == 1
    assert item["conflict"]["lost"] == [
        {"field": "title", "side": "crm", "value": "Countess"}
    ]
    listed = shell.json("crm", "list", "contact")["contacts"][0]
    assert (listed["title"], listed["department"]) == ("Programmer", "Engines")
    assert listed["notes"] == "Tall."

    shell("item", "restore", item["id"])

    listed = shell.json("crm", "list", "contact")["contacts"][0]
    assert listed["title"] == "Countess"
    assert box.person(ANNA, name)["organizations"][0]["title"] == "Countess"
    box.settle()
    again = shell.json("sync", "run", "--user", ANNA)["cycles"][0]
    assert again["counts"]["google"] == again["counts"]["crm"] == SIDES


@pytest.mark.timeout(120)
@pytest.mark.rule("CON-7", "HIS-6", "WEB-2", "ENG-7")
def test_a_held_contact_is_asked_about_and_resolved(
    shell: Shell, box: SandboxServer
) -> None:
    _contact(shell, first="Ann", last="Smith", email="home@example.com")
    shell.authorize(ANNA)
    box.create_person(
        ANNA,
        {
            "names": [{"givenName": "Bob", "familyName": "Jones"}],
            "emailAddresses": [{"value": "home@example.com"}],
            "labels": ["Infor CRM"],
        },
    )
    preview = shell.json("sync", "run", "--user", ANNA, "--dry-run")["cycles"][0]
    waiting = shell.json("sync", "run", "--user", ANNA, status=3)["cycles"][0]
    shell("sync", "run", "--user", ANNA, "--accept")

    asked = shell.json("inbox")["inbox"]

    assert preview["counts"]["held"] == 2
    assert (waiting["state"], waiting["error"]["code"]) == ("held", "first_cycle")
    assert {entry["item"]["reason_code"] for entry in asked} == {"different_last_names"}
    mine = next(e["item"] for e in asked if e["item"]["crm"]["id"])
    shell("item", "resolve", mine["id"], "--choose", mine["choices"][0]["id"])
    box.settle()
    cycle = shell.json("sync", "run", "--user", ANNA)["cycles"][0]
    assert cycle["counts"]["linked"] == 1
    assert shell.json("inbox")["inbox"] == []


@pytest.mark.timeout(120)
@pytest.mark.rule("AUTH-7", "AUTH-8")
def test_a_revoked_grant_pauses_and_a_new_one_goes_on_without_doubles(
    shell: Shell, box: SandboxServer
) -> None:
    _contact(shell, first="Ada", last="Lovelace", email="ada@example.com")
    shell.authorize(ANNA)
    shell("sync", "run", "--user", ANNA, "--accept")
    box.revoke(ANNA)

    paused = shell.json("sync", "run", "--user", ANNA, status=3)["cycles"][0]
    assert (paused["state"], paused["error"]["code"]) == ("paused", "reauthorise")
    assert "reauthorise" in shell("connection", "list").stdout

    shell.authorize(ANNA)
    box.settle()
    cycle = shell.json("sync", "run", "--user", ANNA)["cycles"][0]
    assert cycle["state"] == "succeeded"
    assert len(box.people(ANNA)) == 1
    gone = shell("connection", "disconnect", "google_sync", "--user", ANNA)
    assert "Disconnected" in gone.stdout


@pytest.mark.timeout(60)
@pytest.mark.rule("ADM-4")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sync", "run", "--user", "nobody@x.example"), "There is no user"),
        (("sync", "run", "--user", ANNA, "--kind", "fax"), "There is no kind"),
        (("group", "set", "Nope", "--user", ANNA), "There is no group"),
        (("history", "show", "nope"), "There is no cycle"),
        (("item", "restore", "nope"), "There is no item"),
        (("settings", "set", "conflict", "me"), "conflict takes google, crm, newest"),
        (("settings", "set", "nope", "1"), "There is no setting"),
        (("settings", "set", "hold_percent", "200"), "whole number from 0 to 100"),
        (("settings", "set", "match", "all", "--user", ANNA), "for one user"),
        (("user", "add", "not an address"), "is not an e-mail address"),
        (("user", "add", ANNA), "already"),
        (("crm", "import", "nope.vcf"), "cannot be read"),
        (("crm", "import", "nope.doc"), "from .csv, .vcf and .ics"),
        (("crm", "edit", "contact", "nope", "first=X"), "no "),
        (("history", "trace", "people/c1"), "Nothing is known"),
    ],
)
def test_wrong_usage_is_a_sentence_and_status_2(
    offline: Shell, arguments: tuple[str, ...], sentence: str
) -> None:
    done = offline(*arguments, status=2)

    assert sentence in done.stderr


@pytest.mark.timeout(60)
@pytest.mark.rule("ADM-2")
def test_settings_are_listed_read_and_changed(offline: Shell) -> None:
    assert "weak_match" in offline("settings", "list").stdout
    offline(
        "settings", "set", "direction", "to_crm", "--user", ANNA, "--kind", "contacts"
    )

    kind = ("--kind", "contacts")
    mine = offline("settings", "get", "direction", "--user", ANNA, *kind).stdout
    others = offline("settings", "get", "direction", *kind).stdout

    assert (mine.strip(), others.strip()) == ("to_crm", "both")


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-9")
def test_a_withheld_kind_cannot_be_started_by_command(offline: Shell) -> None:
    offline("settings", "set", "kinds", "mail", "--user", ANNA)

    done = offline("sync", "run", "--user", ANNA, "--kind", "contacts", status=2)

    assert "withheld" in done.stderr
    assert "administrator" in done.stderr


def test_activities_are_made_listed_completed_and_imported(offline: Shell) -> None:
    values = ("subject=Offer", "start=2026-03-02T08:00:00Z", "duration=60")
    made = json.loads(offline("crm", "edit", "activity", "new", *values).stdout)
    file = offline.folder / "diary.ics"
    file.write_bytes(
        b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:x\r\nSUMMARY:Call\r\nEND:VTODO\r\n"
        b"BEGIN:VJOURNAL\r\nEND:VJOURNAL\r\nEND:VCALENDAR\r\n"
    )

    for words in ("1 imported, 0 known", "0 imported, 1 known"):
        said = offline("crm", "import", str(file), "--as", ANNA).stdout
        assert words in said
        assert "a VJOURNAL is neither an event nor a to-do" in said
    listed = offline.json("crm", "list", "activity", "--as", ANNA)["activities"]
    assert [row["subject"] for row in listed] == ["Offer", "Call"]
    todo = listed[1]["id"]
    assert json.loads(offline("crm", "complete", "activity", todo).stdout)["done"]
    offline("crm", "complete", "activity", todo, "--undo")
    offline("crm", "delete", "activity", made["id"])
    assert len(offline.json("crm", "list", "activity")["activities"]) == 1
    refused = offline("crm", "edit", "activity", todo, "start=soon", status=2)
    assert "Start is neither a date nor a time" in refused.stderr
