"""Messages, threads and attachments, as section 2 of the contract has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import quote

import pytest

from tests.sandbox.client import refusal
from tests.sandbox.gmail.client import (
    AUTH,
    FULL,
    INVALID,
    MISSING,
    SCOPE,
    Letters,
    decoded,
    letter,
    refused,
    with_files,
)
from tests.sandbox.harness import Json, SandboxServer
from tests.sandbox.schemas import LEGACY_ERROR


@pytest.mark.point("M-1")
def test_each_format_has_what_it_has_and_lacks_the_rest(anna: Letters) -> None:
    raw = letter(text="A & B <c>", X_Own="1")
    key = anna.arrives(raw)

    shown = {f: anna.get(key, f) for f in ("full", "raw", "metadata", "minimal")}

    common = {"id", "threadId", "labelIds", "snippet", "historyId", "internalDate"}
    common |= {"sizeEstimate"}
    assert shown["minimal"].keys() == common
    assert shown["raw"].keys() == common | {"raw"}
    assert shown["full"].keys() == shown["metadata"].keys() == common | {"payload"}
    assert decoded(shown["raw"]["raw"]) == raw
    assert shown["minimal"]["snippet"] == "A &amp; B &lt;c&gt;"
    assert shown["minimal"]["sizeEstimate"] == len(raw)
    assert shown["metadata"]["payload"].keys() == {"mimeType", "headers"}
    assert decoded(shown["full"]["payload"]["body"]["data"]) == b"A & B <c>\n"
    assert isinstance(shown["minimal"]["historyId"], str)
    assert isinstance(shown["minimal"]["internalDate"], str)


@pytest.mark.point("M-1")
def test_metadata_shows_the_headers_asked_for_in_their_own_spelling(
    anna: Letters,
) -> None:
    raw = b"FROM: a@x.example\r\nsubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\tund mehr\r\n"
    key = anna.arrives(raw + b"Received: one\r\nReceived: two\r\n\r\nHi")

    shown = anna.get(key, "metadata", metadataHeaders=["Subject", "received"])

    assert shown["payload"]["headers"] == [
        {"name": "subject", "value": "Grüße\tund mehr"},
        {"name": "Received", "value": "one"},
        {"name": "Received", "value": "two"},
    ]


@pytest.mark.point("M-2")
def test_parts_are_numbered_and_attachments_come_by_id(anna: Letters) -> None:
    key = anna.arrives(with_files())

    root = anna.get(key)["payload"]

    flat = {part["partId"]: part for part in walked(root)}
    kinds = {place: part["mimeType"] for place, part in flat.items()}
    assert kinds == {
        "": "multipart/mixed",
        "0": "multipart/alternative",
        "0.0": "text/plain",
        "0.1": "multipart/related",
        "0.1.0": "text/html",
        "0.1.1": "image/png",
        "1": "application/pdf",
    }
    assert flat["1"]["filename"] == "offer.pdf"
    assert flat["1"]["body"].keys() == {"size", "attachmentId"}
    assert flat["0.0"]["body"].keys() == {"size", "data"}
    assert read(anna, key, flat["0.1.1"]["body"]["attachmentId"]) == b"PNG"


@pytest.mark.point("M-2")
@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: x\r\n\r\n\xff\xfe\x00",
        b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\nno parts",
        b"Subject: =?nope?q?x?=\nContent-Type: text/plain; charset=klingon\n\nHi",
        b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n%%%",
        b"Content-Type: message/rfc822\n\nSubject: inner\n\nHi",
    ],
)
def test_broken_messages_are_served_with_all_their_bytes(
    anna: Letters, raw: bytes
) -> None:
    key = anna.arrives(raw)

    assert anna.raw(key) == raw
    assert anna.get(key)["payload"]["partId"] == ""
    assert anna.ids("hello") == []


@pytest.mark.point("M-2")
def test_a_message_of_a_thousand_levels_is_served(anna: Letters) -> None:
    levels = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
        for n in range(1000)
    )
    raw = b"Subject: deep\r\n" + levels + b"\r\nHi"
    key = anna.arrives(raw)

    assert anna.raw(key) == raw
    assert anna.get(key)["payload"]["partId"] == ""


@pytest.mark.point("G-8")
def test_an_attachment_id_is_new_each_time_and_does_not_last(
    anna: Letters, box: SandboxServer
) -> None:
    box.switch(mail_inline_bytes=5)
    key, other = anna.arrives(letter(text="a long text")), anna.arrives()

    one, two = (anna.get(key)["payload"]["body"]["attachmentId"] for _ in range(2))
    box.switch(attachment_id_seconds=-1.0)
    old = anna.get(key)["payload"]["body"]["attachmentId"]

    assert one != two
    assert read(anna, key, one) == read(anna, key, two) == b"a long text\n"
    for message, token in ((key, old), (other, one), (key, "nonsense")):
        assert refused(partial(read, anna, message, token)) == INVALID


@pytest.mark.point("M-3")
def test_a_list_is_newest_first_and_knows_its_pages(anna: Letters) -> None:
    keys = [anna.arrives(at=1_700_000_000 + n) for n in range(5)]

    first = anna.page(maxResults=3)
    more = {"maxResults": 3, "pageToken": first["nextPageToken"]}
    second = anna.page(**more)

    listed = [one["id"] for one in first["messages"] + second["messages"]]
    assert listed == keys[::-1]
    assert "nextPageToken" not in second
    assert first["messages"][0].keys() == {"id", "threadId"}
    more["maxResults"] = 2
    assert refused(lambda: anna.page(**more)) == INVALID
    assert refused(lambda: anna.page(maxResults=501)) == INVALID
    assert refused(lambda: anna.page(pageToken="x")) == INVALID


@pytest.mark.point("G-1", "M-3")
def test_an_empty_list_has_no_list(anna: Letters) -> None:
    assert anna.page() == {"resultSizeEstimate": 0}
    assert anna.threads.list(userId="me").execute() == {"resultSizeEstimate": 0}
    assert anna.drafts.list(userId="me").execute() == {"resultSizeEstimate": 0}


@pytest.mark.point("M-3", "G-1")
def test_labels_of_a_list_must_all_fit(anna: Letters) -> None:
    both = anna.arrives(None, "Crm/One", "Two")
    anna.arrives(None, "Crm/One")
    names = anna.label_names()

    found = anna.ids(labelIds=[names["Crm/One"], names["Two"]])

    assert found == [both]
    assert refused(lambda: anna.page(labelIds=["Label_0"])) == INVALID


@pytest.mark.point("M-3")
def test_spam_and_trash_are_listed_only_for_those_who_ask(anna: Letters) -> None:
    shown, thrown = anna.arrives(), anna.arrives()
    answer = anna.messages.trash(userId="me", id=thrown).execute()

    assert set(answer["labelIds"]) == {"TRASH", "UNREAD"}
    assert anna.ids() == [shown]
    assert anna.ids("in:trash") == anna.ids(labelIds=["TRASH"]) == [thrown]
    assert set(anna.ids(includeSpamTrash=True)) == {shown, thrown}
    assert set(anna.ids("in:anywhere")) == {shown, thrown}
    anna.messages.untrash(userId="me", id=thrown).execute()
    assert set(anna.ids()) == {shown, thrown}


QUERIES = [
    ("from:carl", "ac"),
    ("from:carl@client.example subject:offer", "a"),
    ("to:anna -from:dora", "ac"),
    ("subject:(offer red)", "a"),
    ("{subject:red subject:lunch}", "ab"),
    ("subject:red OR subject:lunch", "ab"),
    ('"two words"', "b"),
    ("words two", "b"),
    ("cc:eve", "b"),
    ("has:attachment", "c"),
    ("filename:pdf", "c"),
    ("label:crm-acme-ltd", "a"),
    ('label:"crm/acme ltd"', "a"),
    ("in:inbox", "abc"),
    ("is:unread -is:starred", "abc"),
    ("has:userlabels", "a"),
    ("rfc822msgid:<one@x>", "a"),
    ("rfc822msgid:ONE@x", "a"),
    ("after:1700000000 before:1700100000", "b"),
    ("after:2023/11/14", "bc"),
    ("before:2023/11/14", "a"),
    ("newer_than:2d", ""),
    ("older_than:1y", "abc"),
    ("larger:500", "c"),
    ("smaller:500", "ab"),
    ("subject:nothing", ""),
    ("after:yesterday", ""),
    ("(from:carl", "ac"),
]


@pytest.fixture(scope="module")
def shelf(server: SandboxServer) -> Iterator[Letters]:
    """Three messages to look for; no test changes them."""
    server.account("searcher@x.example")
    found = Letters(server, "searcher@x.example")
    red = letter("Red offer", Message_ID="<one@x>")
    found.arrives(red, "CRM/Acme Ltd", at="2023-11-13T22:00:00-08:00")
    dora = "Dora <dora@client.example>"
    lunch = letter("Lunch", "Just two words.", sender=dora, Cc="eve@x.example")
    found.arrives(lunch, at=1_700_050_000)
    found.arrives(with_files("Papers"), at=1_700_100_000)
    yield found
    found.close()


@pytest.mark.point("M-4")
@pytest.mark.parametrize(("query", "wanted"), QUERIES)
def test_a_query_finds_what_the_search_box_finds(
    shelf: Letters, box: SandboxServer, query: str, wanted: str
) -> None:
    box.switch(quota=False)
    letters = {"Red offer": "a", "Lunch": "b", "Papers": "c"}

    found = box.mail(shelf.email, q=query)

    assert "".join(sorted(letters[one["subject"]] for one in found)) == wanted
    assert sorted(shelf.ids(query)) == sorted(one["id"] for one in found)


@pytest.mark.point("M-5")
def test_a_thread_is_got_listed_and_labelled_as_it_is_now(anna: Letters) -> None:
    first = anna.arrives(letter(Message_ID="<t1@x>"))
    answer = letter("Re: Offer", Message_ID="<t2@x>", In_Reply_To="<t1@x>")
    second = anna.arrives(answer)
    label = anna.new_label("Deal")

    body = {"addLabelIds": [label]}
    anna.threads.modify(userId="me", id=first, body=body).execute()
    late = anna.arrives(letter("RE: Offer", References="<t1@x> <t2@x>"))
    other = anna.arrives(letter("Other", References="<t1@x>"))

    found = anna.threads.get(userId="me", id=first, format="minimal").execute()
    assert [one["id"] for one in found["messages"]] == [first, second, late]
    assert label in anna.labels_of(second)
    assert label not in anna.labels_of(late)
    listed = anna.threads.list(userId="me").execute()["threads"]
    assert [one["id"] for one in listed] == [other, first]
    assert refused(
        lambda: anna.threads.get(userId="me", id="123", format="full").execute()
    ) == (404, "notFound")


@pytest.mark.point("M-6")
def test_labels_are_put_on_and_off_within_their_limits(anna: Letters) -> None:
    key, label = anna.arrives(), anna.new_label("CRM")

    shown = anna.modify(key, [label, "STARRED"], ["UNREAD"])

    assert set(shown["labelIds"]) == {"INBOX", label, "STARRED"}
    for add, remove in (
        (["Label_1"], []),
        (["SENT"], []),
        ([], ["DRAFT"]),
        ([], []),
        ([label], [label]),
        ([label] * 101, []),
        ([], [label] * 101),
    ):
        assert refused(partial(anna.modify, key, add, remove)) == INVALID
    assert refused(lambda: anna.modify("18c", [label])) == MISSING


@pytest.mark.point("M-6", "G-6")
def test_a_batch_of_labels_passes_over_what_is_gone(anna: Letters) -> None:
    keys, label = [anna.arrives() for _ in range(3)], anna.new_label("CRM")

    def batch(ids: list[str]) -> object:
        body = {"ids": ids, "addLabelIds": [label]}
        return anna.messages.batchModify(userId="me", body=body).execute()

    batch([*keys[:2], "18c5"])

    assert [label in anna.labels_of(key) for key in keys] == [True, True, False]
    assert refused(lambda: batch(keys * 334)) == INVALID
    assert refused(lambda: batch([])) == INVALID


@pytest.mark.point("M-7")
@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("gmail.readonly", {"get", "list", "labels", "history"}),
        ("gmail.metadata", {"labels", "history", "headers"}),
        ("gmail.labels", {"labels", "new_label"}),
        ("gmail.send", {"send"}),
        ("gmail.compose", {"send", "draft"}),
    ],
)
def test_scopes_allow_what_the_table_says(
    new_mail: Callable[..., Letters], scope: str, allowed: set[str]
) -> None:
    mail = new_mail(f"https://www.googleapis.com/auth/{scope}")
    key = mail.arrives()
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: mail.get(key),
        "headers": lambda: mail.get(key, "metadata"),
        "list": lambda: mail.page(q="x"),
        "labels": mail.label_names,
        "new_label": lambda: mail.new_label("x"),
        "history": lambda: mail.users.history().list(userId="me").execute(),
        "modify": lambda: mail.modify(key, ["STARRED"]),
        "send": lambda: mail.messages.send(userId="me", body={}).execute(),
        "draft": lambda: mail.drafts.create(userId="me", body={}).execute(),
        "delete": lambda: mail.messages.delete(userId="me", id=key).execute(),
    }
    if scope == "gmail.readonly":
        allowed = allowed | {"headers"}

    passes = {name for name, call in calls.items() if _passes(call)}

    assert passes == allowed


def _passes(call: Callable[[], object]) -> bool:
    """Whether scopes let it through; what is wrong with the call is no matter."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the code is looked at
        return getattr(error, "status_code", 0) == 400
    return True


