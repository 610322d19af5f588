"""The built-in CRM as recording sees it: people, and their history."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from crm import contacts, history, users
from crm.accounts import AccountRule
from crm.leads import LEADS
from crm.tables import metadata
from crmsync.connectors.builtin.mail import BuiltinMail
from crmsync.engine.recording import Person, PersonKind
from crmsync.errors import InvalidRecord, NotFound
from crmsync.mailports import Filed, NewMail, StoredFile
from crmsync.records.mail import Address, FileKind, Mail
from crmsync.storage.database import Database
from tests.support.memory_state import VirtualClock

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ADA = "ada@x.example"
MAIL = Mail("<1@x>", "Offer\x00", NOW, Address(ADA, "Ray, Ada"), (Address("me@us"),))
FILE = StoredFile("d" * 64, "a.pdf", "application/pdf", 9, FileKind.ATTACHMENT)


class Office:
    def __init__(self, database: Database) -> None:
        metadata.create_all(database.engine)
        self.database = database
        with database.write() as conn:
            self.anna = users.add(conn, "anna@us.example", name="Anna").id
            values = {"first": "Ada", "last": "Ray", "company": "Acme", "email": ADA}
            row = contacts.create(conn, values, account=AccountRule())
            self.contact = (PersonKind.CONTACT, row.id)
            lead = LEADS.create(conn, {"last": "Ray", "email2": ADA})
            self.lead = (PersonKind.LEAD, lead.id)
        self.crm = BuiltinMail(database, self.anna, clock=VirtualClock())

    def new(self, person: tuple[PersonKind, str], key: str = "k") -> NewMail:
        return NewMail(key, person, MAIL, False, "t1", NOW, (FILE,))


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


@pytest.mark.rule("MAIL-3", "MAIL-4")
def test_people_are_found_with_their_history(office: Office) -> None:
    office.crm.record([office.new(office.lead)])

    found = office.crm.find({ADA, "nobody@x.example"})

    assert sorted(found, key=lambda person: person.kind) == [
        Person(*office.contact, "Ada Ray", "Acme", ADA),
        Person(*office.lead, "Ray", "", ADA, 1, NOW),
    ]


@pytest.mark.rule("MAIL-7")
def test_each_of_a_message_s_persons_gets_it_once_and_a_gone_one_costs_no_other(
    office: Office,
) -> None:
    gone = (PersonKind.CONTACT, "CNOTTHERE222")
    mails = [
        office.new(office.contact, "a"),
        office.new(gone, "b"),
        office.new(office.lead, "c"),
    ]

    first, refused, last = office.crm.record(mails)
    again = office.crm.record([mails[0]])[0]

    assert isinstance(refused.error, InvalidRecord)
    assert first.recorded is not None
    assert last.recorded is not None
    assert again.recorded is not None
    assert again.recorded.was_there
    assert again.recorded.history_id == first.recorded.history_id
    with office.database.read() as conn:
        row = history.mail(conn, first.recorded.history_id)
    assert (row.subject, row.sender) == ("Offer\ufffd", f"Ray, Ada <{ADA}>")
    assert row.files[0].digest == FILE.digest


@pytest.mark.rule("MAIL-7")
def test_two_cycles_that_record_at_once_make_one_record(office: Office) -> None:
    gate, found = threading.Barrier(2), list[Filed]()

    def run() -> None:
        crm = BuiltinMail(office.database, office.anna, clock=VirtualClock())
        for number in range(10):
            gate.wait(20)
            found.extend(crm.record([office.new(office.contact, f"k{number}")]))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(25)

    outcomes = [filed.recorded for filed in found if filed.recorded is not None]
    assert len(outcomes) == 20
    assert sum(not outcome.was_there for outcome in outcomes) == 10
    assert len({outcome.history_id for outcome in outcomes}) == 10


@pytest.mark.rule("MAIL-15")
def test_a_record_is_moved_and_taken_back_and_a_wrong_place_is_said(
    office: Office,
) -> None:
    (filed,) = office.crm.record([office.new(office.contact)])
    assert filed.recorded is not None
    history_id = filed.recorded.history_id

    office.crm.move(history_id, ("lead", office.lead[1]))
    assert [p.history for p in office.crm.find({ADA})] == [0, 1]
    with pytest.raises(NotFound, match="There is no ticket"):
        office.crm.move(history_id, ("ticket", "KNOTTHERE222"))
    with pytest.raises(InvalidRecord):
        office.crm.move(history_id, ("planet", "Mars"))
    office.crm.remove(history_id)
    office.crm.remove(history_id)

    assert [p.history for p in office.crm.find({ADA})] == [0, 0]
    with pytest.raises(NotFound):
        office.crm.remove("HNOTTHERE222")
