"""Recorded e-mail in the history: once, seen by whom, taken back, moved."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from crm import completion, contacts, history, mail, merging
from crm.common import Author
from crm.deals import OPPORTUNITIES, TICKETS
from crm.errors import BadValue, NotFound
from crm.leads import LEADS
from crm.mail import NewFile, NewMail
from tests.crm.builders import RULE, make_activity, make_contact, make_user

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BY = Author("", NOW)
FILE = NewFile("offer.pdf", "application/pdf", 9, "d" * 64, "attachment")
LOGO = NewFile("logo.png", "image/png", 3, "e" * 64, "picture", "logo@x")


def new_mail(person: tuple[str, str], key: str = "k", **facts: Any) -> NewMail:
    made = NewMail(key, person, "<1@x>", "t1", False, "Offer " * 40, "Ada <a@x>", NOW)
    return replace(made, **facts)


def subjects(conn: Connection, *of: str) -> list[str]:
    found = history.entries(conn, (of[0], of[1]), viewer="U1")
    return [entry.subject for entry in found]


@pytest.mark.rule("MAIL-7", "MAIL-8")
def test_a_message_is_recorded_once_by_its_key_and_whole(conn: Connection) -> None:
    person = ("contact", make_contact(conn).id)
    new = new_mail(person, to=("B, C <b@x>", "d@x"), html="<p>", files=(FILE, LOGO))

    first = mail.record(conn, new, by=BY)
    again = mail.record(conn, new, by=BY)

    assert (first.was_there, again.was_there) == (False, True)
    assert first.history_id == again.history_id
    row = history.mail(conn, first.history_id)
    assert (row.subject, row.to, row.html) == (new.subject, new.to, "<p>")
    assert [file.name for file in row.files] == ["offer.pdf", "logo.png"]
    (entry,) = history.entries(conn, person, viewer="U1")
    assert (entry.subject, entry.files, entry.is_sent) == (new.subject, 1, False)


@pytest.mark.rule("MAIL-7")
def test_two_that_record_the_same_at_once_make_one(engine: Engine) -> None:
    with engine.begin() as conn:
        person = ("contact", make_contact(conn).id)
    gate, found = threading.Barrier(2), list[mail.Recorded]()

    def run() -> None:
        for number in range(10):
            gate.wait(20)
            with engine.begin() as conn:
                new = new_mail(person, f"k{number}", files=(FILE,))
                found.append(mail.record(conn, new, by=BY))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(25)

    assert len(found) == 20
    assert sum(not item.was_there for item in found) == 10
    with engine.begin() as conn:
        assert history.counts(conn, *_one(person))[person[1]][0] == 10
        assert len(history.attachments(conn, person, viewer="U1")) == 10


def _one(person: tuple[str, str]) -> tuple[str, list[str]]:
    return person[0], [person[1]]


@pytest.mark.rule("MAIL-15")
def test_what_was_taken_back_is_gone_and_recorded_again_on_wish(
    conn: Connection,
) -> None:
    person = ("lead", LEADS.create(conn, {"last": "Ray"}).id)
    new = new_mail(person, files=(FILE,))
    done = mail.record(conn, new, by=BY)

    assert mail.remove(conn, done.history_id, viewer="U1", by=BY)

    assert subjects(conn, *person) == []
    assert history.attachments(conn, person, viewer="U1") == []
    assert history.counts(conn, *_one(person)) == {}
    assert completion.history(conn) == []
    assert not mail.remove(conn, done.history_id, viewer="U1", by=BY)
    with pytest.raises(NotFound):
        mail.move(conn, done.history_id, person, viewer="U1")
    assert mail.record(conn, new, by=BY) == mail.Recorded(done.history_id, False)
    assert len(subjects(conn, *person)) == 1
    assert len(history.attachments(conn, person, viewer="U1")) == 1


@pytest.mark.rule("MAIL-15")
def test_a_moved_message_takes_its_attachments_along(conn: Connection) -> None:
    contact = ("contact", make_contact(conn).id)
    lead = ("lead", LEADS.create(conn, {"last": "Ray"}).id)
    deal = ("opportunity", OPPORTUNITIES.create(conn, {"name": "Pumps"}).id)
    ticket = ("ticket", TICKETS.create(conn, {"subject": "Leak"}).id)
    done = mail.record(conn, new_mail(contact, files=(FILE,)), by=BY)

    def homes() -> list[str]:
        return [
            of[0]
            for of in (contact, lead, deal, ticket)
            if subjects(conn, *of) and history.attachments(conn, of, viewer="U1")
        ]

    seen = [homes()]
    for target in (lead, deal, ticket, contact):
        mail.move(conn, done.history_id, target, viewer="U1")
        seen.append(homes())

    assert seen == [
        ["contact"],
        ["lead"],
        ["lead", "opportunity"],
        ["lead", "ticket"],
        ["contact", "ticket"],
    ]
    with pytest.raises(NotFound):
        mail.move(conn, done.history_id, ("lead", "LNOTTHERE222"), viewer="U1")
    with pytest.raises(BadValue):
        mail.move(conn, done.history_id, ("planet", "Mars"), viewer="U1")


@pytest.mark.rule("WEB-3")
def test_a_message_and_its_files_are_seen_by_those_who_see_the_person(
    conn: Connection,
) -> None:
    anna, ben = make_user(conn, "Anna"), make_user(conn, "Ben")
    mine = contacts.create(conn, {"last": "Ray"}, account=RULE, owner=anna)
    person = ("contact", mine.id)
    by = Author(anna, NOW)
    done = mail.record(conn, new_mail(person, files=(FILE,)), by=by)
    (file,) = history.attachments(conn, person, viewer=anna)

    assert history.file(conn, file.id, viewer=anna).name == "offer.pdf"
    assert history.entries(conn, person, viewer=ben) == []
    for attempt in (
        lambda: history.mail(conn, done.history_id, viewer=ben),
        lambda: history.file(conn, file.id, viewer=ben),
        lambda: mail.remove(conn, done.history_id, viewer=ben),
        lambda: mail.record(conn, new_mail(person, "k2"), by=Author(ben, NOW)),
    ):
        with pytest.raises(NotFound):
            attempt()


@pytest.mark.rule("MAIL-4")
def test_history_is_counted_for_many_persons_of_all_users(conn: Connection) -> None:
    one, two = make_contact(conn), make_contact(conn, email="two@x.example")
    later = NOW + timedelta(days=1)
    mail.record(conn, new_mail(("contact", one.id), "a"), by=BY)
    mail.record(
        conn, new_mail(("contact", one.id), "b", sent_at=later), by=Author("", NOW)
    )
    call = make_activity(conn, type="call", contact_id=two.id)
    completion.complete(conn, [call.id], by=BY)

    found = history.counts(conn, "contact", [one.id, two.id, "CNOTTHERE222"])

    assert found == {one.id: (2, later), two.id: (1, NOW)}


def test_a_history_turns_page_by_page_the_newest_first(conn: Connection) -> None:
    person = ("contact", make_contact(conn).id)
    for number in range(5):
        sent_at = NOW + timedelta(days=number // 2)
        new = new_mail(person, f"k{number}", subject=str(number), sent_at=sent_at)
        mail.record(conn, new, by=BY)

    whole = history.entries(conn, person, viewer="U1")
    first = history.entries(conn, person, viewer="U1", limit=2)
    rest = history.entries(conn, person, viewer="U1", place=first[-1].place)
    back = history.entries(
        conn, person, viewer="U1", place=rest[0].place, backwards=True
    )

    assert [entry.id for entry in (*first, *rest)] == [entry.id for entry in whole]
    assert back == first
    assert whole[0].subject == "4"


@pytest.mark.rule("CON-21")
def test_a_merged_contact_s_history_goes_to_the_survivor(conn: Connection) -> None:
    keep, lose = make_contact(conn), make_contact(conn, email="other@mail.example")
    mail.record(conn, new_mail(("contact", lose.id), subject="Hello"), by=BY)

    merging.merge(conn, keep.id, lose_id=lose.id)

    assert subjects(conn, "contact", keep.id) == ["Hello"]
