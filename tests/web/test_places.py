"""How an activity stands in Google, on its pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crm import activities
from crm.activityrows import ActivityRow, Kind, Participant
from crm.common import Author
from crmsync.services import settings
from crmsync.storage import people
from crmsync.storage import tables as t
from tests.web.site import ANNA, Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.add_user(ANNA)
    yield made
    made.close()


def invited(site: Site, role: str) -> ActivityRow:
    """Anna has accepted somebody else's invitation, linked in a role."""
    anna = site.app.crm.ensure_user(ANNA, "Anna")
    values = {
        "type": "meeting", "subject": "Review", "start": "2026-12-01T09:00:00Z",
        "duration": "60",
    }  # fmt: skip
    me = Participant(Kind.USER, anna, answer="accepted")
    with site.app.database.write() as connection:
        row = activities.create(
            connection, values, leader=anna, participants=(me,), by=Author(anna)
        )
    if not role:
        return row
    user = people.user_by_email(site.app.database, ANNA)
    pair = people.pair_of(site.app.database, user.user_id, "calendar")
    link = {
        "id": "l1", "pair_id": pair.pair_id, "crm_id": row.id, "google_id": "e1",
        "role": role, "crm_base": {}, "google_base": {},
    }  # fmt: skip
    with site.app.database.write() as connection:
        connection.execute(t.links.insert().values(**link))
    return row


@pytest.mark.rule("CAL-8")
@pytest.mark.parametrize(
    ("role", "words", "is_asked"),
    [
        ("", "Not there", True),
        ("invited", "to which you are invited", True),
        ("solo", "An event of your own, without guests", False),
        ("own", "An event of yours", False),
    ],
)
def test_an_activity_says_how_it_stands_in_google_and_whether_an_answer_is_asked_for(
    site: Site, role: str, words: str, is_asked: bool
) -> None:
    row = invited(site, role)

    page = site.visitor(ANNA).get(f"/activities/{row.id}").text

    assert words in page
    assert ("Your answer" in page) is is_asked


@pytest.mark.rule("CAL-8")
def test_who_edits_an_invitation_is_told_before_what_becomes_of_it(site: Site) -> None:
    row = invited(site, "invited")

    page = site.visitor(ANNA).get(f"/activities/{row.id}/edit").text

    assert "Somebody else organises this." in page


@pytest.mark.rule("CAL-9")
@pytest.mark.parametrize("choice", ["off", "on"])
def test_participants_says_who_is_not_invited(site: Site, choice: str) -> None:
    row = invited(site, "own")
    settings.put(site.app, "invite_contacts", choice, actor="test")

    page = site.visitor(ANNA).get(f"/activities/{row.id}/participants").text

    assert ("nobody writes to them" in page) is (choice == "off")