@pytest.mark.point("M-7")
def test_the_metadata_scope_forbids_q_and_bodies_whatever_else_is_granted(
    new_mail: Callable[..., Letters],
) -> None:
    mail = new_mail(AUTH + "metadata", AUTH + "readonly")
    key = mail.arrives()

    found = refusal(lambda: mail.page(q="x"), LEGACY_ERROR)

    assert found["message"] == "Metadata scope does not support 'q' parameter"
    assert (found["code"], found["status"]) == (403, "PERMISSION_DENIED")
    assert refused(lambda: mail.get(key, "full")) == (403, "forbidden")
    assert refused(lambda: mail.get(key, "raw")) == (403, "forbidden")
    assert mail.ids() == [key]


@pytest.mark.point("M-7")
def test_the_scope_of_an_add_on_opens_one_message_with_its_token(
    new_mail: Callable[..., Letters], box: SandboxServer
) -> None:
    mail = new_mail(AUTH + "addons.current.message.readonly")
    key, other = mail.arrives(), mail.arrives()
    opened = box.open_mail(mail.email, key)

    def get(message: str, token: str) -> Json:
        request = mail.messages.get(userId="me", id=message)
        request.headers["X-Goog-Gmail-Access-Token"] = token
        return dict(request.execute())

    assert get(opened["messageId"], opened["accessToken"])["id"] == key
    assert refused(lambda: get(other, opened["accessToken"]))[0] == 403
    assert refused(lambda: mail.get(key))[0] == 403
    assert refused(mail.page) == SCOPE


