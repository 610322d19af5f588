"""Sending, drafts, and mail from one account to another (contract 2.4, 2.5, 2.11)."""

from __future__ import annotations

import pytest

from tests.sandbox.gmail.client import (
    INVALID,
    MISSING,
    Letters,
    decoded,
    encoded,
    letter,
    refused,
)
from tests.sandbox.harness import Json, SandboxServer


def header(mail: Letters, key: str, name: str) -> list[str]:
    shown = mail.get(key, "metadata", metadataHeaders=[name])
    return [one["value"] for one in shown["payload"].get("headers", [])]


@pytest.mark.point("M-14")
def test_what_is_sent_arrives_with_the_same_message_id_and_an_id_of_its_own(
    anna: Letters, ben: Letters
) -> None:
    blind = "Bcc: someone@far.example,\n else@far.example\n"
    raw = letter(sender=anna.email, to=ben.email, Message_ID="<m@x>")

    sent = anna.send(blind.encode() + raw)

    assert sent["labelIds"] == ["SENT"]
    (there,) = ben.ids()
    assert there != sent["id"]
    assert ben.labels_of(there) == {"INBOX", "UNREAD"}
    assert header(ben, there, "Message-ID") == ["<m@x>"]
    assert header(anna, sent["id"], "Message-ID") == ["<m@x>"]
    assert header(ben, there, "Bcc") == []
    assert header(anna, sent["id"], "Bcc") != []
    assert header(ben, there, "Delivered-To") == [ben.email]
    assert ben.raw(there).endswith(raw)


@pytest.mark.point("M-14")
def test_a_strange_sender_is_replaced_and_what_is_missing_added(
    anna: Letters, ben: Letters, box: SandboxServer
) -> None:
    alias = f"sales-{ben.email}"
    box.set_aliases(ben.email, alias)

    sent = anna.send(letter(sender="boss@far.example", to=alias))["id"]

    assert header(anna, sent, "From") == [anna.email]
    assert len(header(anna, sent, "Message-ID") + header(anna, sent, "Date")) == 2
    (there,) = ben.ids()
    assert header(ben, there, "Message-ID") == header(anna, sent, "Message-ID")
    from_alias = ben.send(letter(sender=alias, to="far@away.example"))["id"]
    assert header(ben, from_alias, "From") == [alias]


@pytest.mark.point("M-14")
def test_a_message_to_oneself_is_one_message(anna: Letters) -> None:
    sent = anna.send(letter(to=anna.email))

    assert set(sent["labelIds"]) == {"SENT", "INBOX", "UNREAD"}
    assert anna.ids() == [sent["id"]]


@pytest.mark.point("G-7", "M-5")
@pytest.mark.parametrize(
    ("subject", "headers", "joins"),
    [
        ("Re: Offer", {"References": "<t@x>", "In_Reply_To": "<t@x>"}, True),
        ("Re: Other", {"References": "<t@x>", "In_Reply_To": "<t@x>"}, False),
        ("Re: Offer", {"References": "<t@x>"}, False),
        ("Re: Offer", {"In_Reply_To": "<t@x>"}, False),
        ("Re: Offer", {"References": "<u@x>", "In_Reply_To": "<u@x>"}, False),
    ],
)
def test_a_thread_is_joined_only_if_all_three_conditions_hold(
    anna: Letters, subject: str, headers: dict[str, str], joins: bool
) -> None:
    thread = anna.arrives(letter(Message_ID="<t@x>"))
    raw = letter(subject, to="carl@client.example", **headers)

    assert (anna.send(raw, thread)["threadId"] == thread) == joins
    assert anna.send(raw)["threadId"] != thread
    assert refused(lambda: anna.send(raw, "18c")) == MISSING


