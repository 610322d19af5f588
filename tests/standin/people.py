"""The People API over address books: what each method accepts and answers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.standin.basics import Json, Refusal, digest, invalid, not_found
from tests.standin.book import (
    READABLE,
    WRITABLE,
    Book,
    Group,
    Person,
    clean_fields,
    show_person,
    without_defaults,
)
from tests.standin.paging import (
    Page,
    Pager,
    Query,
    SyncToken,
    mask_of,
    names_of,
    one,
    whole,
    with_profile,
)

GROUP_FIELDS = frozenset({"clientData", "groupType", "memberCount", "metadata", "name"})
READ_GROUP = "groupType,memberCount,metadata,name"
WROTE_GROUP = "groupType,metadata,name"
NOT_PARAMETERS = frozenset(
    {"alt", "access_token", "callback", "fields", "key", "prettyPrint", "quotaUser"}
)
STALE = (
    "Request person.etag is different than the current person.etag. "
    "Clear local cache and get the latest person."
)
NO_ETAG = (
    "Request must set person.etag or person.metadata.sources.etag "
    "for the source that is being updated."
)


class People(Pager):
    """Every method gets the book, what the path names, the query and the body."""

    # --- reading people
    def connections(self, book: Book, _: str, query: Query, __: Json) -> Json:
        mask = mask_of(one(query, "personFields"), "personFields", READABLE)
        profile = with_profile(query.get("sources"))
        sync_wanted = one(query, "requestSyncToken").lower() == "true"
        order = one(query, "sortOrder", "LAST_MODIFIED_ASCENDING")
        if sync_wanted and order == "LAST_MODIFIED_DESCENDING":
            raise invalid("This sortOrder does not go with a sync.")
        size = self.page_size(query, 100)
        bare = {
            k: v for k, v in query.items() if k not in {"pageToken", "syncToken"}
        }.items()
        parameters = digest(sorted((k, v) for k, v in bare if k not in NOT_PARAMETERS))
        before = one(query, "syncToken")
        if token := one(query, "pageToken"):
            return self.page(token, book, parameters + before)
        extra: Json = {}
        if before or sync_wanted:
            end = book.person_feed.end(self.habits.feed_delay)
        else:
            end = len(book.person_feed.log)
        start = self.sync_start(before, book, "people", parameters) if before else None
        rows = []
        for change in book.person_feed.between(start.place if start else 0, end):
            if isinstance(change.after, Person):
                feed = start is not None
                rows.append(
                    show_person(
                        change.after, mask, profile=profile, feed=feed, most=100
                    )
                )
            elif start and not change.quiet:
                gone: Json = {"resourceName": change.name}
                rows.append(
                    gone
                    | ({"metadata": {"deleted": True}} if "metadata" in mask else {})
                )
        if not (before or sync_wanted):
            self._sort(rows, order)
        if not start:
            extra["totalItems"] = len(rows)
        born = start.born if start else self.clock.now()
        next_sync = SyncToken(book, "people", parameters, end, born)
        page = Page(
            book,
            parameters + before,
            "connections",
            rows,
            0,
            size,
            extra,
            next_sync if sync_wanted else None,
        )
        return self.cut(page)

    @staticmethod
    def _sort(rows: list[Json], order: str) -> None:
        rows.reverse()
        part = {
            "FIRST_NAME_ASCENDING": "givenName",
            "LAST_NAME_ASCENDING": "familyName",
        }
        if order == "LAST_MODIFIED_DESCENDING":
            rows.reverse()
        elif order in part:
            rows.sort(key=lambda r: (r.get("names") or [{}])[0].get(part[order], ""))
        elif order != "LAST_MODIFIED_ASCENDING":
            raise invalid("sortOrder is not one of the enumeration.")

    def get_person(self, book: Book, name: str, query: Query, _: Json) -> Json:
        mask = mask_of(one(query, "personFields"), "personFields", READABLE)
        profile = with_profile(query.get("sources"))
        if name == "people/me":
            return self._me(book, mask)
        return show_person(book.person(name), mask, profile=profile)

    def batch_get(self, book: Book, _: str, query: Query, __: Json) -> Json:
        mask = mask_of(one(query, "personFields"), "personFields", READABLE)
        profile = with_profile(query.get("sources"))
        answers: list[Json] = []
        for name in names_of(query.get("resourceNames"), 200):
            answer: Json = {"requestedResourceName": name}
            if name == "people/me":
                answer["person"] = self._me(book, mask)
            elif person := book.persons.get(name):
                answer["person"] = show_person(person, mask, profile=profile)
                answer["status"] = {}
            else:
                answer["status"] = {"code": 5, "message": "No such person."}
            answers.append(answer)
        book.dice.shuffle(answers)
        return {"responses": answers}

    @staticmethod
    def _me(book: Book, mask: frozenset[str]) -> Json:
        source = {"type": "PROFILE", "id": digest("me", book.account)}
        metadata = {"primary": True, "verified": True, "source": source}
        every: Json = {
            "names": [{"displayName": book.account, "metadata": metadata}],
            "emailAddresses": [{"value": book.account, "metadata": metadata}],
            "metadata": {"sources": [source]},
        }
        shown = {k: v for k, v in every.items() if k in mask}
        return {"resourceName": "people/me", "etag": '%"me"%'} | shown

    # --- writing people
    def create(self, book: Book, _: str, query: Query, body: Json) -> Json:
        mask = self._answer_mask(query)
        profile = with_profile(query.get("sources"))
        fields = clean_fields(body, WRITABLE)
        person = book.create(fields, book.memberships(body))
        return show_person(person, mask, profile=profile)

    def update(self, book: Book, name: str, query: Query, body: Json) -> Json:
        masked = mask_of(
            one(query, "updatePersonFields"), "updatePersonFields", WRITABLE
        )
        mask, profile = self._answer_mask(query), with_profile(query.get("sources"))
        fields, groups = self._checked_update(book, name, body, masked)
        person = book.change(name, fields, masked, groups)
        return show_person(person, mask, profile=profile)

    def delete(self, book: Book, name: str, _: Query, __: Json) -> Json:
        book.delete(name)
        return {}

    def batch_create(self, book: Book, _: str, __: Query, body: Json) -> Json:
        contacts = body.get("contacts")
        mask, profile = self._read_mask(body), with_profile(body.get("sources"))
        if not isinstance(contacts, list) or not contacts:
            raise invalid("There are no contacts in the request.")
        if len(contacts) > 200:
            raise invalid("More than 200 contacts in one request.")
        checked = []
        for contact in contacts:
            person = contact.get("contactPerson") if isinstance(contact, dict) else None
            if not isinstance(person, dict):
                raise invalid("A contact comes without its contactPerson.")
            checked.append((clean_fields(person, WRITABLE), book.memberships(person)))
        created = [book.create(fields, groups) for fields, groups in checked]
        if not mask:
            return {}
        book.dice.shuffle(created)
        return {
            "createdPeople": [
                {"person": show_person(p, mask, profile=profile)} for p in created
            ]
        }

    def batch_update(self, book: Book, _: str, __: Query, body: Json) -> Json:
        contacts = body.get("contacts")
        masked = mask_of(body.get("updateMask"), "updateMask", WRITABLE)
        mask, profile = self._read_mask(body), with_profile(body.get("sources"))
        if not isinstance(contacts, dict) or not contacts:
            raise invalid("There is no map of contacts in the request.")
        if len(contacts) > 200:
            raise invalid("More than 200 contacts in one request.")
        checked = {
            name: self._checked_update(book, name, person, masked)
            for name, person in contacts.items()
        }
        changed = [
            book.change(name, fields, masked, groups)
            for name, (fields, groups) in checked.items()
        ]
        if not mask:
            return {}
        return {
            "updateResult": {
                p.name: {"person": show_person(p, mask, profile=profile)}
                for p in reversed(changed)
            }
        }

    def batch_delete(self, book: Book, _: str, __: Query, body: Json) -> Json:
        """One name that is not there refuses the call; nothing is deleted then."""
        names = names_of(body.get("resourceNames"), 500)
        for name in names:
            book.person(name)
        for name in names:
            book.delete(name)
        return {}

    @staticmethod
    def _answer_mask(query: Query) -> frozenset[str]:
        given = one(query, "personFields")
        return mask_of(given, "personFields", READABLE) if given else READABLE

    @staticmethod
    def _read_mask(body: Json) -> frozenset[str]:
        if "readMask" not in body:
            raise invalid("readMask has to be there, be it empty.")
        given = body["readMask"]
        return mask_of(given, "readMask", READABLE) if given else frozenset()

    def _checked_update(
        self, book: Book, name: str, body: Any, masked: frozenset[str]
    ) -> tuple[dict[str, list[Json]], list[str] | None]:
        if not isinstance(body, dict):
            raise invalid("A person is an object.")
        person = book.person(name)
        if body.get("resourceName", name) != name:
            raise invalid("The person has another resource name than the request.")
        sources = (body.get("metadata") or {}).get("sources") or []
        ours = [s for s in sources if s.get("type") == "CONTACT"]
        if not ours:
            raise invalid("person.metadata.sources has no source of type CONTACT.")
        if any(s.get("id", person.source_id) != person.source_id for s in ours):
            raise invalid("The CONTACT source belongs to somebody else.")
        self._check_etag(person, str(body.get("etag") or ""), ours)
        groups = None
        if "memberships" in masked:
            groups = book.memberships(body, person.groups)
            if not groups:
                raise invalid("A contact has to stay in at least one contact group.")
        return clean_fields(body, masked), groups

    def _check_etag(self, person: Person, etag: str, sources: list[Json]) -> None:
        if etag:
            current = f'"{person.version()}"' in etag
        else:
            given = [s["etag"] for s in sources if s.get("etag")]
            if not given:
                raise invalid(NO_ETAG)
            current = self.habits.source_etag_passes and given == [person.source_etag()]
        if not current:
            raise Refusal(400, "FAILED_PRECONDITION", STALE)

    # --- labels
    def groups(self, book: Book, _: str, query: Query, __: Json) -> Json:
        mask = self._group_mask(query.get("groupFields"), READ_GROUP)
        size = self.page_size(query, 30)
        before = one(query, "syncToken")
        if token := one(query, "pageToken"):
            return self.page(token, book, before)
        start = self.sync_start(before, book, "groups", "") if before else None
        end = book.group_feed.end(0)
        rows: list[Json] = []
        for change in book.group_feed.between(start.place if start else 0, end):
            if isinstance(change.after, Group):
                rows.append(book.show_group(change.after, mask))
            elif start:
                gone: Json = {"resourceName": change.name}
                rows.append(gone | {"metadata": {"deleted": True}})
        born = start.born if start else self.clock.now()
        next_sync = SyncToken(book, "groups", "", end, born)
        return self.cut(
            Page(book, before, "contactGroups", rows, 0, size, {}, next_sync)
        )

    def get_group(self, book: Book, name: str, query: Query, _: Json) -> Json:
        mask = self._group_mask(query.get("groupFields"), READ_GROUP)
        return book.show_group(book.group(name), mask, whole(query, "maxMembers"))

    def batch_get_groups(self, book: Book, _: str, query: Query, __: Json) -> Json:
        mask = self._group_mask(query.get("groupFields"), READ_GROUP)
        answers: list[Json] = []
        for name in names_of(query.get("resourceNames"), 200):
            answer: Json = {"requestedResourceName": name}
            if group := book.groups.get(name):
                most = whole(query, "maxMembers")
                answer["contactGroup"] = book.show_group(group, mask, most)
            else:
                answer["status"] = {"code": 5, "message": "No such contact group."}
            answers.append(answer)
        return {"responses": answers}

    def create_group(self, book: Book, _: str, __: Query, body: Json) -> Json:
        mask = self._group_mask(body.get("readGroupFields"), WROTE_GROUP)
        sent = body.get("contactGroup") or {}
        data = without_defaults(sent.get("clientData") or [])
        group = book.create_group(sent.get("name"), data)
        return book.show_group(group, mask)

    def update_group(self, book: Book, name: str, _: Query, body: Json) -> Json:
        mask = self._group_mask(body.get("readGroupFields"), WROTE_GROUP)
        masked = mask_of(
            body.get("updateGroupFields") or "name",
            "updateGroupFields",
            frozenset({"name", "clientData"}),
        )
        sent, group = body.get("contactGroup") or {}, self._own_group(book, name)
        if "name" in masked:
            title = book.check_title(sent.get("name"), but=name)
            group = replace(group, title=title, shown=title)
        if "clientData" in masked:
            data = without_defaults(sent.get("clientData") or [])
            group = replace(group, client_data=tuple(data))
        return book.show_group(book.change_group(group), mask)

    def delete_group(self, book: Book, name: str, query: Query, _: Json) -> Json:
        self._own_group(book, name)
        with_contacts = one(query, "deleteContacts").lower() == "true"
        book.delete_group(name, with_contacts=with_contacts)
        return {}

    def modify_members(self, book: Book, name: str, _: Query, body: Json) -> Json:
        group = book.group(name)
        adding = list(body.get("resourceNamesToAdd") or [])
        removing = list(body.get("resourceNamesToRemove") or [])
        if len(adding) + len(removing) > 1000:
            raise invalid("More than 1000 members to add and to remove.")
        if adding:
            book.check_open(group.name)
        unknown = [n for n in adding + removing if n not in book.persons]
        last = []
        for member in adding:
            person = book.persons.get(member)
            if person and name not in person.groups:
                book.store(replace(person, groups=(*person.groups, name)))
        for member in removing:
            person = book.persons.get(member)
            if not person or name not in person.groups:
                continue
            if left := tuple(g for g in person.groups if g != name):
                book.store(replace(person, groups=left))
            else:
                last.append(member)
        answer = {
            "notFoundResourceNames": list(dict.fromkeys(unknown)),
            "canNotRemoveLastContactGroupResourceNames": last,
        }
        return {k: v for k, v in answer.items() if v}

    @staticmethod
    def _group_mask(value: Any, default: str) -> frozenset[str]:
        if isinstance(value, list):
            value = value[-1]
        return mask_of(value or default, "groupFields", GROUP_FIELDS)

    @staticmethod
    def _own_group(book: Book, name: str) -> Group:
        group = book.group(name)
        if group.system:
            raise invalid("A system contact group stays as it is.")
        return group


Method = Callable[[People, Book, str, Query, Json], Json]
_PERSON, _GROUP = r"(people/[^/:]+)", r"(contactGroups/[^/:]+)"
ROUTES: list[tuple[str, str, Method]] = [
    ("GET", "people/me/connections", People.connections),
    ("GET", "people:batchGet", People.batch_get),
    ("GET", _PERSON, People.get_person),
    ("POST", "people:createContact", People.create),
    ("POST", "people:batchCreateContacts", People.batch_create),
    ("POST", "people:batchUpdateContacts", People.batch_update),
    ("POST", "people:batchDeleteContacts", People.batch_delete),
    ("PATCH", _PERSON + ":updateContact", People.update),
    ("DELETE", _PERSON + ":deleteContact", People.delete),
    ("GET", "contactGroups", People.groups),
    ("GET", "contactGroups:batchGet", People.batch_get_groups),
    ("POST", "contactGroups", People.create_group),
    ("GET", _GROUP, People.get_group),
    ("PUT", _GROUP, People.update_group),
    ("DELETE", _GROUP, People.delete_group),
    ("POST", _GROUP + "/members:modify", People.modify_members),
]


def find(method: str, path: str) -> tuple[Method, str]:
    """Return the method a path below `v1/` means, and the resource it names."""
    for verb, pattern, found in ROUTES:
        match = re.fullmatch(pattern, path) if verb == method else None
        if match:
            return found, match.group(1) if match.groups() else ""
    raise not_found()


@contextmanager
def the_only_write(book: Book, seconds: float) -> Iterator[None]:
    """Writes of one user come one after another; one that overlaps is refused."""
    if not book.writing.acquire(blocking=False):
        raise Refusal(409, "ABORTED", "Another change of this user is under way.")
    try:
        time.sleep(seconds)
        yield
    finally:
        book.writing.release()
