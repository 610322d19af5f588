"""Google's contacts side when Google answers oddly, or not at all."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.contacts import ContactsOptions, GoogleContacts
from crmsync.connectors.transport import Transport
from crmsync.errors import (
    CollectionGone,
    CursorExpired,
    EtagMismatch,
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
    ProtocolBroken,
    ProviderDown,
    RateLimited,
)
from crmsync.ports import Edit, NewRecord, Outcome
from crmsync.records.contacts import FIELDS
from crmsync.records.slots import linking_base
from crmsync.records.values import FieldTable
from tests.unit.connectors.conftest import FakeTime
from tests.unit.connectors.loopback import Loopback, Seen, answer, close, serving

TABLE = FieldTable(FIELDS)
LABEL = "contactGroups/label"
Reply = tuple[int, Any] | str


@dataclass
class Google:
    """Answers by the end of the path; each path has its replies in order."""

    replies: dict[str, list[Reply]] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, conn: socket.socket, seen: Seen) -> bool:
        parts = urlsplit(seen.target)
        name = parts.path.rpartition("/")[2].rpartition(":")[2]
        body = json.loads(seen.body) if seen.body[:1] == b"{" else parts.query
        self.calls.append((name, body))
        reply = self.replies.get(name, [(404, {})]).pop(0)
        if isinstance(reply, str):
            return close(conn, seen)
        return answer(reply[0], reply[1])(conn, seen)

    def count(self, name: str) -> int:
        return sum(called == name for called, _ in self.calls)


@dataclass
class Fixture:
    google: Google
    server: Loopback
    side: GoogleContacts

    def when(self, name: str, *replies: Reply) -> None:
        self.google.replies[name] = list(replies)


@pytest.fixture
def box(transport: Transport, time: FakeTime) -> Iterator[Fixture]:
    google = Google()
    with serving(google) as server:
        http = GoogleHttp(transport, Fixed(), api="people")
        side = GoogleContacts(
            http,
            f"{server.url}/",
            table=TABLE,
            clock=time,
            options=ContactsOptions(account_id="a"),
        )
        memo = {"label": LABEL, "label_seen_at": time.now().isoformat()}
        side.open(memo, verify=False, may_write=True)
        yield Fixture(google, server, side)


class Fixed:
    def token(self) -> str:
        return "t"

    def renewed(self, refused: str) -> str:
        return refused


def person(name: str, given: str = "A", **more: Any) -> dict[str, Any]:
    sources = [{"type": "CONTACT", "id": name[-1], "etag": f"#{given}"}]
    return {
        "resourceName": name,
        "etag": f"%{given}",
        "metadata": {"sources": sources},
        "names": [{"givenName": given}],
        **more,
    }


def made(name: str, key: str) -> dict[str, Any]:
    data = [{"key": "crm-sync-key", "value": key}]
    return {"person": {**person(name), "clientData": data}}


def records(count: int) -> list[NewRecord]:
    return [NewRecord(f"k{n}", {"first": f"N{n}"}) for n in range(count)]


def edit(name: str, seen: dict[str, str], values: dict[str, str], **m: Any) -> Edit:
    given: dict[str, Any] = {"etag": "#A", "base": seen, **m}
    return Edit(name, seen=seen, values=values, **given)


def shown(*people: dict[str, Any]) -> tuple[int, Any]:
    responses = [
        {"person": p, "requestedResourceName": p["resourceName"]} for p in people
    ]
    return 200, {"responses": responses}


def kinds(outcomes: Any) -> list[type | None]:
    found: list[Outcome] = list(outcomes)
    return [type(o.error) if o.error is not None else None for o in found]


BAD = {"status": {"code": 3, "message": "bad"}}
STALE = {"error": {"code": 400, "status": "FAILED_PRECONDITION", "message": "stale"}}


# ------------------------------------------------------------------ create


@pytest.mark.rule("ENG-2")
def test_created_people_are_told_apart_by_key_not_by_place(box: Fixture) -> None:
    people = [made("people/c2", "k1"), made("people/c1", "k0")]
    box.when("batchCreateContacts", (200, {"createdPeople": people}))

    found = box.side.create(records(2))

    assert [o.remote and o.remote.remote_id for o in found] == [
        "people/c1",
        "people/c2",
    ]


@pytest.mark.rule("ENG-2")
def test_a_contact_that_the_answer_leaves_out_is_unknown(box: Fixture) -> None:
    people = [made("people/c1", "k0"), {"person": person("people/c9")}]
    box.when("batchCreateContacts", (200, {"createdPeople": people}), (200, {}))

    assert kinds(box.side.create(records(3))) == [None, OutcomeUnknown, OutcomeUnknown]
    assert kinds(box.side.create(records(1))) == [OutcomeUnknown]
    assert box.google.count("batchCreateContacts") == 2


@pytest.mark.rule("ENG-8")
def test_one_refused_item_is_the_one_that_is_missing(box: Fixture) -> None:
    people = [made("people/c1", "k0"), BAD, made("people/c2", "k2")]
    box.when("batchCreateContacts", (200, {"createdPeople": people}))

    assert kinds(box.side.create(records(3))) == [None, InvalidRecord, None]


@pytest.mark.rule("ENG-8")
def test_several_refused_items_are_sent_again_by_halves(box: Fixture) -> None:
    first = {"createdPeople": [made("people/c1", "k1"), BAD, BAD]}
    bad = {"createdPeople": [BAD]}
    box.when("batchCreateContacts", (200, first), (200, bad), (200, bad))

    assert kinds(box.side.create(records(3))) == [InvalidRecord, None, InvalidRecord]


def test_nothing_is_created_without_a_label(
    transport: Transport, time: FakeTime
) -> None:
    http = GoogleHttp(transport, Fixed(), api="people")
    side = GoogleContacts(http, "http://127.0.0.1:9/", table=TABLE, clock=time)

    with pytest.raises(CollectionGone):
        side.create(records(1))


# ------------------------------------------------------------------ update


def test_a_bare_answer_to_an_update_means_done(box: Fixture) -> None:
    box.when("people:batchGet"[7:], shown(person("people/c1")))
    box.when("batchUpdateContacts", (200, {}))

    (found,) = box.side.update([edit("people/c1", {"first": "A"}, {"last": "B"})])

    assert found.error is None
    assert found.remote is not None
    assert (found.remote.etag, found.remote.stamp) == ("", "")
    assert found.remote.values == {"first": "A", "last": "B"}


@pytest.mark.rule("ENG-3")
def test_a_stale_etag_is_traced_to_its_record(box: Fixture) -> None:
    people = [person(f"people/c{n}") for n in range(2)]
    box.when(
        "batchGet",
        shown(*people),
        shown(person("people/c1", "Hand")),
    )
    box.when("batchUpdateContacts", (400, STALE), (200, {}), (400, STALE))

    found = box.side.update(
        [edit(p["resourceName"], {"first": "A"}, {"last": "B"}) for p in people]
    )

    assert kinds(found) == [None, EtagMismatch]
    assert found[1].remote is not None
    assert found[1].remote.values == {"first": "Hand"}


def test_a_record_that_went_stale_by_deletion_is_gone(box: Fixture) -> None:
    gone = {"requestedResourceName": "people/c1", "status": {"code": 5}}
    box.when("batchGet", shown(person("people/c1")), (200, {"responses": [gone]}))
    box.when("batchUpdateContacts", (400, STALE))

    found = box.side.update([edit("people/c1", {"first": "A"}, {"last": "B"})])

    assert kinds(found) == [NotFound]


def test_each_item_of_an_update_has_its_own_outcome(box: Fixture) -> None:
    box.when("batchGet", shown(person("people/c1"), person("people/c2")))
    new = {**person("people/c3"), "etag": "%new"}
    results = {
        "people/c3": {"person": new, "requestedResourceName": "people/c1"},
        "people/c2": BAD,
    }
    box.when("batchUpdateContacts", (200, {"updateResult": results}))

    found = box.side.update(
        [edit(f"people/c{n}", {"first": "A"}, {"last": "B"}) for n in (1, 2)]
    )

    assert kinds(found) == [None, InvalidRecord]
    assert found[0].remote is not None
    assert found[0].remote.remote_id == "people/c3"


def test_a_value_that_can_not_be_written_is_the_record_s_fault(box: Fixture) -> None:
    box.when("batchGet", shown(person("people/c1")))

    found = box.side.update([edit("people/c1", {"first": "A"}, {"birthday": "x"})])

    assert kinds(found) == [InvalidRecord]


@pytest.mark.rule("CON-22")
@pytest.mark.parametrize("says_so", [True, False])
def test_an_edit_made_at_linking_unites_both_lists(box: Fixture, says_so: bool) -> None:
    numbers = [{"value": "+12125550002", "type": "mobile"}]
    box.when("batchGet", shown(person("people/c1", phoneNumbers=numbers)))
    box.when("batchUpdateContacts", (200, {}))
    crm = {"first": "A", "mobile": "+12125550001"}
    base = linking_base(crm) if says_so else {}

    (found,) = box.side.update(
        [edit("people/c1", {"first": "A"}, {"mobile": "+12125550001"}, base=base)]
    )

    assert found.error is None
    sent = box.google.calls[-1][1]["contacts"]["people/c1"]["phoneNumbers"]
    assert [item["value"] for item in sent] == ["+12125550002", "+12125550001"]


# ------------------------------------------------------------------ reading


def test_what_a_batch_does_not_answer_is_asked_for_singly(box: Fixture) -> None:
    box.when("batchGet", shown(person("people/c1")))
    box.when("c2", (200, person("people/c2")))

    found = box.side.fetch(["people/c1", "people/c2", "people/c3"])

    assert [r.is_gone for r in found.values()] == [False, False, True]


@pytest.mark.parametrize("status", [400, 404])
def test_a_batch_that_is_refused_whole_is_asked_for_singly(
    box: Fixture, status: int
) -> None:
    box.when("batchGet", (status, {}))
    box.when("c1", (200, person("people/c1")))

    found = box.side.fetch(["people/c1", "people/c3"])

    assert [r.is_gone for r in found.values()] == [False, True]


def test_an_item_that_can_not_be_read_just_now_is_no_absence(box: Fixture) -> None:
    busy = {"requestedResourceName": "people/c1", "status": {"code": 8}}
    box.when("batchGet", (200, {"responses": [busy]}))

    with pytest.raises(RateLimited):
        box.side.fetch(["people/c1"])


def test_a_person_marked_deleted_is_gone(box: Fixture) -> None:
    dead = {"resourceName": "people/c1", "metadata": {"deleted": True}}
    box.when("batchGet", (200, {"responses": [{"person": dead}]}))

    assert box.side.fetch(["people/c1"])["people/c1"].is_gone


def test_the_tombstone_of_a_former_name_is_no_deletion(box: Fixture) -> None:
    renamed = person("people/c2")
    renamed["metadata"]["previousResourceNames"] = ["people/c1"]
    dead = {"resourceName": "people/c1", "metadata": {"deleted": True}}
    page = {"connections": [dead, renamed], "nextSyncToken": "s"}
    box.when("connections", (200, page))

    (found,) = box.side.read(None)

    assert [r.remote_id for r in found.records] == ["people/c2"]


def test_pages_are_followed_with_the_same_parameters(box: Fixture) -> None:
    first = {"connections": [person("people/c1")], "nextPageToken": "p"}
    last = {"connections": [person("people/c2")], "nextSyncToken": "s"}
    box.when("connections", (200, first), (200, last), (400, {}))

    pages = list(box.side.read(None))
    with pytest.raises(CursorExpired):
        list(box.side.read(pages[1].cursor))

    assert [page.cursor is None for page in pages] == [True, False]
    queries = [parse_qs(query) for _, query in box.google.calls]
    assert queries[1].pop("pageToken") == ["p"]
    assert queries[2].pop("syncToken") == ["s"]
    assert queries[0] == queries[1] == queries[2]


def test_an_empty_response_in_a_batch_is_asked_for_singly(box: Fixture) -> None:
    box.when("batchGet", (200, {"responses": [{"requestedResourceName": "people/c1"}]}))
    box.when("c1", (200, person("people/c1")))

    assert not box.side.fetch(["people/c1"])["people/c1"].is_gone


def test_a_feed_without_a_token_starts_over_next_time(box: Fixture) -> None:
    box.when("connections", (200, {}), (200, {"nextSyncToken": "s"}), (200, {}))

    (without,) = box.side.read(None)
    (first,) = box.side.read(None)
    (again,) = box.side.read(first.cursor)

    assert without.cursor is None
    assert again.cursor == first.cursor
    query = parse_qs(box.google.calls[-1][1])
    assert query["syncToken"] == ["s"]
    assert query["requestSyncToken"] == ["true"]
    assert query["pageSize"] == ["1000"]


def test_a_full_read_has_no_token_that_could_expire(box: Fixture) -> None:
    expired = {"error": {"message": "Sync token is expired."}}
    broken = {"connections": ["x"]}
    box.when("connections", (400, expired), (400, {}), (410, {}), (200, broken))

    for _ in range(4):
        with pytest.raises(ProtocolBroken):
            list(box.side.read(None))
    with pytest.raises(CursorExpired):
        list(box.side.read("{}"))


# ------------------------------------------------------------------ the rest


def test_a_refused_batch_of_deletes_is_done_singly(box: Fixture) -> None:
    box.when("batchDeleteContacts", (400, {}))
    box.when("deleteContact", (404, {}), (400, {}), "closed", (200, {}))

    found = box.side.delete([f"people/c{n}" for n in range(4)])

    assert kinds(found) == [None, InvalidRecord, OutcomeUnknown, None]


def test_a_batch_of_deletes_is_one_request(box: Fixture) -> None:
    box.when("batchDeleteContacts", (200, {}), (200, b""))

    assert kinds(box.side.delete(["people/c1", "people/c1"])) == [None, None]
    assert box.google.calls[0][1] == {"resourceNames": ["people/c1"]}
    assert kinds(box.side.delete(["people/c2"])) == [None]


def test_an_empty_answer_is_an_empty_object(box: Fixture) -> None:
    box.when("modify", (200, b""))

    assert kinds(box.side.select(["people/c1"])) == [None]


def test_a_lost_batch_of_deletes_is_unknown(box: Fixture) -> None:
    box.when("batchDeleteContacts", "closed")

    assert kinds(box.side.delete(["people/c1"])) == [OutcomeUnknown]


def test_who_is_in_no_other_group_goes_to_my_contacts_first(box: Fixture) -> None:
    stuck = {"canNotRemoveLastContactGroupResourceNames": ["people/c1", "people/c2"]}
    still = {"canNotRemoveLastContactGroupResourceNames": ["people/c2"]}
    box.when("modify", (200, stuck), (200, {}), (200, still))

    found = box.side.deselect(["people/c1", "people/c2", "people/c3"])

    assert kinds(found) == [None, InvalidRecord, None]
    assert box.google.calls[1][1] == {"resourceNamesToAdd": ["people/c1", "people/c2"]}


def test_a_large_change_of_the_label_keeps_what_was_done(box: Fixture) -> None:
    names = [f"people/c{n}" for n in range(2500)]
    box.when("modify", (200, {}), "closed", (429, {}), (429, {}), (429, {}), (429, {}))

    found = kinds(box.side.select(names))

    assert found == [None] * 1000 + [OutcomeUnknown] * 1000 + [RateLimited] * 500


def group(name: str, rn: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "resourceName": rn, "groupType": "USER_CONTACT_GROUP", **more}


def test_a_label_that_exists_after_all_is_adopted(box: Fixture) -> None:
    system = group("Infor CRM", "contactGroups/s")
    system["groupType"] = "SYSTEM_CONTACT_GROUP"
    dead = group("Infor CRM", "contactGroups/d", metadata={"deleted": True})
    mine = group("infor crm", "contactGroups/m")
    box.when(
        "contactGroups",
        (200, {"contactGroups": [system], "nextPageToken": "p"}),
        (200, {"contactGroups": [dead]}),
        (409, {}),
        (200, {"contactGroups": [mine]}),
    )

    opened = box.side.open({}, verify=True, may_write=True)

    assert box.side.label == "contactGroups/m"
    assert not opened.was_restored


@pytest.mark.parametrize(
    ("made_reply", "error"),
    [
        ((409, {}), ProtocolBroken),
        ("closed", OutcomeUnknown),
        ((200, {}), ProtocolBroken),
    ],
    ids=["taken", "lost", "nameless"],
)
def test_a_label_that_can_not_be_made_stops_the_cycle(
    box: Fixture, made_reply: Reply, error: type[Exception]
) -> None:
    box.when("contactGroups", (200, {}), made_reply, (200, {}))

    with pytest.raises(error):
        box.side.open({}, verify=True, may_write=True)


def test_a_memo_of_no_use_is_looked_up(box: Fixture) -> None:
    box.when("contactGroups", (200, {"contactGroups": [group("x", LABEL)]}))
    memo = {"label": LABEL, "label_seen_at": "yesterday"}

    assert not box.side.open(memo, verify=False, may_write=True).was_restored


@pytest.mark.rule("ENG-7")
def test_a_dry_run_says_that_the_label_is_gone_and_keeps_the_memo(box: Fixture) -> None:
    box.when("contactGroups", (200, {}))
    memo = {"label": "contactGroups/gone"}

    opened = box.side.open(memo, verify=True, may_write=False)

    assert (opened.was_restored, opened.memo) == (True, memo)


def test_a_provider_that_is_down_before_the_call_is_raised(box: Fixture) -> None:
    box.when("batchGet", *[(503, {})] * 4)

    with pytest.raises(ProviderDown):
        box.side.update([edit("people/c1", {}, {"first": "A"})])
