"""Taking a recorded message back, and moving it: rows, labels, history (MAIL-15)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from crm import history
from crmsync.errors import NotFound
from crmsync.services.recording import undoing
from crmsync.storage import mail, people
from crmsync.storage import mailtables as m
from crmsync.storage import tables as t
from tests.web.scenes import add_contact, add_cycle, add_mail
from tests.web.site import ANNA, BEN, Site


@pytest.fixture
def site(tmp_path: Path) -> Any:
    made = Site(tmp_path)
    yield made
    made.close()


class Scene:
    """One message in two mailboxes, recorded by the first for some people."""

    def __init__(self, site: Site, people_count: int) -> None:
        self.site = site
        self.anna, ben = site.add_user(ANNA), site.add_user(BEN)
        self.pairs = [
            people.pair_of(site.app.database, user.user_id, "mail").pair_id
            for user in (self.anna, ben)
        ]
        self.cycle_id = add_cycle(site, self.anna)
        self.contacts = [add_contact(site, last=f"P{n}") for n in range(people_count)]
        self.records = [add_mail(site, "contact", key) for key in self.contacts]
        now = site.app.clock.now()
        with site.app.database.write() as connection:
            for pair_id in self.pairs:
                row = {"pair_id": pair_id, "message_id": "m1", "thread_id": "t1"}
                row |= {"identity": "id:<1@x>", "state": "recorded"}
                connection.execute(m.messages.insert().values(**row, seen_at=now))
            for contact_id, history_id in zip(self.contacts, self.records, strict=True):
                connection.execute(
                    m.records.insert().values(
                        key=f"k-{contact_id}",
                        pair_id=self.pairs[0],
                        message_id="m1",
                        identity="id:<1@x>",
                        person_kind="contact",
                        person_id=contact_id,
                        history_id=history_id,
                        cycle_id=self.cycle_id,
                        recorded_at=now,
                    )
                )

    def messages(self) -> list[tuple[str, bool]]:
        wanted = sa.select(m.messages.c.state, m.messages.c.wants_labels)
        with self.site.app.database.read() as connection:
            return [tuple(row) for row in connection.execute(wanted)]

    def reasons(self) -> list[str]:
        wanted = sa.select(t.items.c.reason).order_by(t.items.c.id)
        with self.site.app.database.read() as connection:
            return list(connection.execute(wanted).scalars())


@pytest.mark.rule("MAIL-15")
def test_labels_go_in_every_mailbox_when_nobody_has_the_message_any_more(
    site: Site,
) -> None:
    scene = Scene(site, 2)
    app = site.app

    undoing.take_back(app, scene.anna, scene.records[0], actor=ANNA)
    assert scene.messages() == [("recorded", False)] * 2
    undoing.take_back(app, scene.anna, scene.records[1], actor=ANNA)
    undoing.take_back(app, scene.anna, scene.records[1], actor=ANNA)

    assert scene.messages() == [("removed", True)] * 2
    assert scene.reasons() == ["mail_taken_back"] * 2
    for pair_id in scene.pairs:
        due = people.timing_of(app.database, pair_id).next_due_at
        assert due is not None
        assert due <= app.clock.now()
    with app.database.read() as connection:
        assert history.mail(connection, scene.records[0]).is_removed


@pytest.mark.rule("MAIL-4")
def test_one_click_moves_a_message_to_a_runner_up(site: Site) -> None:
    scene = Scene(site, 1)
    other = add_contact(site, last="Runner")
    runner = {"kind": "contact", "id": other, "name": "Runner"}
    with site.app.database.write() as connection:
        connection.execute(m.records.update().values(runners_up=[runner]))
    visitor = site.visitor(ANNA)
    page = f"/mail/{scene.records[0]}"

    assert f'value="contact:{other}"' in visitor.get(page).text
    form = {"csrf_token": visitor.token(), "target": f"contact:{other}"}
    visitor.open("POST", f"{page}/move", form)

    assert page in visitor.get(f"/contacts/{other}/history").text
    assert f'value="contact:{other}"' not in visitor.get(page).text


@pytest.mark.rule("MAIL-15")
def test_a_move_is_told_and_leaves_the_labels(site: Site) -> None:
    scene = Scene(site, 1)
    other = add_contact(site, last="Other")

    undoing.move(site.app, scene.anna, scene.records[0], ("contact", other), actor=ANNA)
    with pytest.raises(NotFound):
        undoing.move(site.app, scene.anna, scene.records[0], ("lead", "LX"), actor=ANNA)

    assert scene.messages() == [("recorded", False)] * 2
    assert scene.reasons() == ["mail_moved"]
    with site.app.database.read() as connection:
        assert history.mail(connection, scene.records[0]).contact_id == other
        target = connection.execute(sa.select(m.records.c.target)).scalar_one()
    assert target == {"kind": "contact", "id": other}


@pytest.mark.rule("MAIL-9", "MAIL-12")
def test_a_person_sees_what_was_read_and_what_waits_and_nobody_else_does(
    site: Site,
) -> None:
    scene = Scene(site, 0)
    database, now = site.app.database, site.app.clock.now()
    mail.note_read(database, "r1", scene.pairs[0], "m1", "label", now)
    with database.write() as connection:
        connection.execute(
            m.messages.update()
            .where(m.messages.c.pair_id == scene.pairs[0])
            .values(
                state="missing", subject="Old offer", sender="Jo Ray <jo@x.example>"
            )
        )
        row = {"pair_id": scene.pairs[0], "address": "jo@x.example"}
        connection.execute(m.addresses.insert().values(**row, message_id="m1"))
    anna, ben = site.visitor(ANNA), site.visitor(BEN)
    form = {"message": "m1"}

    assert "It carried Send To CRM" in anna.get("/receipt").text
    assert "Old offer" not in ben.get("/receipt").text
    page = anna.get("/inbox/missing").text
    link = page.partition('href="/contacts/new?')[2].partition('"')[0]
    assert (
        'value="jo@x.example"'
        in anna.get(f"/contacts/new?{link}".replace("&amp;", "&")).text
    )
    assert "Old offer" not in ben.get("/inbox/missing").text
    form["csrf_token"] = ben.token()
    assert ben.open("POST", "/inbox/missing/ignore", form).status_code == 404
    form["csrf_token"] = anna.token()
    assert anna.open("POST", "/inbox/missing/ignore", form).status_code == 302
    assert "Old offer" not in anna.get("/inbox/missing").text
