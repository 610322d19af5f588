"""Recorded e-mail on pages: history, files, the view of a message, corrections."""

from __future__ import annotations

import hashlib
from email.message import EmailMessage
from typing import Any

import pytest
from playwright.sync_api import expect

from crm.deals import TICKETS
from crm.leads import LEADS
from crmsync.mailports import StoredFile
from crmsync.mime import read_mail
from crmsync.records.mail import FileKind
from tests.unit.mime.vectors import VECTORS
from tests.web.browsing import PHONE, assert_accessible, assert_fits
from tests.web.scenes import add_contact, add_mail
from tests.web.site import ANNA, Site
from tests.web.test_layout import Opener

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d"
    "49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def stored(site: Site, data: bytes, name: str, kind: str, **facts: Any) -> StoredFile:
    digest = hashlib.sha256(data).hexdigest()
    site.app.files.put(digest, data)
    content_type = "image/png" if kind == "picture" else "text/html"
    return StoredFile(digest, name, content_type, len(data), FileKind(kind), **facts)


@pytest.mark.rule("MAIL-8", "WEB-3")
def test_a_mail_s_files_are_handed_out_and_never_shown(site: Site) -> None:
    site.add_user()
    evil = stored(site, b"<script>boom()</script>", 'a"; b\u2028.html', "attachment")
    person = add_contact(site, last="Ray")
    history_id = add_mail(site, "contact", person, evil)
    visitor = site.visitor(ANNA)

    tab = visitor.get(f"/contacts/{person}/attachments").text
    path = tab.partition('href="/mail/files/')[2].partition('"')[0]
    answer = visitor.get(f"/mail/files/{path}")

    assert answer.data == b"<script>boom()</script>"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert f"/mail/{history_id}" in visitor.get(f"/contacts/{person}/history").text


@pytest.mark.rule("MAIL-15")
def test_a_mail_is_moved_and_taken_back_on_its_page(site: Site) -> None:
    site.add_user()
    person = add_contact(site, last="Ray")
    history_id = add_mail(site, "contact", person)
    with site.app.database.write() as connection:
        lead = LEADS.create(connection, {"last": "Leaden"})
        gone = TICKETS.create(connection, {"subject": "Gone"})
        TICKETS.delete(connection, gone.id)
    visitor = site.visitor(ANNA)
    token = visitor.token()
    page = f"/mail/{history_id}"

    assert f"lead:{lead.id}" in visitor.get(f"{page}?q=leaden").text
    for target in (f"ticket:{gone.id}", "planet:Mars", "", "contact:"):
        form = {"csrf_token": token, "target": target}
        visitor.open("POST", f"{page}/move", form)
        assert "was not moved" in visitor.get(page).text
    form = {"csrf_token": token, "target": f"lead:{lead.id}"}
    visitor.open("POST", f"{page}/move", form)
    assert page in visitor.get(f"/leads/{lead.id}/history").text
    assert page not in visitor.get(f"/contacts/{person}/history").text

    visitor.open("POST", f"{page}/undo", {"csrf_token": token})

    assert visitor.get(page).status_code == 404
    assert visitor.get(f"{page}/body").status_code == 404
    assert page not in visitor.get(f"/leads/{lead.id}/history").text
    again = visitor.open("POST", f"{page}/undo", {"csrf_token": token})
    assert again.status_code == 404


@pytest.mark.rule("MAIL-8", "WEB-4")
def test_nothing_of_a_hostile_mail_runs_or_is_fetched(
    site: Site, open_desk: Opener
) -> None:
    site.add_user()
    message = EmailMessage()
    message["Subject"] = "<script>boom()</script>"
    message["From"] = "Eve <eve@x.example>"
    message.set_content("plain")
    remote = '<img src="https://tracker.example/p.png"><img src="cid:logo@x" alt="L">'
    message.add_alternative(f"<p>Hello</p>{remote}{''.join(VECTORS)}", subtype="html")
    mail = read_mail(message.as_bytes())
    picture = stored(site, PIXEL, "logo.png", "picture", content_id="logo@x")
    person = add_contact(site, last="Ray")
    history_id = add_mail(
        site, "contact", person, picture, subject=mail.subject, html=mail.html
    )
    alarms: list[str] = []
    asked: list[str] = []
    with site.served() as url:
        page = open_desk(url).sign_in()
        page.context.expose_function("boom", lambda: alarms.append("boom"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"/mail/{history_id}")
        frame = page.frame_locator("iframe.mail-body")
        expect(frame.get_by_text("Hello").first).to_be_visible()
        shown = frame.locator("img[alt=L]").evaluate("i => i.naturalWidth")
        expect(page.get_by_text("Pictures from the internet")).to_be_visible()
        page.goto(f"/mail/{history_id}/body")
        expect(page.get_by_text("Hello").first).to_be_visible()

    assert alarms == []
    assert shown == 1
    assert [u for u in asked if not u.startswith((url, "data:"))] == []


@pytest.mark.rule("WEB-3", "WEB-4")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_leads_deals_and_mail_are_accessible(
    site: Site, open_desk: Opener, scheme: str
) -> None:
    site.add_user()
    with site.app.database.write() as connection:
        lead = LEADS.create(connection, {"last": "Ray", "company": "Acme"}).id
    mail = add_mail(site, "lead", lead, text="Hello", subject="An offer")
    with site.served() as url:
        page = open_desk(url, color_scheme=scheme).sign_in()
        for path in (
            "/leads",
            f"/leads/{lead}",
            f"/leads/{lead}/history",
            f"/leads/{lead}/edit",
            f"/mail/{mail}",
            "/tickets",
        ):
            page.goto(path)
            assert_accessible(page)
            page.set_viewport_size(PHONE)
            assert_fits(page)
            page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.rule("WEB-3")
def test_a_lead_is_made_edited_and_deleted_and_two_tabs_lose_nothing(
    site: Site,
) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)
    token = visitor.token()

    def send(path: str, **form: str) -> Any:
        return visitor.open("POST", path, {"csrf_token": token, **form})

    assert "needed" in send("/leads/new", title="Boss").text
    path = send("/leads/new", last="Ray", email="r@x.example").location
    assert send(f"{path}/edit", version="1", last="Rey").status_code == 302
    clash = send(f"{path}/edit", version="1", last="Roy")
    assert clash.status_code == 409
    assert "Somebody else changed" in clash.text
    assert send(f"{path}/delete", version="1").location.endswith(path)
    assert send(f"{path}/delete", version="2").location.endswith("/leads")
    assert visitor.get(path).status_code == 404
    assert "amount" in send("/opportunities/new", name="P", amount="x").text


def test_lists_of_deals_are_searched_sorted_and_turned(site: Site) -> None:
    site.add_user()
    with site.app.database.write() as connection:
        for number in range(60):
            TICKETS.create(connection, {"subject": f"Leak {number}"})
    visitor = site.visitor(ANNA)

    first = visitor.get("/tickets").text
    following = first.partition('rel="next" href="')[2].partition('"')[0]

    assert "#50 Leak 49" in first
    assert "#51 Leak 50" in visitor.get(following.replace("&amp;", "&")).text
    assert "Leak 33" in visitor.get("/tickets?q=leak+33&sort=-number").text
    for word in ("x", "WzEsMl0", "a" * 5000):
        assert visitor.get(f"/tickets?after={word}").status_code == 200
