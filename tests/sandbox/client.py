"""Google's own client library against the sandbox; answers are held to schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import httplib2
import pytest
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

from tests.sandbox.harness import (
    CLIENT_ID,
    CLIENT_SECRET,
    CONTACTS,
    Json,
    SandboxServer,
)
from tests.sandbox.schemas import (
    ERROR,
    LEGACY_ERROR,
    document,
    responses,
    validator,
)

CONTACT_SOURCE = ["READ_SOURCE_TYPE_CONTACT"]
FIELDS = "names,emailAddresses,phoneNumbers,memberships,metadata,clientData"


class User:
    """One account with a People service of its own."""

    def __init__(
        self, box: SandboxServer, email: str, scopes: tuple[str, ...] = (CONTACTS,)
    ) -> None:
        self.box = box
        self.email = email
        self.token = box.token(email, scopes)
        self.credentials = Credentials(
            self.token["access_token"],
            refresh_token=self.token.get("refresh_token"),
            token_uri=f"{box.url}/token",
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        )
        self.http = httplib2.Http(timeout=10)
        authorized = AuthorizedHttp(self.credentials, http=self.http)
        self.service = service(box, authorized)

    def close(self) -> None:
        self.service.close()
        self.http.close()

    # ------------------------------------------------------------ short forms

    def page(self, **more: Any) -> Json:
        """One page of connections, contact data only."""
        given = {"personFields": FIELDS, "sources": CONTACT_SOURCE, **more}
        request = (
            self.service.people().connections().list(resourceName="people/me", **given)
        )
        found: Json = request.execute()
        return found

    def full(self, **more: Any) -> Json:
        return self.page(requestSyncToken=True, pageSize=1000, **more)

    def names(self, **more: Any) -> list[str]:
        return [p["resourceName"] for p in self.page(**more).get("connections", [])]

    def get(self, name: str, fields: str = FIELDS, **more: Any) -> Json:
        given = {"personFields": fields, "sources": CONTACT_SOURCE, **more}
        found: Json = self.service.people().get(resourceName=name, **given).execute()
        return found

    def create(self, body: Json, **more: Any) -> Json:
        given = {"personFields": FIELDS, "sources": CONTACT_SOURCE, **more}
        found: Json = self.service.people().createContact(body=body, **given).execute()
        return found

    def update(self, name: str, body: Json, mask: str, **more: Any) -> Json:
        given = {"personFields": FIELDS, "sources": CONTACT_SOURCE, **more}
        request = self.service.people().updateContact(
            resourceName=name, body=body, updatePersonFields=mask, **given
        )
        found: Json = request.execute()
        return found

    def edit(self, person: Json, mask: str, **fields: Any) -> Json:
        """An update the way it should be: etag and source of the same read."""
        body = {"etag": person["etag"], "metadata": person["metadata"], **fields}
        return self.update(person["resourceName"], body, mask)

    def delete(self, name: str) -> Any:
        return self.service.people().deleteContact(resourceName=name).execute()


def service(
    box: SandboxServer, http: Any, name: str = "people", version: str = "v1"
) -> Any:
    """Google's client for one API, pointed at the sandbox; answers are validated."""
    doc = deepcopy(document(name, version))
    doc["rootUrl"] = box.url + "/"
    doc["baseUrl"] = box.url + "/" + doc["servicePath"]
    doc.pop("mtlsRootUrl", None)

    def checked_request(http: Any, postproc: Any, uri: str, **more: Any) -> Any:
        check = _checked((name, version), more.get("methodId", ""), postproc)
        return HttpRequest(http, check, uri, **more)

    return build_from_document(doc, http=http, requestBuilder=checked_request)


def _checked(
    api: tuple[str, str], method_id: str, postproc: Callable[[Any, Any], Any]
) -> Any:
    def check(response: Any, content: Any) -> Any:
        value = postproc(response, content)
        schema = responses(*api).get(method_id)
        if schema is None:
            assert value == ""
        else:
            validator(*api, schema).validate(value)
        return value

    return check


def refusal(call: Callable[[], Any], shape: Any = ERROR) -> Json:
    """What a call is refused with, held to Google's error shape."""
    with pytest.raises(HttpError) as caught:
        call()
    value = json.loads(caught.value.content)
    shape.validate(value)
    found: Json = value["error"]
    assert found["code"] == caught.value.status_code
    return found


def legacy_refusal(call: Callable[[], Any]) -> tuple[int, str]:
    """Code and reason of a refusal by Calendar or Tasks, in their older shape."""
    error = refusal(call, LEGACY_ERROR)
    return error["code"], error["errors"][0]["reason"]


def reason(error: Json) -> str:
    """The reason of the ErrorInfo of a refusal, or nothing."""
    for detail in error.get("details", []):
        if detail["@type"].endswith("ErrorInfo"):
            return str(detail["reason"])
    return ""


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {user.credentials.token}"}


def contact(given: str, family: str = "Doe", **fields: Any) -> Json:
    return {"names": [{"givenName": given, "familyName": family}], **fields}


def email(value: str, kind: str = "work") -> Json:
    return {"value": value, "type": kind}
