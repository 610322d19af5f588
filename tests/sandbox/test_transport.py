"""HTTP itself: faults, batches, forms of requests and answers (1.1 to 1.3, 2.1)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http.client import HTTPException

import pytest
from googleapiclient.errors import HttpError

from tests.sandbox.client import CONTACT_SOURCE, User, bearer, contact, reason, refusal
from tests.sandbox.harness import CONTACTS, Json, SandboxServer


def posted(user: User) -> list[Json]:
    return user.box.requests(account=user.email, method="POST")


# ---------------------------------------------------------------- faults


@pytest.mark.point("P-1")
def test_a_lost_answer_makes_the_client_send_a_create_twice(
    anna: User, box: SandboxServer
) -> None:
    box.fault("close_after", path=":createContact", account=anna.email, count=1)

    anna.create(contact("Ann"))

    assert [r["status"] for r in posted(anna)] == [0, 200]
    assert len(anna.names()) == 2


@pytest.mark.point("P-1")
def test_a_connection_closed_before_executes_nothing(
    anna: User, box: SandboxServer
) -> None:
    box.fault("close_before", path=":createContact", account=anna.email)

    with pytest.raises((OSError, HTTPException)):
        anna.create(contact("Ann"))

    assert anna.names() == []


@pytest.mark.point("P-1")
@pytest.mark.parametrize(("action", "made"), [("reset", 0), ("truncate", 1)])
def test_a_reset_and_a_cut_answer(
    anna: User, box: SandboxServer, action: str, made: int
) -> None:
    box.fault(action, path=":createContact", account=anna.email)
    body = json.dumps(contact("Ann"))

    with pytest.raises((OSError, HTTPException)):
        box.http("POST", "/v1/people:createContact", body, bearer(anna))

    assert len(anna.names()) == made


@pytest.mark.point("P-1")
def test_a_hanging_answer_times_out_after_the_write(
    anna: User, box: SandboxServer
) -> None:
    rule: Json = {"type": "hang_after", "seconds": 1.5}
    box.fault(rule, path=":createContact", account=anna.email)
    anna.http.timeout = 0.3

    with pytest.raises(TimeoutError):
        anna.create(contact("Ann"))

    anna.http.timeout = 10
    assert len(anna.names()) == 1


@pytest.mark.point("G-3")
@pytest.mark.parametrize(
    ("action", "code", "status"),
    [
        ({"type": "status", "error": "rate"}, 429, "RESOURCE_EXHAUSTED"),
        ({"type": "status", "error": "fbs"}, 429, "RESOURCE_EXHAUSTED"),
        ({"type": "status", "error": "scope"}, 403, "PERMISSION_DENIED"),
        ({"type": "status", "code": 500}, 500, "INTERNAL"),
        ({"type": "status", "code": 503, "retry_after": 7}, 503, "UNAVAILABLE"),
    ],
)
def test_refusals_on_demand(
    anna: User, box: SandboxServer, action: Json, code: int, status: str
) -> None:
    box.fault(action, path="/connections", account=anna.email)

    error = refusal(anna.full)

    assert (error["code"], error["status"]) == (code, status)


@pytest.mark.point("G-3")
def test_a_rule_says_which_requests_it_wants(anna: User, box: SandboxServer) -> None:
    action = {"type": "status", "code": 503, "retry_after": 7}
    box.fault(action, path="/connections", account=anna.email, nth=[2])
    path = "/v1/people/me/connections?personFields=names"

    answers = [box.http("GET", path, None, bearer(anna)) for _ in range(3)]

    assert [status for status, _, _ in answers] == [200, 503, 200]
    assert answers[1][1]["retry-after"] == "7"
    assert box.faults()[0]["used"] == 1


@pytest.mark.point("G-3")
def test_a_proxy_answers_with_a_page(anna: User, box: SandboxServer) -> None:
    box.fault("html", path="/connections", account=anna.email, count=1)

    with pytest.raises(HttpError) as caught:
        anna.full()

    assert caught.value.status_code == 502
    assert b"<!DOCTYPE html>" in caught.value.content


@pytest.mark.point("G-3")
def test_unknown_rules_are_refused(box: SandboxServer) -> None:
    status, _, _ = box.http("POST", "/_sandbox/faults", '{"action": "explode"}')

    assert status == 400
    assert box.faults() == []


# ---------------------------------------------------------------- form of requests


@pytest.mark.point("S-1")
def test_unknown_names_in_a_body_are_refused_with_their_place(anna: User) -> None:
    bad = {"emailAddresses": [{"worth": "x"}], "nonsense": 1}

    error = refusal(lambda: anna.create(bad))

    place = "person.email_addresses[0]"
    sentence = (
        'Invalid JSON payload received. Unknown name "worth" at '
        f"'{place}': Cannot find field."
    )
    assert sentence in error["message"].splitlines()
    violations = error["details"][0]["fieldViolations"]
    assert {"field": place, "description": sentence} in violations
    assert len(violations) == 2


@pytest.mark.point("S-1")
@pytest.mark.parametrize(
    "bad",
    [
        {"names": {"givenName": "A"}},
        {"names": ["A"]},
        {"names": [{"givenName": 5}]},
        {"emailAddresses": "a@x.example"},
        {"birthdays": [{"date": {"day": "one"}}]},
        {"birthdays": [{"date": {"day": 2**31}}]},
        {"biographies": [{"contentType": "TEXT_RTF", "value": "x"}]},
        {"organizations": [{"current": "yes"}]},
    ],
)
def test_wrong_types_in_a_body_are_refused(anna: User, bad: Json) -> None:
    assert refusal(lambda: anna.create(bad))["status"] == "INVALID_ARGUMENT"


@pytest.mark.point("S-1")
def test_outputs_in_a_body_are_ignored(anna: User) -> None:
    body = {
        "names": [{"givenName": "A", "displayName": "Z"}],
        "phoneNumbers": [{"value": "12", "canonicalForm": "+12", "formattedType": "Q"}],
        "photos": [{"url": "https://x.example/p"}],
    }

    made = anna.create(body, personFields="names,phoneNumbers,photos")

    assert made["names"][0]["displayName"] == "A"
    assert "canonicalForm" not in made["phoneNumbers"][0]
    assert "formattedType" not in made["phoneNumbers"][0]
    assert made["photos"][0]["default"] is True


@pytest.mark.point("S-1")
@pytest.mark.parametrize(
    "query",
    [
        "nonsense=1",
        "pageSize=many",
        "pageSize=1&pageSize=2",
        "requestSyncToken=perhaps",
        "sources=READ_SOURCE_TYPE_MOON",
        "sortOrder=SIDEWAYS",
        "alt=xml",
        "fields=connections(moon)",
        "fields=connections(",
    ],
)
def test_bad_queries_are_refused(anna: User, query: str) -> None:
    path = f"/v1/people/me/connections?personFields=names&{query}"

    status, _, body = anna.box.http("GET", path, None, bearer(anna))

    assert status == 400
    assert json.loads(body)["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.point("S-1")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/nothing"),
        ("POST", "/v1/people/me/connections"),
        ("GET", "/v1/people/c1/c2"),
        ("POST", "/batch/people/v2"),
        ("POST", "/batch/"),
    ],
)
def test_addresses_google_does_not_have_get_its_page(
    anna: User, method: str, path: str
) -> None:
    status, headers, body = anna.box.http(method, path, b"", bearer(anna))

    assert status == 404
    assert headers["content-type"].startswith("text/html")
    assert b"That's all we know." in body


@pytest.mark.point("S-1")
def test_a_body_that_is_no_json_is_refused(anna: User) -> None:
    path = "/v1/people:createContact"

    for body in ("{", "[]", '"x"'):
        status, _, _ = anna.box.http("POST", path, body, bearer(anna))
        assert status == 400


# ---------------------------------------------------------------- form of answers


@pytest.mark.point("S-2")
def test_partial_answers(anna: User) -> None:
    anna.create(contact("Ann"))

    answer = anna.full(fields="connections(resourceName,names/givenName),nextSyncToken")

    assert set(answer) == {"connections", "nextSyncToken"}
    (person,) = answer["connections"]
    assert person["names"] == [{"givenName": "Ann"}]
    assert set(person) == {"resourceName", "names"}


@pytest.mark.point("G-1")
def test_answers_are_pretty_gzipped_and_dated(anna: User) -> None:
    for n in range(3):
        anna.create(contact(f"N{n}"))
    path = "/v1/people/me/connections?personFields=names"
    asked = {**bearer(anna), "Accept-Encoding": "gzip"}

    _, headers, packed = anna.box.http("GET", path, None, asked)
    _, _, plain = anna.box.http("GET", path, None, bearer(anna))
    _, _, small = anna.box.http("GET", path + "&prettyPrint=false", None, bearer(anna))

    assert headers["content-encoding"] == "gzip"
    assert headers["content-type"] == "application/json; charset=UTF-8"
    assert json.loads(gzip.decompress(packed))["totalItems"] == 3
    assert plain.startswith(b'{\n  "connections": [\n    {\n      "resourceName": ')
    assert b"\n" not in small.strip()
    assert len(json.loads(small)["connections"]) == 3


@pytest.mark.point("G-1")
def test_repeated_keys_and_absent_arrays(anna: User) -> None:
    made = anna.create(contact("Ann"))["resourceName"]
    path = (
        f"/v1/people:batchGet?resourceNames={made}&resourceNames=people%2Fc1"
        "&personFields=names,emailAddresses&sources=READ_SOURCE_TYPE_CONTACT&alt=json"
    )

    status, _, body = anna.box.http("GET", path, None, bearer(anna))

    first, second = json.loads(body)["responses"]
    assert status == 200
    assert "emailAddresses" not in first["person"]
    assert second["httpStatusCode"] == 404


@pytest.mark.point("P-25")
def test_a_long_get_comes_as_a_post_with_its_query_in_the_body(anna: User) -> None:
    names = [anna.create(contact(f"N{n}"))["resourceName"] for n in range(3)]
    asked = names + [f"people/c{10**16 + n}" for n in range(150)]
    request = anna.service.people().getBatchGet(
        resourceNames=asked, personFields="names", sources=CONTACT_SOURCE
    )

    length = len(request.uri)
    answer = request.execute()

    found = [r for r in answer["responses"] if "person" in r]
    assert length > 2048
    assert (len(found), len(answer["responses"])) == (3, 153)
    assert anna.box.requests(account=anna.email, path="batchGet")[0]["method"] == "GET"


@pytest.mark.point("P-26")
def test_the_date_header_is_the_sandbox_s_own_time(
    anna: User, box: SandboxServer
) -> None:
    def date() -> float:
        _, headers, _ = box.http("GET", "/v1/nothing")
        return parsedate_to_datetime(headers["date"]).timestamp()

    before = date()
    box.advance(600)
    made = anna.create(contact("Ann"))

    assert 599 <= date() - before <= 605
    assert made["metadata"]["sources"][0]["updateTime"].endswith("Z")


# ---------------------------------------------------------------- credentials


@pytest.mark.point("G-3", "P-27")
def test_no_token_a_wrong_one_and_one_without_the_scope(
    new_user: Callable[..., User], box: SandboxServer
) -> None:
    path = "/v1/people/me/connections?personFields=names"
    reader = new_user(CONTACTS + ".readonly")
    signed_in = new_user("openid", "https://www.googleapis.com/auth/userinfo.profile")

    nothing = box.http("GET", path)
    wrong = box.http("GET", path, None, {"Authorization": "Bearer ya29.wrong"})
    write = refusal(lambda: reader.create(contact("Ann")))
    other = refusal(signed_in.page)

    assert (nothing[0], wrong[0]) == (401, 401)
    assert json.loads(wrong[2])["error"]["status"] == "UNAUTHENTICATED"
    assert wrong[1]["www-authenticate"].startswith("Bearer realm=")
    assert reader.page() == {"totalItems": 0, "totalPeople": 0}
    for error in (write, other):
        assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
        assert reason(error) == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


@pytest.mark.point("P-27")
def test_a_profile_scope_opens_the_own_profile_only(
    new_user: Callable[..., User],
) -> None:
    user = new_user("https://www.googleapis.com/auth/userinfo.profile")

    assert user.get("people/me", "names", sources=None)["names"]
    assert refusal(lambda: user.get("people/c1"))["code"] == 403
