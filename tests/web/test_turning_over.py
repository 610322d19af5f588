"""Leaders who stopped in the Inbox, and turning events over (CAL-25, HIS-6)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from crm import activities
from crm.activityrows import Kind, Participant
from crm.common import Author
from crmsync.records.activities import Role
from crmsync.storage import people
from crmsync.storage import tables as t
from tests.web.browsing import PHONE, assert_accessible, assert_fits
from tests.web.site import ANNA, BEN, Site
from tests.web.test_layout import Opener

pytestmark = pytest.mark.rule("CAL-25", "HIS-6")
ADMIN = "root@shop.example"


def leave(site: Site) -> str:
    """Let Anna lead what Ben has a copy of, and not synchronise any more."""
    ids = {}
    for email in (ANNA, BEN):
        user = site.add_user(email)
        ids[email] = site.app.crm.ensure_user(email, user.name)
    site.add_user(ADMIN, is_admin=True)
    values = {"type": "meeting", "subject": "Review", "start": "2126-12-01T09:00:00Z"}
    member = Participant(Kind.USER, ids[BEN], answer="accepted")
    with site.app.database.write() as connection:
        made = activities.create(
            connection,
            values,
            leader=ids[ANNA],
            participants=(member,),
            by=Author(ids[ANNA]),
        )
    for email, role in ((ANNA, Role.OWN), (BEN, Role.COPY)):
        user = people.user_by_email(site.app.database, email)
        pair = people.pair_of(site.app.database, user.user_id, "calendar")
        row = {
            "id": site.app.ids.new(),
            "pair_id": pair.pair_id,
            "crm_id": made.id,
            "google_id": "event1",
            "crm_base": {"start": "2126-12-01T09:00:00Z", "duration": "60"},
            "google_base": {},
            "created_in": "google" if role is Role.OWN else "",
            "role": role.value,
        }
        with site.app.database.write() as connection:
            connection.execute(t.links.insert().values(**row))
    return made.id


def test_the_inbox_says_that_a_leader_stopped(site: Site) -> None:
    activity = leave(site)

    of_ben = site.visitor(BEN).get("/inbox").text
    of_anna = site.visitor(ANNA).get("/inbox").text
    of_admin = site.visitor(ADMIN).get("/inbox?of=everybody").text

    assert "Anna’s calendar is not synchronised any more" in of_ben
    assert "Turn over …" not in of_ben
    assert "not synchronised any more" not in of_anna
    assert f"/inbox/turn-over/{activity}" in of_admin


def test_only_an_admin_turns_over_and_sees_first_what_happens(site: Site) -> None:
    activity = leave(site)
    path = f"/inbox/turn-over/{activity}"
    assert site.visitor(BEN).get(path).status_code == 404
    assert site.visitor(BEN).post(path).status_code == 404
    admin = site.visitor(ADMIN)

    before = site.fingerprint()
    page = admin.get(path).text
    assert site.fingerprint() == before
    admin.post(path)

    assert "Nobody gets a mail" in page
    assert "Keeps the present event as an own one" in page
    with site.app.database.read() as connection:
        roles = set(connection.scalars(select(t.links.c.role)))
        marks = connection.execute(select(t.choices)).all()
    assert roles == {"separate", "copy"}
    assert [(mark.remote_id, mark.kind) for mark in marks] == [("event1", "over")]
    assert "Nothing to turn over" in admin.get(path).text
    assert "not synchronised any more" not in site.visitor(BEN).get("/inbox").text


@pytest.mark.timeout(60)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_and_are_accessible(
    site: Site, open_desk: Opener, scheme: str
) -> None:
    activity = leave(site)
    with site.served() as url:
        desk = open_desk(url, color_scheme=scheme, viewport=PHONE)
        desk.sign_in(ADMIN)
        for path in ("/inbox?of=everybody", f"/inbox/turn-over/{activity}"):
            desk.page.goto(f"{url}{path}")
            assert_fits(desk.page)
            assert_accessible(desk.page)