@pytest.mark.point("M-14")
def test_an_answer_joins_the_conversation_of_who_gets_it(
    anna: Letters, ben: Letters
) -> None:
    first = anna.send(letter(to=ben.email, Message_ID="<q@x>"))["id"]
    (question,) = ben.ids()
    answer = letter("Re: Offer", to=anna.email, References="<q@x>", In_Reply_To="<q@x>")

    ben.send(answer, question)

    back = anna.get(anna.ids()[0], "minimal")
    assert (back["threadId"], back["id"] != first) == (first, True)


@pytest.mark.point("M-14")
@pytest.mark.parametrize(
    "body", [{}, {"raw": "!"}, {"raw": encoded(b"no head")}, {"raw": encoded(b"a: b")}]
)
def test_what_cannot_be_sent_is_refused(anna: Letters, body: Json) -> None:
    request = anna.messages.send(userId="me", body=body)

    assert refused(request.execute) == INVALID


@pytest.mark.point("M-14", "M-10")
def test_a_day_and_a_message_have_their_limits(
    anna: Letters, box: SandboxServer
) -> None:
    box.switch(mail_sends_per_day=1, mail_recipients=2)
    many = letter(to="a@far.example, b@far.example, c@far.example")
    assert refused(lambda: anna.send(many)) == INVALID

    anna.send(letter())
    assert refused(lambda: anna.send(letter())) == (429, "rateLimitExceeded")
    box.advance(86_401)
    assert anna.send(letter())["id"]


# ---------------------------------------------------------------- drafts


@pytest.mark.point("G-7")
def test_a_draft_keeps_its_id_while_its_message_is_another_each_time(
    anna: Letters,
) -> None:
    made = anna.draft(letter("One"))
    start = anna.cursor()

    body = {"message": {"raw": encoded(letter("Two"))}}
    request = anna.drafts.update(userId="me", id=made["id"], body=body)
    updated = request.execute()

    assert updated["id"] == made["id"]
    assert updated["message"]["id"] != made["message"]["id"]
    assert updated["message"]["threadId"] == made["message"]["threadId"]
    assert updated["message"]["labelIds"] == ["DRAFT"]
    assert refused(lambda: anna.get(made["message"]["id"])) == MISSING
    kinds = [(one.keys() - {"id", "messages"}).pop() for one in anna.changes(start)]
    assert sorted(kinds) == ["messagesAdded", "messagesDeleted"]
    shown = anna.drafts.get(userId="me", id=made["id"], format="raw").execute()
    assert b"Two" in decoded(shown["message"]["raw"])


@pytest.mark.point("G-7")
def test_a_draft_that_is_sent_is_gone_and_a_new_message_there(
    anna: Letters, ben: Letters
) -> None:
    made = anna.draft(letter(to=ben.email, X_Own_Ref="7"))

    body = {"id": made["id"]}
    sent = anna.drafts.send(userId="me", body=body).execute()

    assert sent["id"] != made["message"]["id"]
    assert (sent["labelIds"], sent["threadId"]) == (
        ["SENT"],
        made["message"]["threadId"],
    )
    assert anna.ids() == [sent["id"]]
    assert header(ben, ben.ids()[0], "X-Own-Ref") == ["7"]
    assert "drafts" not in anna.drafts.list(userId="me").execute()
    request = anna.drafts.send(userId="me", body=body)
    assert refused(request.execute) == MISSING


@pytest.mark.point("G-7")
def test_drafts_are_listed_take_no_labels_and_are_deleted_for_good(
    anna: Letters,
) -> None:
    made, label = anna.draft(letter()), anna.new_label("CRM")
    key = made["message"]["id"]

    listed = anna.drafts.list(userId="me").execute()["drafts"]

    assert [(one["id"], one["message"]["id"]) for one in listed] == [(made["id"], key)]
    assert anna.ids("in:drafts") == anna.ids(labelIds=["DRAFT"]) == [key]
    assert refused(lambda: anna.modify(key, [label])) == INVALID
    anna.drafts.delete(userId="me", id=made["id"]).execute()
    assert refused(lambda: anna.get(key)) == MISSING
