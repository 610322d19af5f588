"""Proposals of colleagues in the Inbox: seen, accepted, declined (HIS-6, CAL-8)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from crm.tables import Activity
from crmsync.storage.people import User
from tests.web.routes import RECORDS
from tests.web.site import ANNA, BEN, Site


def propose(site: Site, user: User) -> str:
    """Propose to put an activity of a user's into the garden."""
    return RECORDS["inbox.accept"].make(site, user)


def places(site: Site) -> list[str]:
    with site.app.database.read() as connection:
        return list(connection.scalars(select(Activity.location)))


@pytest.mark.rule("HIS-6", "CAL-8")
def test_the_inbox_shows_a_proposal_field_by_field(site: Site) -> None:
    propose(site, site.add_user())
    visitor = site.visitor(ANNA)

    page = visitor.get("/inbox").text

    assert "Proposed by colleagues" in page
    assert "<strong>Anna</strong> proposes" in page
    assert "Location" in page
    assert "Garden" in page


@pytest.mark.rule("CAL-8")
@pytest.mark.parametrize(
    ("word", "said", "place"),
    [("accept", "Accepted.", "Garden"), ("decline", "Declined.", "")],
)
def test_a_proposal_is_decided_with_one_click(
    site: Site, word: str, said: str, place: str
) -> None:
    proposal = propose(site, site.add_user())
    visitor = site.visitor(ANNA)
    visitor.get("/inbox")

    visitor.post(f"/inbox/proposals/{proposal}/{word}", {})

    page = visitor.get("/inbox").text
    assert said in page
    assert "Nothing waits for you" in page
    assert places(site) == [place]


@pytest.mark.rule("CAL-8")
def test_who_comes_second_is_told(site: Site) -> None:
    proposal = propose(site, site.add_user())
    visitor = site.visitor(ANNA)
    visitor.get("/inbox")
    visitor.post(f"/inbox/proposals/{proposal}/decline", {})

    visitor.post(f"/inbox/proposals/{proposal}/accept", {})

    assert f"declined already by {ANNA}" in visitor.get("/inbox").text
    assert places(site) == [""]


@pytest.mark.rule("HIS-8")
def test_an_admin_sees_everybodys_proposals_and_others_none(site: Site) -> None:
    propose(site, site.add_user())
    site.add_user(BEN, is_admin=True)
    site.add_user("carl@shop.example")

    of_admin = site.visitor(BEN).get("/inbox?of=everybody").text
    of_carl = site.visitor("carl@shop.example").get("/inbox?of=everybody").text

    assert "proposes to Anna" in of_admin
    assert "proposes" not in of_carl
