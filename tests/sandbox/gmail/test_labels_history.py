"""Labels, and the history that tells of them (contract 2.6, 2.9)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.sandbox.client import refusal
from tests.sandbox.gmail.client import INVALID, MISSING, Letters, letter, refused
from tests.sandbox.harness import Json, SandboxServer
from tests.sandbox.schemas import LEGACY_ERROR

RED = {"textColor": "#ffffff", "backgroundColor": "#fb4c2f"}


@pytest.mark.point("G-6")
def test_a_label_is_made_counted_renamed_and_deleted_with_its_marks(
    anna: Letters,
) -> None:
    label = anna.new_label("CRM", color=RED)
    key = anna.arrives(None, "CRM")
    anna.arrives(letter("Re: Offer"), "CRM", arrives=["INBOX"])

    shown = got(anna, label)
    assert (shown["type"], shown["color"]) == ("user", RED)
    counts = [
        shown[f"{what}{kind}"] for what in ("messages", "threads") for kind in KINDS
    ]
    assert counts == [2, 1, 2, 1]
    listed = anna.labels.list(userId="me").execute()["labels"]
    (row,) = [one for one in listed if one["id"] == label]
    assert not row.keys() & {"color", "messagesTotal", "threadsUnread"}

    body = {"name": "Crm"}
    anna.labels.patch(userId="me", id=label, body=body).execute()
    assert (got(anna, label)["name"], got(anna, label)["color"]) == ("Crm", RED)
    anna.labels.update(userId="me", id=label, body={"name": "Sales"}).execute()
    assert "color" not in got(anna, label)

    start = anna.cursor()
    anna.labels.delete(userId="me", id=label).execute()
    assert label not in anna.labels_of(key)
    assert refused(lambda: got(anna, label)) == MISSING
    assert [one["labelsRemoved"][0]["labelIds"] for one in anna.changes(start)] == [
        [label],
        [label],
    ]


KINDS = ("Total", "Unread")


@pytest.mark.point("G-6")
@pytest.mark.parametrize("reason", ["aborted", "alreadyExists", "duplicate"])
def test_the_same_name_in_other_letters_is_a_conflict(
    anna: Letters, box: SandboxServer, reason: str
) -> None:
    box.switch(label_conflict_reason=reason)
    anna.new_label("CRM/Recorded")

    found = refusal(lambda: anna.new_label("crm/RECORDED"), LEGACY_ERROR)

    assert (found["code"], found["message"]) == (409, "Label name exists or conflicts")
    assert found["errors"][0]["reason"] == reason


@pytest.mark.point("G-6")
@pytest.mark.parametrize("name", ["Inbox", "TRASH", "", " ", "a//b", "/a", "x" * 226])
def test_names_that_are_reserved_or_none_are_refused(anna: Letters, name: str) -> None:
    found = refusal(lambda: anna.new_label(name), LEGACY_ERROR)

    assert (found["code"], found["message"]) == (400, "Invalid label name")


@pytest.mark.point("G-6")
def test_a_name_with_a_slash_makes_no_label_above_it(anna: Letters) -> None:
    above = anna.new_label("CRM")
    anna.new_label("CRM/Acme")
    anna.new_label("Other/Acme")

    anna.labels.patch(userId="me", id=above, body={"name": "Sales"}).execute()

    names = set(anna.label_names())
    assert {"Sales", "CRM/Acme", "Other/Acme"} <= names
    assert not names & {"Other", "Sales/Acme"}


@pytest.mark.point("G-6")
@pytest.mark.parametrize(
    "color",
    [
        {"textColor": "#123456", "backgroundColor": "#ffffff"},
        {"textColor": "#ffffff"},
        {"backgroundColor": "red"},
    ],
)
def test_colours_are_two_of_the_palette(anna: Letters, color: Json) -> None:
    assert refused(lambda: anna.new_label("CRM", color=color)) == INVALID


@pytest.mark.point("G-6")
def test_labels_of_the_system_stay_as_they_are(anna: Letters) -> None:
    api = anna.labels

    assert {"INBOX", "SENT", "CATEGORY_SOCIAL"} <= set(anna.label_names())
    assert refused(lambda: api.delete(userId="me", id="INBOX").execute()) == INVALID
    body = {"name": "x"}
    request = api.patch(userId="me", id="SPAM", body=body)
    assert refused(request.execute) == INVALID


@pytest.mark.point("G-6")
def test_a_mailbox_has_only_so_many_labels(anna: Letters, box: SandboxServer) -> None:
    box.switch(mail_labels=len(anna.label_names()) + 1)
    anna.new_label("One")

    assert refused(lambda: anna.new_label("Two")) == INVALID


# ---------------------------------------------------------------- history


@pytest.mark.point("G-4")
def test_history_tells_each_change_after_a_point_by_rising_ids(
    anna: Letters,
) -> None:
    label, start = anna.new_label("CRM"), anna.cursor()
    assert anna.users.history().list(userId="me", startHistoryId=start).execute() == {
        "historyId": start
    }

    key = anna.arrives()
    anna.modify(key, [label], ["UNREAD"])
    anna.modify(key, [label])
    anna.messages.trash(userId="me", id=key).execute()

    found = anna.changes(start)
    told = [(kind(one), marks(one)) for one in found]
    assert told == [
        ("messagesAdded", ["INBOX", "UNREAD"]),
        ("labelsRemoved", ["UNREAD"]),
        ("labelsAdded", [label]),
        ("labelsRemoved", ["INBOX"]),
        ("labelsAdded", ["TRASH"]),
    ]
    ids = [int(one["id"]) for one in found]
    assert ids == sorted(set(ids))
    assert all(one["messages"] == [{"id": key, "threadId": key}] for one in found)
    assert str(ids[-1]) == anna.cursor() == anna.get(key, "minimal")["historyId"]
    assert anna.changes(str(ids[2])) == found[3:]


@pytest.mark.point("G-4")
def test_ids_of_history_have_gaps(anna: Letters) -> None:
    start = anna.cursor()
    for _ in range(20):
        anna.arrives()

    ids = [int(one["id"]) for one in anna.changes(start)]

    assert max(b - a for a, b in pairwise(ids)) > 1


@pytest.mark.point("G-4")
def test_a_filters_label_comes_with_the_message_and_is_no_change(
    anna: Letters,
) -> None:
    start = anna.cursor()
    anna.arrives(None, "Send To CRM")
    label = anna.label_names()["Send To CRM"]

    (record,) = anna.changes(start)

    assert label in record["messagesAdded"][0]["message"]["labelIds"]
    assert "labelsAdded" not in record


@pytest.mark.point("G-4")
def test_types_and_a_label_narrow_history_and_miss_the_labels_removal(
    anna: Letters,
) -> None:
    start, label = anna.cursor(), anna.new_label("CRM")
    key = anna.arrives()
    anna.modify(key, [label])
    anna.modify(key, [], [label])

    by_type = anna.changes(start, historyTypes=["labelAdded", "labelRemoved"])
    by_label = anna.changes(start, labelId=label)

    assert [kind(one) for one in by_type] == ["labelsAdded", "labelsRemoved"]
    assert [kind(one) for one in by_label] == ["labelsAdded"]


@pytest.mark.point("G-4")
@pytest.mark.parametrize("has_empty_pages", [False, True])
def test_pages_of_history_join_without_loss_even_if_some_are_empty(
    anna: Letters, box: SandboxServer, has_empty_pages: bool
) -> None:
    box.switch(mail_empty_pages=has_empty_pages)
    start = anna.cursor()
    keys = [anna.arrives() for _ in range(5)]
    api = anna.users.history()

    first = api.list(userId="me", startHistoryId=start, maxResults=2).execute()
    found = anna.changes(start, maxResults=2)

    assert ("history" in first) != has_empty_pages
    assert "nextPageToken" in first
    assert [one["messages"][0]["id"] for one in found] == keys


@pytest.mark.point("G-4")
def test_a_start_that_is_too_old_is_not_found(
    anna: Letters, box: SandboxServer
) -> None:
    start = anna.cursor()
    anna.arrives()
    assert anna.changes(start)

    box.expire_history(anna.email)
    assert refused(lambda: anna.changes(start)) == MISSING
    assert anna.changes(anna.cursor()) == []

    late = anna.cursor()
    anna.arrives()
    box.switch(mail_history_days=-1.0)
    assert refused(lambda: anna.changes(late)) == MISSING
    assert refused(lambda: anna.changes(str(int(anna.cursor()) + 1))) == MISSING


@pytest.mark.point("G-4")
@pytest.mark.parametrize("given", [{}, {"startHistoryId": "yesterday"}])
def test_a_start_that_is_none_is_refused(anna: Letters, given: Json) -> None:
    request = anna.users.history().list(userId="me", **given)

    found = refusal(request.execute, LEGACY_ERROR)

    assert found["message"] == "Missing/invalid parameter: startHistoryId"
    assert (found["code"], found["errors"][0]["reason"]) == INVALID


# ---------------------------------------------------------------- the user's hand


@pytest.mark.point("M-13")
def test_the_users_hand_labels_files_away_and_throws_away(
    anna: Letters, box: SandboxServer
) -> None:
    key, start = anna.arrives(), anna.cursor()

    box.label(anna.email, key, "CRM/Send")
    assert {"CRM", "CRM/Send"} <= set(box.mail_labels(anna.email))
    assert box.mail(anna.email, label="CRM/Send")[0]["id"] == key
    box.unlabel(anna.email, key, "CRM/Send")
    steps = ("read", "unread", "spam", "trash", "untrash", "archive")
    hand: Callable[..., Any] = box.act_on_mail
    shown = [set(hand(anna.email, key, step)["labels"]) for step in steps]
    assert shown[0] == {"INBOX"}
    assert shown[2] == {"SPAM", "UNREAD"}
    assert shown[3] == {"SPAM", "UNREAD", "TRASH"}
    assert box.message(anna.email, key)["raw"] == letter()
    assert [kind(one) for one in anna.changes(start)][:2] == [
        "labelsAdded",
        "labelsRemoved",
    ]

    label = box.new_mail_label(anna.email, "Other")["id"]
    box.rename_mail_label(anna.email, label, "Renamed")
    assert box.mail_labels(anna.email)["Renamed"]["id"] == label
    box.delete_mail_label(anna.email, label)
    box.delete_mail(anna.email, key)
    assert "Renamed" not in box.mail_labels(anna.email)
    assert box.mail(anna.email, hidden="true") == []


def got(mail: Letters, label: str) -> Json:
    return dict(mail.labels.get(userId="me", id=label).execute())


def kind(record: Json) -> str:
    (found,) = record.keys() - {"id", "messages"}
    return found


def marks(record: Json) -> list[str]:
    """The labels that a record is about."""
    (entry,) = record[kind(record)]
    return list(entry.get("labelIds", entry["message"].get("labelIds", [])))