@pytest.mark.point("M-8")
def test_deletion_needs_the_widest_scope_and_is_for_good(
    new_mail: Callable[..., Letters],
) -> None:
    mail = new_mail(FULL)
    key = mail.arrives()
    start = mail.cursor()

    mail.messages.delete(userId="me", id=key).execute()

    assert refused(lambda: mail.get(key)) == MISSING
    (record,) = mail.changes(start)
    assert record["messagesDeleted"][0]["message"]["id"] == key


@pytest.mark.point("M-9", "G-3")
def test_refusals_have_the_older_shape_with_a_status(
    anna: Letters, box: SandboxServer
) -> None:
    missing = refusal(lambda: anna.get("18c"), LEGACY_ERROR)
    assert missing["message"] == "Requested entity was not found."
    assert missing["status"] == "NOT_FOUND"
    assert missing["errors"][0]["reason"] == "notFound"

    box.fault({"type": "status", "error": "concurrent"}, account=anna.email, count=1)
    busy = refusal(anna.page, LEGACY_ERROR)
    assert (busy["code"], busy["errors"][0]["reason"]) == (429, "rateLimitExceeded")
    box.fault({"type": "status", "code": 503}, account=anna.email, count=1)
    assert refused(anna.page) == (503, "backendError")
    box.fault({"type": "status", "error": "no_mail"}, account=anna.email, count=1)
    assert refused(anna.page) == (400, "failedPrecondition")

    header = {"Authorization": "Bearer nonsense"}
    status, _, body = box.http("GET", "/gmail/v1/users/me/labels", None, header)
    assert (status, b"Invalid Credentials" in body) == (401, True)


