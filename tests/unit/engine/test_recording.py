"""Whom a message concerns, and who gets it (MAIL-3 … MAIL-7, MAIL-13)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmsync.engine.recording import (
    Circle,
    Exclusion,
    Person,
    PersonKind,
    Rule,
    concerned,
    missing,
    record_key,
    targets,
)
from crmsync.records.mail import Address, Mail

ME, ALIAS = "me@shop.example", "sales@shop.example"
BEN = "ben@shop.example"
ANN, BOB = "ann@client.example", "bob@client.example"
CIRCLE = Circle(
    own=frozenset({ME, ALIAS}),
    colleagues=frozenset({BEN}),
    domains=frozenset({"branch.example"}),
    never=frozenset({"lawyer@client.example", "bank.example", "@spam.example"}),
)


def addresses(*emails: str) -> tuple[Address, ...]:
    return tuple(Address(email) for email in emails)


def person(
    number: int, *, kind: str = "contact", address: str = ANN, **more: object
) -> Person:
    return Person(
        PersonKind(kind),
        f"P{number}",
        f"Person {number}",
        "Client",
        address,
        **more,  # type: ignore[arg-type]  # a table's values
    )


def keys(mail: Mail, *, is_sent: bool = False) -> list[str]:
    return [a.key for a in concerned(mail, CIRCLE, is_sent=is_sent).addresses]


@pytest.mark.rule("MAIL-6")
@pytest.mark.parametrize(
    ("sender", "to", "cc", "expected"),
    [
        (ANN, [ME], [BOB], [ANN]),
        (ANN.upper(), [ME], [], [ANN]),
        (BEN, [ME, ANN], [BOB], [ANN, BOB]),
        ("x@branch.example", [ANN], [], [ANN]),
        ("x@south.branch.example", [ANN], [], [ANN]),
        (ME, [ANN, ME], [BEN], [ANN]),
        (ALIAS, [ANN], [], [ANN]),
        ("", [ANN], [], []),
    ],
)
def test_of_a_received_message_the_sender_counts_or_whom_a_colleague_wrote_to(
    sender: str, to: list[str], cc: list[str], expected: list[str]
) -> None:
    mail = Mail(
        sender=Address(sender) if sender else None,
        to=addresses(*to),
        cc=addresses(*cc),
        bcc=addresses(BOB),
    )

    assert keys(mail) == expected


@pytest.mark.rule("MAIL-6")
def test_of_a_sent_message_everybody_outside_counts_once() -> None:
    mail = Mail(
        sender=Address(ME),
        to=addresses(ANN, BEN),
        cc=addresses(ANN.upper(), ALIAS),
        bcc=addresses(BOB),
    )

    assert keys(mail, is_sent=True) == [ANN, BOB]


@pytest.mark.rule("MAIL-6", "MAIL-13")
def test_whoever_is_left_out_is_named_with_the_reason() -> None:
    mail = Mail(
        to=addresses(
            ALIAS, BEN, "lawyer@client.example", "a@bank.example", "b@x.spam.example"
        )
    )

    found = concerned(mail, CIRCLE, is_sent=True)

    assert found.addresses == ()
    assert [why for _, why in found.excluded] == [
        Exclusion.OWN,
        Exclusion.COLLEAGUE,
        Exclusion.NEVER,
        Exclusion.NEVER,
        Exclusion.NEVER,
    ]


EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)


@pytest.mark.rule("MAIL-3", "MAIL-4")
@pytest.mark.parametrize(
    ("people", "best", "rule"),
    [
        ([person(1)], "P1", Rule.ONLY),
        ([person(1), person(2, history=3)], "P2", Rule.MOST_HISTORY),
        (
            [person(1, kind="lead", history=4), person(2, history=3)],
            "P1",
            Rule.MOST_HISTORY,
        ),
        (
            [
                person(1, history=3, last_history=EARLY),
                person(2, history=3, last_history=LATE),
            ],
            "P2",
            Rule.MOST_RECENT,
        ),
        ([person(2), person(1)], "P1", Rule.FIRST),
        ([person(1, kind="lead"), person(2)], "P2", Rule.FIRST),
    ],
)
def test_of_several_the_one_with_the_most_history_gets_it(
    people: list[Person], best: str, rule: Rule
) -> None:
    (target,) = targets(addresses(ANN), people)

    assert (target.person.person_id, target.rule) == (best, rule)
    assert {p.person_id for p in target.runners_up} == {p.person_id for p in people} - {
        best
    }


@pytest.mark.rule("MAIL-6")
def test_several_people_get_one_record_each_and_nobody_two() -> None:
    people = [person(1), person(1, address=BOB), person(2, address="c@client.example")]

    found = targets(addresses(ANN, BOB, "c@client.example", "nobody@x.example"), people)

    assert [target.person.person_id for target in found] == ["P1", "P2"]


@pytest.mark.rule("MAIL-5")
def test_whoever_is_not_in_the_crm_is_missing() -> None:
    assert missing(addresses(ANN, BOB), [person(1)]) == addresses(BOB)


@pytest.mark.rule("MAIL-7")
def test_a_message_has_one_key_per_person_whoever_records_it() -> None:
    one, again = (
        Mail(message_id="<a@x>", text="x"),
        Mail(message_id="<a@x>", bcc=addresses(BOB)),
    )
    contact, lead = (PersonKind.CONTACT, "P1"), (PersonKind.LEAD, "P1")

    assert record_key(one, contact) == record_key(again, contact)
    others = {record_key(one, lead), record_key(Mail(message_id="<b@x>"), contact)}
    assert record_key(one, contact) not in others
    assert len(record_key(one, contact)) <= 64
