"""Slots: reading flat fields out of full lists and writing them back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.records.cards import (
    ADDRESSES,
    BIRTHDAYS,
    CUSTOM,
    EMAILS,
    NAMES,
    ORGANIZATIONS,
    PHONES,
    URLS,
    Card,
    Entry,
)
from crmsync.records.contacts import FIELDS, custom_field
from crmsync.records.slots import assign, linking_base, overflow, place
from crmsync.records.values import FieldTable, Values

TABLE = FieldTable((*FIELDS, custom_field("Badge")))


def one(value: str, kind: str = "", **more: Any) -> Entry:
    return Entry({"value": value}, kind, **more)


def card(**lists: list[Entry]) -> Card:
    return Card({name: tuple(entries) for name, entries in lists.items()})


def mails(*values: str) -> Card:
    return card(emails=[one(value) for value in values])


def shown(values: Values, *names: str) -> list[str]:
    return [values.get(name, "") for name in names]


def emails_of(found: Card) -> list[str]:
    return [entry.values["value"] for entry in found.of(EMAILS)]


MAIL = ("email", "email2", "email3")
PHONE = ("work_phone", "home_phone", "mobile", "fax")


# ------------------------------------------------------------------ reading


@pytest.mark.rule("CON-16")
def test_new_addresses_fill_slots_primary_first_then_in_order() -> None:
    given = card(emails=[one("a@x"), one("b@x"), one("c@x", is_primary=True)])

    assert shown(assign(given, None, TABLE), *MAIL) == ["c@x", "a@x", "b@x"]


@pytest.mark.rule("CON-16")
def test_a_slot_sticks_to_its_value_when_the_list_is_reordered() -> None:
    base = assign(mails("a@x", "b@x", "c@x", "d@x"), None, TABLE)

    assert assign(mails("d@x", "c@x", "b@x", "a@x"), base, TABLE) == base


@pytest.mark.rule("CON-19")
def test_a_slot_sticks_to_a_value_in_another_spelling() -> None:
    base = {"email": "a@x.com", "mobile": "+12125550012"}
    given = card(
        emails=[one("b@x.com"), one("A@X.com")],
        phones=[one("(212) 555-0012", "work")],
    )

    found = assign(given, base, TABLE)

    assert found["email"] == "A@X.com"
    assert shown(found, *PHONE) == ["", "", "(212) 555-0012", ""]


@pytest.mark.rule("CON-16")
def test_a_removed_address_empties_its_own_slot_only() -> None:
    base = {"email": "a@x", "email2": "b@x"}

    assert assign(mails("b@x"), base, TABLE) == {"email2": "b@x"}


@pytest.mark.rule("CON-16")
def test_phones_go_to_the_slot_of_their_type() -> None:
    given = card(
        phones=[
            one("+12125550001", "other", is_primary=True),
            one("+12125550002", "work"),
            one("+12125550003", "workMobile"),
            one("+12125550004", "homeFax"),
            one("+12125550005", "pager"),
            one("+12125550006", "mobile"),
            one("+12125550007", "My own label"),
        ]
    )

    assert shown(assign(given, None, TABLE), *PHONE) == [
        "+12125550002",
        "+12125550001",
        "+12125550003",
        "+12125550004",
    ]
    assert overflow(given, TABLE) == (PHONES,)


def test_untyped_phones_fill_work_mobile_home_in_this_order() -> None:
    given = card(phones=[one(f"+1212555000{n}") for n in range(1, 5)])

    assert shown(assign(given, None, TABLE), *PHONE) == [
        "+12125550001",
        "+12125550003",
        "+12125550002",
        "",
    ]


def test_one_number_in_two_slots_keeps_the_slot_of_its_type_when_one_goes() -> None:
    number = "+12125550001"
    base = {"work_phone": number, "mobile": number}

    assert assign(card(phones=[one(number, "mobile")]), base, TABLE) == {
        "mobile": number
    }


def test_a_repeated_address_takes_one_slot() -> None:
    found = assign(mails("a@x", "A@X", "b@x"), None, TABLE)

    assert shown(found, *MAIL) == ["a@x", "b@x", ""]


def test_blank_entries_take_no_slot() -> None:
    given = card(emails=[one("  "), Entry({}, "home", rest={"displayName": "J"})])

    assert assign(given, None, TABLE) == {}


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ([one("p.example", "profile"), one("w.example", "work")], "w.example"),
        ([one("w.example", "work"), one("h.example", "homePage")], "h.example"),
        ([one("h.example", "homePage"), one("x.example", "ftp")], "h.example"),
        ([one("f.example", "ftp"), one("c.example", "Shop")], "c.example"),
        (
            [one("w.example", "work"), one("b.example", "blog", is_primary=True)],
            "b.example",
        ),
    ],
)
def test_the_web_address_is_the_primary_or_the_best_typed(
    urls: list[Entry], expected: str
) -> None:
    assert assign(card(urls=urls), None, TABLE) == {"web": expected}


def address(kind: str, street: str, city: str = "", **rest: str) -> Entry:
    values = {"street": street, "city": city}
    return Entry({k: v for k, v in values.items() if v}, kind, rest=rest)


def test_addresses_go_by_type_and_untyped_ones_fill_up() -> None:
    given = card(addresses=[address("other", "1 A St"), address("work", "2 B St")])

    assert assign(given, None, TABLE) == {
        "work_street": "2 B St",
        "home_street": "1 A St",
    }


@pytest.mark.rule("CON-16")
def test_an_edited_address_is_recognised_by_its_likeness() -> None:
    base = {"work_street": "1 A St", "work_city": "Rome", "work_postal": "1"}
    edited = Entry({"street": "1 A St", "city": "Rome", "postal": "2"})
    given = card(addresses=[address("other", "9 Z St"), edited])

    found = assign(given, base, TABLE)

    assert shown(found, "work_street", "work_postal") == ["1 A St", "2"]
    assert found["home_street"] == "9 Z St"


def job(
    name: str, title: str = "", *, is_current: bool = False, is_primary: bool = False
) -> Entry:
    values = {"name": name, "title": title}
    return Entry(
        {k: v for k, v in values.items() if v},
        is_current=is_current,
        is_primary=is_primary,
    )


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (None, "Now"),
        ({"company": "Old", "title": "CEO"}, "Old"),
        ({"company": "Gone", "title": "Boss"}, "Now"),
        ({"company": "Third"}, "Third"),
        ({"company": "Old", "title": "Boss"}, "Old"),
    ],
)
def test_the_organization_is_the_one_from_the_base_else_the_current(
    base: Values | None, expected: str
) -> None:
    given = card(
        organizations=[
            job("Old", "Clerk"),
            job("Now", "Boss", is_current=True),
            job("Third", is_primary=True),
        ]
    )

    assert assign(given, base, TABLE)["company"] == expected


def test_single_fields_and_custom_fields_are_read() -> None:
    given = card(
        names=[Entry({"first": "Jo", "last": "Doe", "suffix": "Jr."})],
        birthdays=[Entry({"date": "1980-02-03"})],
        notes=[one("likes tea")],
        custom=[
            Entry({"key": "Other", "value": "no"}),
            Entry({"key": "Badge", "value": "7"}),
        ],
    )

    assert assign(given, None, TABLE) == {
        "first": "Jo",
        "last": "Doe",
        "suffix": "Jr.",
        "birthday": "1980-02-03",
        "notes": "likes tea",
        "custom:Badge": "7",
    }
    assert overflow(given, TABLE) == (CUSTOM,)


def test_a_custom_value_under_another_key_is_not_mistaken_for_ours() -> None:
    given = card(custom=[Entry({"key": "Other", "value": "7"})])

    assert assign(given, {"custom:Badge": "7"}, TABLE) == {}


def test_a_field_that_is_switched_off_has_no_slot() -> None:
    table = FieldTable(tuple(f for f in FIELDS if f.name not in {"email2", "web"}))
    given = card(emails=[one("a@x"), one("b@x"), one("c@x")], urls=[one("w.example")])

    assert assign(given, None, table) == {"email": "a@x", "email3": "b@x"}


# ------------------------------------------------------------------ linking


@pytest.mark.rule("CON-22")
def test_linking_pairs_by_value_and_unites_while_slots_last() -> None:
    crm = {"email": "x@x", "email2": "y@x"}

    found = assign(mails("a@x", "Y@X", "b@x"), linking_base(crm), TABLE)

    assert shown(found, *MAIL) == ["", "Y@X", "a@x"]


@pytest.mark.rule("CON-22")
def test_linking_leaves_a_slot_alone_that_the_other_side_has_a_value_for() -> None:
    crm = {"mobile": "+12125550001", "title": "CEO", "company": "Acme"}
    given = card(
        phones=[one("+12125550002", "mobile")],
        organizations=[job("Globex", "Clerk")],
    )

    found = assign(given, linking_base(crm), TABLE)

    assert found == {"company": "Globex", "title": "Clerk"}
    united = place(given, linking_base(crm), {"mobile": "+12125550001"}, TABLE)
    assert [entry.values["value"] for entry in united.of(PHONES)] == [
        "+12125550002",
        "+12125550001",
    ]
    assert assign(united, {"mobile": "+12125550001"}, TABLE)["mobile"] == "+12125550001"


# ------------------------------------------------------------------ writing


@pytest.mark.rule("CON-16")
def test_a_changed_slot_changes_its_entry_and_no_other() -> None:
    kept = one("b@x", "home", rest={"displayName": "B"})
    given = card(emails=[one("a@x", "work"), kept, one("d@x"), one("e@x")])
    base = assign(given, None, TABLE)

    found = place(given, base, {"email": "new@x"}, TABLE)

    assert emails_of(found) == ["new@x", "b@x", "d@x", "e@x"]
    assert found.of(EMAILS)[0].kind == "work"
    assert found.of(EMAILS)[1] == kept


@pytest.mark.rule("CON-16")
def test_a_cleared_slot_stays_empty_although_an_address_overflows() -> None:
    given = mails("a@x", "b@x", "c@x", "d@x")
    base = assign(given, None, TABLE)

    found = place(given, base, {"email2": ""}, TABLE)

    assert emails_of(found) == ["a@x", "c@x", "d@x"]
    after = {"email": "a@x", "email3": "c@x"}
    assert assign(found, after, TABLE) == after
    stored = Card.from_dict(json.loads(json.dumps(found.to_dict())))
    assert assign(stored, after, TABLE) == after


def test_a_parked_address_is_used_when_the_slot_gets_it_by_hand() -> None:
    given = mails("a@x", "b@x", "c@x", "d@x")
    cleared = place(given, assign(given, None, TABLE), {"email2": ""}, TABLE)
    after = {"email": "a@x", "email3": "c@x"}

    found = place(cleared, after, {"email2": "D@x"}, TABLE)

    assert emails_of(found) == ["a@x", "c@x", "d@x"]
    assert assign(found, {**after, "email2": "D@x"}, TABLE)["email2"] == "d@x"


def test_a_parked_mark_goes_with_its_address() -> None:
    given = mails("a@x", "b@x", "c@x", "d@x")
    cleared = place(given, assign(given, None, TABLE), {"email2": ""}, TABLE)
    without = Card({EMAILS: cleared.of(EMAILS)[:2]}, cleared.parked)
    base = {"email": "a@x", "email3": "c@x"}

    assert cleared.parked
    assert place(without, base, {"first": "Jo"}, TABLE).parked == frozenset()


def test_an_overflowing_value_moves_into_the_slot_that_now_names_it() -> None:
    given = mails("a@x", "b@x", "c@x", "d@x")
    base = assign(given, None, TABLE)

    found = place(given, base, {"email": "d@x", "email2": "a@x"}, TABLE)

    after = {"email": "d@x", "email2": "a@x", "email3": "c@x"}
    assert assign(found, after, TABLE) == after
    assert sorted(emails_of(found)) == ["a@x", "c@x", "d@x"]


def test_slots_can_be_swapped() -> None:
    given = card(phones=[one("+12125550001", "work"), one("+12125550002", "mobile")])
    base = assign(given, None, TABLE)
    swap = {"work_phone": "+12125550002", "mobile": "+12125550001"}

    found = place(given, base, swap, TABLE)

    assert assign(found, swap, TABLE) == swap
    assert len(found.of(PHONES)) == 2


@pytest.mark.parametrize(
    ("name", "value", "listed", "kind"),
    [
        ("email", "a@x", EMAILS, "work"),
        ("email3", "a@x", EMAILS, "other"),
        ("work_phone", "1", PHONES, "work"),
        ("home_phone", "1", PHONES, "home"),
        ("mobile", "1", PHONES, "mobile"),
        ("fax", "1", PHONES, "workFax"),
        ("web", "x.example", URLS, "work"),
        ("work_street", "1 A St", ADDRESSES, "work"),
        ("home_city", "Rome", ADDRESSES, "home"),
        ("company", "Acme", ORGANIZATIONS, "work"),
    ],
)
def test_a_value_in_an_empty_slot_makes_an_entry_of_its_type(
    name: str, value: str, listed: str, kind: str
) -> None:
    found = place(Card(), None, {name: value}, TABLE)

    assert [entry.kind for entry in found.of(listed)] == [kind]
    assert assign(found, None, TABLE).get(name if name != "email3" else "email") == (
        value
    )


@pytest.mark.rule("CON-16")
def test_what_a_cleared_address_holds_besides_stays() -> None:
    given = card(
        addresses=[address("work", "1 A St", "Rome", poBox="77"), address("home", "2")]
    )
    base = assign(given, None, TABLE)

    found = place(given, base, {"work_street": "", "work_city": ""}, TABLE)
    again = place(found, {"home_street": "2"}, {"work_city": "Oslo"}, TABLE)
    bare = place(given, base, {"home_street": ""}, TABLE)

    assert [e.rest for e in found.of(ADDRESSES)] == [{"poBox": "77"}, {}]
    assert again.of(ADDRESSES)[0].values == {"city": "Oslo"}
    assert len(bare.of(ADDRESSES)) == 1


def test_a_partial_birthday_is_replaced_and_never_doubled() -> None:
    partial = Entry(trim={"date": {"month": 2, "day": 3}})
    given = card(birthdays=[partial])

    found = place(given, {}, {"birthday": "1980-02-03"}, TABLE)

    assert assign(given, None, TABLE) == {}
    assert [e.values for e in found.of(BIRTHDAYS)] == [{"date": "1980-02-03"}]
    assert place(given, {}, {"first": "Jo"}, TABLE).of(BIRTHDAYS) == (partial,)


def test_a_new_address_does_not_take_over_one_of_another_type() -> None:
    other = Entry({}, "other", rest={"poBox": "77"})
    given = card(addresses=[other])

    found = place(given, None, {"work_city": "Rome"}, TABLE)

    assert found.of(ADDRESSES)[0] == other
    assert found.of(ADDRESSES)[1].values == {"city": "Rome"}


def test_an_emptied_name_keeps_what_is_not_mapped() -> None:
    given = card(names=[Entry({"first": "Jo"}, rest={"phoneticGivenName": "Dscho"})])

    found = place(given, {"first": "Jo"}, {"first": ""}, TABLE)

    assert found.of(NAMES)[0].rest == {"phoneticGivenName": "Dscho"}
    assert place(found, {}, {"last": "Doe"}, TABLE).of(NAMES)[0].values == {
        "last": "Doe"
    }


@pytest.mark.rule("CON-17")
def test_a_custom_field_is_written_under_its_key() -> None:
    other = Entry({"key": "Other", "value": "7"})
    given = card(custom=[other])

    found = place(given, None, {"custom:Badge": "7"}, TABLE)
    gone = place(found, {"custom:Badge": "7"}, {"custom:Badge": ""}, TABLE)

    assert found.of(CUSTOM) == (other, found.of(CUSTOM)[1])
    assert found.of(CUSTOM)[1].values == {"key": "Badge", "value": "7"}
    assert gone.of(CUSTOM) == (other,)


def test_a_cleared_company_does_not_let_an_older_one_rise() -> None:
    given = card(organizations=[job("Now", is_current=True), job("Old")])
    base = assign(given, None, TABLE)

    found = place(given, base, {"company": ""}, TABLE)

    assert assign(found, {}, TABLE) == {}
    assert [e.values["name"] for e in found.of(ORGANIZATIONS)] == ["Old"]


def test_a_card_survives_its_json_form() -> None:
    given = Card(
        {
            EMAILS: (one("a@x", "work", is_primary=True, rest={"displayName": "A"}),),
            ORGANIZATIONS: (job("Acme", is_current=True),),
            BIRTHDAYS: (Entry(trim={"text": "spring"}),),
        },
        frozenset({"ab"}),
    )

    assert Card.from_dict(json.loads(json.dumps(given.to_dict()))) == given


# ------------------------------------------------------------------ properties

_KINDS = st.sampled_from(["", "work", "home", "mobile", "workFax", "pager", "other"])
_MAILS = st.sampled_from(["a@x", "A@x", "b@x", "c@x", "d@x", "e@x"])
_NUMBERS = st.sampled_from([f"+1212555000{n}" for n in range(6)])
_WORDS = st.sampled_from(["", "one", "two", "three"])


@st.composite
def _entries(draw: st.DrawFn, values: st.SearchStrategy[str]) -> list[Entry]:
    size = draw(st.integers(0, 6))
    primary = draw(st.integers(0, 6))
    return [
        Entry(
            {"value": draw(values)},
            draw(_KINDS),
            is_primary=n == primary,
            rest={"n": n} if draw(st.booleans()) else {},
        )
        for n in range(size)
    ]


@st.composite
def _places(draw: st.DrawFn) -> list[Entry]:
    return [
        Entry(
            {
                part: word
                for part in ("street", "city", "country")
                if (word := draw(_WORDS))
            },
            draw(_KINDS),
            rest={"poBox": "1"} if draw(st.booleans()) else {},
        )
        for _ in range(draw(st.integers(0, 4)))
    ]


@st.composite
def _jobs(draw: st.DrawFn) -> list[Entry]:
    return [
        Entry(
            {p: w for p in ("name", "title") if (w := draw(_WORDS))},
            is_current=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]


_CARDS = st.builds(
    card,
    emails=_entries(_MAILS),
    phones=_entries(_NUMBERS),
    urls=_entries(st.sampled_from(["x.example", "y.example", "http://x.example/"])),
    addresses=_places(),
    organizations=_jobs(),
)
_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(MAIL, st.one_of(st.just(""), _MAILS)),
        **dict.fromkeys(PHONE, st.one_of(st.just(""), _NUMBERS)),
        **dict.fromkeys(
            ("company", "title", "work_street", "work_city", "home_street", "first"),
            _WORDS,
        ),
        "web": st.sampled_from(["", "x.example", "z.example"]),
        "custom:Badge": _WORDS,
        "birthday": st.sampled_from(["", "1980-02-03"]),
    },
)


def _bases(given: Card, earlier: Card) -> Values:
    """A base as a link would have it: what some earlier card was read as."""
    return assign(earlier, assign(given, None, TABLE), TABLE)


@pytest.mark.rule("CON-16", "ENG-1")
@given(_CARDS, _CARDS, _CHANGES, st.booleans())
def test_what_is_placed_is_read_back(
    current: Card, earlier: Card, changes: dict[str, str], links: bool
) -> None:
    base = _bases(current, earlier)
    if links:
        base = linking_base(base)
    before = assign(current, base, TABLE)
    after = {**before, **changes}

    found = place(current, base, changes, TABLE)

    assert TABLE.are_same(assign(found, after, TABLE), after)
    again = place(found, after, changes, TABLE)
    assert again == found or TABLE.are_same(assign(again, after, TABLE), after)
    assert again.to_dict() == found.to_dict()


@pytest.mark.rule("CON-16")
@given(_CARDS, _CARDS, _CHANGES)
def test_untouched_entries_keep_their_content_and_order(
    current: Card, earlier: Card, changes: dict[str, str]
) -> None:
    base = _bases(current, earlier)

    found = place(current, base, changes, TABLE)

    for name, entries in current.lists.items():
        kept = [id(e) for e in found.of(name) if any(e is old for old in entries)]
        before = [id(e) for e in entries]
        assert kept == [i for i in before if i in kept]
        touched = len(entries) - len(kept)
        assert touched <= len(changes)
        assert len(found.of(name)) <= len(entries) + len(changes)


@pytest.mark.rule("CON-16")
@given(_CARDS, st.randoms(use_true_random=False))
def test_reordering_is_no_change(current: Card, random: Any) -> None:
    base = assign(current, None, TABLE)
    shuffled = {name: list(entries) for name, entries in current.lists.items()}
    for entries in shuffled.values():
        random.shuffle(entries)

    found = assign(card(**shuffled), base, TABLE)

    assert TABLE.are_same(found, base)
