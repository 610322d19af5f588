"""The second stand-in behaves as the contract says, seen through Google's client."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import google_auth_httplib2
import httplib2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth.exceptions import RefreshError
from google.oauth2 import id_token
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import HttpError

from tests.standin.server import StandIn

Json = dict[str, Any]
ME = "x@y.example"
CONTACT = "READ_SOURCE_TYPE_CONTACT"
MASK = "names,emailAddresses,clientData,memberships,metadata"
SYNC = {
    "resourceName": "people/me",
    "personFields": MASK,
    "sources": CONTACT,
    "pageSize": 1000,
    "requestSyncToken": True,
}


@contextmanager
def client(google: StandIn, root: str | None = None, **tokens: Any) -> Iterator[Any]:
    answer = google.tokens_for(ME, **tokens)
    credentials = Credentials(
        answer["access_token"],
        refresh_token=answer["refresh_token"],
        token_uri=google.token_url,
        client_id="client",
        client_secret="secret",
    )
    document = json.loads(get_static_doc("people", "v1"))
    document["rootUrl"] = document["baseUrl"] = root or google.people_root
    document.pop("mtlsRootUrl", None)
    with build_from_document(document, credentials=credentials) as service:
        yield service


def send(
    url: str, form: Json | None = None, headers: Json | None = None
) -> tuple[Any, Any]:
    http = httplib2.Http()
    http.follow_redirects = False
    sent = {"Content-Type": "application/x-www-form-urlencoded"} | (headers or {})
    try:
        if form is None:
            head, body = http.request(url, headers=headers)
        else:
            head, body = http.request(url, "POST", urlencode(form), headers=sent)
    finally:
        http.close()
    is_json = "json" in head.get("content-type", "")
    return head, json.loads(body) if is_json else body


def refused(request: Any) -> Json:
    with pytest.raises(HttpError) as caught:
        request.execute()
    error = json.loads(caught.value.content)["error"]
    assert error["code"] == caught.value.status_code
    return cast("Json", error)


def read(people: Any, **parameters: Any) -> tuple[list[Json], str, list[int]]:
    """Follow the pages; the token comes with the last one and with no other."""
    request = people.people().connections().list(**SYNC | parameters)
    rows: list[Json] = []
    sizes: list[int] = []
    while True:
        answer = request.execute()
        rows += answer.get("connections", [])
        sizes.append(len(answer.get("connections", [])))
        following = people.people().connections().list_next(request, answer)
        assert ("nextSyncToken" in answer) is (following is None)
        if following is None:
            return rows, answer["nextSyncToken"], sizes
        request = following


def person(number: int, **more: Any) -> Json:
    return {
        "names": [{"givenName": f"Person{number}", "familyName": "Test"}],
        "clientData": [{"key": "marker", "value": str(number)}],
    } | more


def update_body(shown: Json, **fields: Any) -> Json:
    sources = [s for s in shown["metadata"]["sources"] if s["type"] == "CONTACT"]
    return {"etag": shown["etag"], "metadata": {"sources": sources}} | fields


def ask(google: StandIn, **more: str) -> dict[str, str]:
    query = {
        "client_id": "client",
        "redirect_uri": "http://localhost/back?a=b",
        "response_type": "code",
        "scope": "openid email https://www.googleapis.com/auth/contacts",
        "state": "st/+=te",
        "access_type": "offline",
    }
    head, _ = send(google.auth_url + "?" + urlencode(query | more))
    assert head.status == 302
    parts = urlsplit(head["location"])
    assert parts._replace(query="").geturl() == "http://localhost/back"
    return {k: v[0] for k, v in parse_qs(parts.query).items()}


def exchange(google: StandIn, code: str, **more: str) -> tuple[Any, Json]:
    return send(
        google.token_url,
        {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": "client",
            "client_secret": "secret",
            "redirect_uri": "http://localhost/back?a=b",
        }
        | more,
    )


def verified(certs: Json, token: str) -> Json:
    """Check the token with the published numbers, as a key set wants it."""

    def raw(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    key = certs["keys"][0]
    exponent, modulus = (int.from_bytes(raw(key[k]), "big") for k in "en")
    head, claims, mark = token.split(".")
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    signed = f"{head}.{claims}".encode()
    public.verify(raw(mark), signed, padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(raw(head))["kid"] == key["kid"]
    return cast("Json", json.loads(raw(claims)))


def test_a_person_signs_in_once_with_a_proof_and_a_refresh_token() -> None:
    proof = "v" * 64
    digest = hashlib.sha256(proof.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    pkce = {"code_challenge": challenge, "code_challenge_method": "S256"}
    with StandIn(accounts=["first@y.example", ME]) as google:
        back = ask(google, login_hint=ME, nonce="n", **pkce)
        assert back["state"] == "st/+=te"
        assert {"a", "scope", "authuser", "prompt"} <= set(back)
        head, answer = exchange(google, back["code"], code_verifier=proof)
        assert head.status == 200
        assert "https://www.googleapis.com/auth/userinfo.email" in answer["scope"]
        _, keys = send(google.certs_url)
        claims = verified(keys, answer["id_token"])
        assert claims["iss"] == "accounts.google.com"
        assert (claims["email"], claims["aud"], claims["nonce"]) == (ME, "client", "n")
        assert exchange(google, back["code"], code_verifier=proof)[1] == {
            "error": "invalid_grant"
        }
        bearer = {"Authorization": f"Bearer {answer['access_token']}"}
        assert send(google.userinfo_url, headers=bearer)[1]["sub"] == claims["sub"]

        wrong = ask(google, **pkce)["code"]
        assert exchange(google, wrong, code_verifier="w" * 64)[0].status == 400
        again = exchange(google, ask(google, login_hint=ME)["code"])[1]
        assert "refresh_token" not in again
        consented = ask(google, login_hint=claims["sub"], prompt="consent")["code"]
        assert "refresh_token" in exchange(google, consented)[1]

        refresh = {
            "grant_type": "refresh_token",
            "refresh_token": answer["refresh_token"],
            "client_id": "client",
            "client_secret": "secret",
        }
        fresh = send(google.token_url, refresh)[1]
        assert fresh["access_token"] != answer["access_token"]
        assert "refresh_token" not in fresh
        google.withhold("https://www.googleapis.com/auth/contacts")
        assert "contacts" not in ask(google)["scope"]
        google.deny_next_consent()
        assert ask(google)["error"] == "access_denied"
        assert (
            send(google.revoke_url, {"token": fresh["access_token"]})[0].status == 200
        )
        assert send(google.revoke_url, {"token": "nobody's"})[0].status == 400
        assert send(google.token_url, refresh)[1]["error"] == "invalid_grant"


def test_the_certificates_come_as_pem_too_and_all_paths_are_on_one_host() -> None:
    with StandIn(accounts=[ME], pem_certs=True) as google:
        token = google.tokens_for(ME)["id_token"]
        http = httplib2.Http()
        request = google_auth_httplib2.Request(http)
        for certs in (google.certs_url, google.url + "/oauth2/v1/certs"):
            claims = id_token.verify_token(
                token, request, "client", certs, clock_skew_in_seconds=10
            )
            assert claims["email"] == ME
        http.close()
        for path in ("/o/oauth2/v2/auth", "/token", "/revoke", "/v1/userinfo"):
            assert send(google.url + path)[0].status in {400, 401, 405}
        with client(google, google.url + "/") as people:
            assert read(people)[0] == []
        head, _ = send(google.people_root.replace("/some/proxy", "") + "v1/people/me")
        assert head.status == 404


@pytest.mark.parametrize(
    ("how", "code", "status"),
    [
        ("FAILED_PRECONDITION", 400, "FAILED_PRECONDITION"),
        ("INVALID_ARGUMENT", 400, "INVALID_ARGUMENT"),
        ("410", 410, "ABORTED"),
    ],
)
def test_a_sync_token_tells_changes_until_it_expires(
    how: Any, code: int, status: str
) -> None:
    with StandIn(accounts=[ME], expired_as=how) as google, client(google) as people:
        names = [google.put(ME, person(n)) for n in range(80)]
        rows, token, sizes = read(people)
        assert sizes == [37, 37, 6]
        assert [r["resourceName"] for r in rows] == names[::-1]
        assert all("futureField" in r["names"][0] for r in rows)
        google.edit(ME, names[3], {"names": [{"givenName": "Changed"}]})
        google.remove(ME, names[5])
        renamed = google.rename(ME, names[7])
        rows, after, _ = read(people, syncToken=token)
        told = {r["resourceName"]: r for r in rows}
        assert set(told) == {names[3], names[5], renamed}
        assert told[names[5]]["metadata"]["deleted"] is True
        assert told[renamed]["metadata"]["previousResourceNames"] == [names[7]]
        assert read(people, syncToken=after)[0] == []
        listing = people.people().connections().list
        for other in ({"pageSize": 999}, {"personFields": "names,metadata"}):
            error = refused(listing(**SYNC | other | {"syncToken": token}))
            assert error["status"] == "INVALID_ARGUMENT"
            assert "expired" not in error["message"]
        google.expire_sync_tokens()
        error = refused(listing(**SYNC, syncToken=after))
        assert (error["code"], error["status"]) == (code, status)
        if code == 400:
            assert error["details"][-1]["reason"] == "EXPIRED_SYNC_TOKEN"
        names = [r["resourceName"] for r in read(people)[0]]
        assert len(names) == 79


def test_an_update_needs_the_right_etag_and_clears_what_it_does_not_give() -> None:
    with StandIn(accounts=[ME]) as google, client(google) as people:
        many = [{"value": f"{n}@y.example"} for n in range(101)]
        born = person(1, nicknames=[{"value": "N"}], emailAddresses=many)
        name = google.put(ME, born, labels=["Friends!"])
        get = people.people().get(resourceName=name, personFields=MASK)

        def change(fields: str, body: Json) -> Any:
            return people.people().updateContact(
                resourceName=name,
                updatePersonFields=fields,
                personFields=MASK,
                sources=CONTACT,
                body=body,
            )

        shown = get.execute()
        kinds = [s["type"] for s in shown["metadata"]["sources"]]
        assert kinds == ["PROFILE", "CONTACT"]
        assert "nicknames" not in shown
        assert len(shown["emailAddresses"]) == 101
        assert len(read(people)[0][0]["emailAddresses"]) == 100
        two = [{"givenName": "A"}, {"givenName": "B"}]
        for fields, body in (
            ("etag", update_body(shown)),
            ("names", {"etag": shown["etag"]}),
            ("names", update_body(shown, names=two)),
            ("memberships", update_body(shown)),
            ("photos", update_body(shown)),
        ):
            assert refused(change(fields, body))["status"] == "INVALID_ARGUMENT"
        bare = update_body(shown) | {"etag": ""}
        stale = refused(change("nicknames", bare))
        assert stale["status"] == "FAILED_PRECONDITION"
        bare["metadata"]["sources"] = [{"type": "CONTACT"}]
        assert (
            "Request must set person.etag" in refused(change("names", bare))["message"]
        )

        names = [{"unstructuredName": "Ann Mary Lee", "displayName": "ignored"}]
        new = change("names,nicknames,clientData", update_body(shown, names=names))
        after = new.execute()
        assert after["names"][0]["givenName"] == "Ann Mary"
        assert after["names"][0]["displayName"] == "Ann Mary Lee"
        assert "clientData" not in after
        assert "nicknames" not in google.people(ME)[0]
        assert len(after["memberships"]) == 2
        assert after["metadata"]["sources"][0]["type"] == "CONTACT"
        error = refused(change("names", update_body(shown, names=names)))
        assert error["message"].startswith("Request person.etag is different")
        change("names", update_body(after, names=names)).execute()
        deleting = people.people().deleteContact(resourceName=name)
        deleting.execute()
        assert refused(deleting)["status"] == "NOT_FOUND"
        assert refused(get)["message"] == "Requested entity was not found."


def test_batches_keep_their_caps_and_apply_whole_or_not_at_all() -> None:
    with StandIn(accounts=[ME], seed=4) as google, client(google) as people:
        api = people.people()

        def create(numbers: range, mask: str = "clientData,metadata") -> Any:
            contacts = [{"contactPerson": person(n)} for n in numbers]
            body = {"contacts": contacts, "readMask": mask, "sources": [CONTACT]}
            return api.batchCreateContacts(body=body)

        made = [r["person"] for r in create(range(200)).execute()["createdPeople"]]
        order = [int(p["clientData"][0]["value"]) for p in made]
        assert order != sorted(order)
        assert sorted(order) == list(range(200))
        assert "names" not in made[0]
        assert create(range(2), "").execute() == {}
        assert len(google.people(ME)) == 202
        assert refused(create(range(201)))["code"] == 400

        names = [p["resourceName"] for p in made]
        got = api.getBatchGet(
            resourceNames=[*names[1:], "people/c1"], personFields=MASK, sources=CONTACT
        ).execute()["responses"]
        assert ("GET", "/some/proxy/v1/people:batchGet") in google.requests
        by_name = {r["requestedResourceName"]: r for r in got}
        assert by_name["people/c1"]["status"]["code"] == 5
        read_now = [by_name[n]["person"] for n in names[1:]]

        def update(persons: list[Json]) -> Any:
            sent = {p["resourceName"]: update_body(p) for p in persons}
            body = {"contacts": sent, "updateMask": "names", "readMask": "metadata"}
            return api.batchUpdateContacts(body=body)

        google.edit(ME, names[5], {"nicknames": [{"value": "touched"}]})
        assert refused(update(read_now))["status"] == "FAILED_PRECONDITION"
        assert all(p.get("names") for p in google.people(ME))
        result = update(read_now[:4]).execute()["updateResult"]
        assert set(result) == set(names[1:5])
        assert sum("names" not in p for p in google.people(ME)) == 4

        def delete(some: list[str]) -> Any:
            return api.batchDeleteContacts(body={"resourceNames": some})

        assert refused(delete([*names, "people/c1"]))["code"] == 404
        assert refused(delete([f"people/c{n}" for n in range(501)]))["code"] == 400
        delete(names).execute()
        assert len(google.people(ME)) == 2


def test_labels_have_one_name_each_and_a_contact_keeps_its_last() -> None:
    with StandIn(accounts=[ME]) as google, client(google) as people:
        api = people.contactGroups()
        first = api.list().execute()
        sent = {
            "name": "Customers",
            "clientData": [{"key": "k", "value": "v"}],
        }
        made = api.create(body={"contactGroup": sent}).execute()
        assert made["groupType"] == "USER_CONTACT_GROUP"
        assert refused(api.create(body={"contactGroup": sent}))["code"] == 409
        group = made["resourceName"]
        inside, last = (google.put(ME, person(n)) for n in range(2))
        _, token, _ = read(people)

        def modify(name: str, **some: list[str]) -> Any:
            return api.members().modify(resourceName=name, body=some)

        answer = modify(group, resourceNamesToAdd=[inside, "people/c1"]).execute()
        assert answer["notFoundResourceNames"] == ["people/c1"]
        assert "canNotRemoveLastContactGroupResourceNames" not in answer
        mine = "contactGroups/myContacts"
        answer = modify(mine, resourceNamesToRemove=[inside, last]).execute()
        assert answer["canNotRemoveLastContactGroupResourceNames"] == [last]
        many = [f"people/c{n}" for n in range(1001)]
        assert refused(modify(group, resourceNamesToAdd=many))["code"] == 400
        closed = modify("contactGroups/friends", resourceNamesToAdd=[last])
        assert refused(closed)["code"] == 400
        changed, _, _ = read(people, syncToken=token)
        assert [p["resourceName"] for p in changed] == [inside]
        held = changed[0]["memberships"][0]["contactGroupMembership"]
        assert held["contactGroupResourceName"] == group

        shown = api.get(resourceName=group, maxMembers=5).execute()
        assert shown["memberResourceNames"] == [inside]
        assert "memberResourceNames" not in api.get(resourceName=group).execute()
        body = {"contactGroup": {"name": "Clients"}}
        api.update(resourceName=group, body=body).execute()
        delta = api.list(syncToken=first["nextSyncToken"]).execute()
        assert [g["name"] for g in delta["contactGroups"]] == ["Clients"]
        api.delete(resourceName=group).execute()
        delta = api.list(syncToken=delta["nextSyncToken"]).execute()
        assert delta["contactGroups"][0]["metadata"]["deleted"] is True
        both = api.batchGet(resourceNames=[group, mine]).execute()["responses"]
        assert both[0]["status"]["code"] == 5
        assert both[1]["contactGroup"]["memberCount"] == 2
        google.expire_sync_tokens()
        error = refused(api.list(syncToken=delta["nextSyncToken"]))
        assert "Sync token is expired" in error["message"]


def test_a_lost_answer_was_carried_out_and_a_planned_failure_was_not() -> None:
    with StandIn(accounts=[ME]) as google, client(google) as people:
        google.lose_next_answer("people:createContact")
        people.people().createContact(body=person(1)).execute()
        # The client's transport sends a POST again when nobody answers it.
        assert (
            google.requests.count(("POST", "/some/proxy/v1/people:createContact")) == 2
        )
        assert len(google.people(ME)) == 2
        google.fail_next("createContact", 503, {"error": {"code": 503}})
        assert refused(people.people().createContact(body=person(2)))["code"] == 503
        assert len(google.people(ME)) == 2


def test_two_writes_at_once_are_one_too_many() -> None:
    with StandIn(accounts=[ME], write_seconds=1) as google:
        outcomes: list[int] = []
        together = threading.Barrier(3, timeout=20)

        def write() -> None:
            with client(google) as people:
                request = people.people().createContact(body=person(1))
                together.wait()
                try:
                    request.execute()
                    outcomes.append(200)
                except HttpError as error:
                    outcomes.append(error.status_code)

        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == [200, 409, 409]
        assert google.overlaps == 2


def test_the_feed_lags_the_clock_is_ahead_and_tokens_die_in_time() -> None:
    with StandIn(accounts=[ME], feed_delay=240) as google, client(google) as people:
        _, token, _ = read(people)
        made = people.people().createContact(body=person(1)).execute()
        name = made["resourceName"]
        assert people.people().get(resourceName=name, personFields="names").execute()
        assert read(people, syncToken=token)[0] == []
        plain = SYNC | {"requestSyncToken": False}
        assert len(people.people().connections().list(**plain).execute()) > 1
        google.advance(241)
        rows, later, _ = read(people, syncToken=token)
        assert [r["resourceName"] for r in rows] == [name]
        source = made["metadata"]["sources"][-1]
        assert len(source["updateTime"]) == len("2026-01-01T00:00:00.123456789Z")
        ahead = parsedate_to_datetime(send(google.url)[0]["date"]).timestamp()
        assert ahead - google.clock.now() == pytest.approx(420, abs=5)
        # Neither the chain of tokens nor the access token outlives its time; the
        # client gets itself a new access token.
        google.advance(7 * 24 * 3600)
        request = people.people().connections().list(**SYNC, syncToken=later)
        assert "expired" in refused(request)["message"]
        assert ("POST", "/door/tokens") in google.requests


def test_a_request_needs_a_live_token_with_the_right_scope() -> None:
    with StandIn(accounts=[ME]) as google:
        name = google.put(ME, person(1))
        readonly = {"https://www.googleapis.com/auth/contacts.readonly"}
        with client(google, scopes=readonly) as people:
            assert len(read(people)[0]) == 1
            error = refused(people.people().deleteContact(resourceName=name))
            assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
        with client(google, scopes={"openid"}) as people:
            assert refused(people.people().connections().list(**SYNC))["code"] == 403
            google.revoke(ME)
            with pytest.raises(RefreshError, match="invalid_grant"):
                people.people().connections().list(**SYNC).execute()
        head, body = send(google.people_root + "v1/people/me/connections")
        assert (head.status, body["error"]["status"]) == (401, "UNAUTHENTICATED")