@pytest.mark.point("M-9")
def test_another_users_mailbox_is_closed(anna: Letters, ben: Letters) -> None:
    own = anna.users.getProfile(userId=anna.email.upper()).execute()

    assert own["emailAddress"] == anna.email
    assert refused(lambda: anna.users.getProfile(userId=ben.email).execute()) == (
        403,
        "forbidden",
    )


@pytest.mark.point("G-1")
def test_a_long_get_is_a_post_and_ids_may_be_escaped(
    anna: Letters, box: SandboxServer
) -> None:
    key = anna.arrives()
    header = {"Authorization": f"Bearer {anna.credentials.token}"}
    decimal = quote(f"msg-f:{int(key, 16)}", safe="")

    status, _, body = box.http(
        "GET", f"/gmail/v1/users/me/messages/{decimal}?alt=json", None, header
    )

    assert anna.ids("subject:offer " + "-from:nobody " * 200) == [key]
    assert box.requests(account=anna.email)[-1]["method"] == "GET"
    assert (status, f'"id": "{key}"' in body.decode()) == (200, True)


@pytest.mark.point("G-2")
@pytest.mark.parametrize("address", ["", "/gmail/v1"])
def test_a_batch_is_answered_part_by_part(anna: Letters, address: str) -> None:
    keys = [anna.arrives() for _ in range(3)]
    answers: dict[str, object] = {}
    batch = anna.service.new_batch_http_request(
        callback=lambda name, answer, error: answers.update({name: answer or error})
    )
    batch._batch_uri += address
    for key in [*keys, "18c"]:
        request = anna.messages.get(userId="me", id=key, format="minimal")
        batch.add(request, request_id=key)

    batch.execute()

    assert [answers[key]["id"] for key in keys] == keys  # type: ignore[index] # an answer
    assert getattr(answers["18c"], "status_code", 0) == 404


