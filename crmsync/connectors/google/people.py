"""The calls of the People API that we make, typed; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.service import build_service
from crmsync.errors import OutcomeUnknown, ProtocolBroken

Wire = dict[str, Any]

SOURCES = ["READ_SOURCE_TYPE_CONTACT"]
"""Without it profile data is mixed in, which can not be written (contract, 4.2)."""

BATCH_GET, BATCH_WRITE, BATCH_DELETE, MEMBERS = 200, 200, 500, 1000
"""Google's caps per call (contract, 4.1)."""

PAGE_SIZE = 1000


class PeopleApi:
    """One connection's People API; every call may raise as `GoogleHttp.request`."""

    def __init__(self, http: GoogleHttp, root: str):
        """Build the client.

        Args:
            http: the connection's way to the API.
            root: where the API is, ending in `/`.
        """
        self.http = http
        self.root = root
        service = build_service("people", "v1", http, root)
        self._people = service.people()
        self._connections = self._people.connections()
        self._groups = service.contactGroups()
        self._members = self._groups.members()

    def list_connections(self, fields: str, tokens: Mapping[str, str]) -> Wire:
        """Return one page of all contacts, or of the changes since a sync token.

        Args:
            fields: the person fields, always the same for one sync token.
            tokens: `syncToken` and `pageToken`, where there are any.
        """
        request = self._connections.list(
            resourceName="people/me",
            personFields=fields,
            pageSize=PAGE_SIZE,
            requestSyncToken=True,
            sources=SOURCES,
            prettyPrint=False,
            **tokens,
        )
        return _wire(request.execute())

    def batch_get(self, names: Sequence[str], fields: str) -> Wire:
        """Return up to 200 people, each with a status of its own."""
        request = self._people.getBatchGet(
            resourceNames=list(names),
            personFields=fields,
            sources=SOURCES,
            prettyPrint=False,
        )
        return _wire(request.execute())

    def get(self, name: str, fields: str) -> Wire:
        """Return one person."""
        request = self._people.get(
            resourceName=name, personFields=fields, sources=SOURCES, prettyPrint=False
        )
        return _wire(request.execute())

    def batch_create(self, people: Sequence[Wire], read_mask: str) -> Wire:
        """Create up to 200 contacts in one request, sent once."""
        body = {
            "contacts": [{"contactPerson": person} for person in people],
            "readMask": read_mask,
            "sources": SOURCES,
        }
        request = self._people.batchCreateContacts(body=body, prettyPrint=False)
        return _written(request.execute())

    def batch_update(
        self, people: Mapping[str, Wire], update_mask: str, read_mask: str
    ) -> Wire:
        """Replace the masked fields of up to 200 contacts in one request."""
        body = {
            "contacts": dict(people),
            "updateMask": update_mask,
            "readMask": read_mask,
            "sources": SOURCES,
        }
        request = self._people.batchUpdateContacts(body=body, prettyPrint=False)
        return _written(request.execute())

    def batch_delete(self, names: Sequence[str]) -> None:
        """Delete up to 500 contacts in one request."""
        body = {"resourceNames": list(names)}
        self._people.batchDeleteContacts(body=body, prettyPrint=False).execute()

    def delete(self, name: str) -> None:
        """Delete one contact."""
        self._people.deleteContact(resourceName=name, prettyPrint=False).execute()

    def list_groups(self, page_token: str) -> Wire:
        """Return one page of the contact groups, without members."""
        more = {"pageToken": page_token} if page_token else {}
        request = self._groups.list(pageSize=PAGE_SIZE, prettyPrint=False, **more)
        return _wire(request.execute())

    def create_group(self, name: str) -> Wire:
        """Create a contact group."""
        body = {"contactGroup": {"name": name}}
        return _written(self._groups.create(body=body, prettyPrint=False).execute())

    def modify_members(
        self, group: str, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> Wire:
        """Put contacts into a group or take them out, up to 1000 in one request."""
        body: Wire = {}
        if add:
            body["resourceNamesToAdd"] = list(add)
        if remove:
            body["resourceNamesToRemove"] = list(remove)
        request = self._members.modify(resourceName=group, body=body, prettyPrint=False)
        return _written(request.execute())


def _written(found: Any) -> Wire:
    """Return a write's answer; one that can not be read tells of no outcome."""
    try:
        return _wire(found)
    except ProtocolBroken as error:
        raise OutcomeUnknown(error.message) from error


def _wire(found: Any) -> Wire:
    """Return an answer's object; an empty answer is an empty object."""
    if found is None or found in ("", b""):
        return {}
    if not isinstance(found, dict):
        raise ProtocolBroken("Google answered something other than a JSON object.")
    return found