@pytest.mark.point("M-10", "G-3")
def test_units_of_a_minute_are_counted_by_method(
    anna: Letters, box: SandboxServer
) -> None:
    key = anna.arrives()
    box.switch(mail_units_per_minute=60)
    box.reset_quotas()

    for _ in range(3):
        anna.get(key)

    assert refused(anna.cursor) == (403, "userRateLimitExceeded")
    box.switch(mail_rate_error="429")
    assert refused(anna.cursor) == (429, "rateLimitExceeded")
    box.switch(old_mail_units=True)
    assert anna.cursor()
    box.advance(61)
    box.switch(old_mail_units=False)
    assert anna.cursor()


@pytest.mark.point("M-10", "G-3")
def test_too_many_requests_at_one_time_are_refused_one_by_one(
    anna: Letters, box: SandboxServer
) -> None:
    box.switch(mail_concurrent_requests=2)
    key = anna.arrives()
    codes: list[int] = []
    batch = anna.service.new_batch_http_request(
        callback=lambda _n, _a, error: codes.append(error.status_code if error else 200)
    )
    for _ in range(5):
        batch.add(anna.messages.get(userId="me", id=key))

    batch.execute()

    assert sorted(codes) == [200, 200, 429, 429, 429]


@pytest.mark.point("M-12")
def test_aliases_are_listed_behind_the_account_itself(
    anna: Letters, box: SandboxServer
) -> None:
    alias = f"sales-{anna.email}"
    box.set_aliases(anna.email, alias)

    listed = anna.users.settings().sendAs().list(userId="me").execute()["sendAs"]

    assert [one["sendAsEmail"] for one in listed] == [anna.email, alias]
    assert [one.get("isPrimary", False) for one in listed] == [True, False]
    assert listed[1]["verificationStatus"] == "accepted"


def walked(part: Json) -> list[Json]:
    return [part, *(p for below in part.get("parts", []) for p in walked(below))]


def read(mail: Letters, key: str, token: str) -> bytes:
    api = mail.messages.attachments()
    found = api.get(userId="me", messageId=key, id=token).execute()
    assert found["size"] == len(decoded(found["data"]))
    return decoded(found["data"])
