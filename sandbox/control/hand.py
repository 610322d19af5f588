"""The user's own hand in Google's pages: edits that come from no API client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.errors import bad_request, invalid, not_found
from sandbox.messages import Json
from sandbox.people.groups import (
    change_group,
    checked_name,
    find_group,
    group_named,
    make_group,
    remove_group,
)
from sandbox.people.masks import EVERYTHING, SINGLETONS
from sandbox.people.model import Contact, Group
from sandbox.people.normalise import group_names, stored_fields
from sandbox.people.render import person
from sandbox.people.state import Book, Draft

if TYPE_CHECKING:
    from sandbox.app import Sandbox

Query = dict[str, str]
Step = Callable[[Book, Contact, Json], Contact]


class Hand:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._steps: dict[str, Step] = {
            "label": _label,
            "unlabel": _unlabel,
            "star": lambda b, c, _: _into(b, c, "starred"),
            "unstar": lambda b, c, _: _out_of(b, c, "starred"),
            "touch": lambda b, c, _: b.change([(c, {})])[0],
            "rename": lambda b, c, _: b.rename(c),
            "photo": _photo,
            "merge": _merge,
        }

    # ------------------------------------------------------------ people

    def list(self, query: Query, _body: Json) -> Json:
        book = self._book(query)
        with book.lock:
            return {"people": [_shown(c) for c in book.live()]}

    def get(self, query: Query, _body: Json) -> Json:
        book = self._book(query)
        with book.lock:
            return _shown(_find(book, query["id"]))

    def create(self, query: Query, body: Json) -> Json:
        """One person, or {"people": [...]}; `labels` are names of groups."""
        book = self._book(query)
        persons = body.get("people", [body])
        with book.lock:
            drafts = [self._draft(book, dict(p)) for p in persons]
            made = book.create(drafts)
            _maybe_settle(book, query)
            return {"people": [_shown(c) for c in made]}

    def edit(self, query: Query, body: Json) -> Json:
        """Only the fields given are replaced; an empty list clears one."""
        book = self._book(query)
        with book.lock:
            contact = _find(book, query["id"])
            checked = self._checked(body)
            kept = {k: v for k, v in contact.fields.items() if k not in body}
            new: dict[str, Any] = {"fields": kept | stored_fields(checked)}
            groups = group_names(checked)
            if groups:
                new["groups"] = tuple(groups)
            changed = book.change([(contact, new)])[0]
            _maybe_settle(book, query)
            return _shown(changed)

    def delete(self, query: Query, _body: Json) -> None:
        book = self._book(query)
        with book.lock:
            book.delete([_find(book, query["id"])])
            _maybe_settle(book, query)

    def act(self, query: Query, body: Json) -> Json:
        """label, unlabel, star, unstar, touch, rename, photo, merge."""
        step = self._steps.get(query["what"])
        if step is None:
            raise not_found()
        book = self._book(query)
        with book.lock:
            changed = step(book, _find(book, query["id"]), body)
            _maybe_settle(book, query)
            return _shown(changed)

    # ------------------------------------------------------------ groups

    def groups(self, query: Query, _body: Json) -> Json:
        book = self._book(query)
        with book.lock:
            listed = [g for g in book.groups.values() if not g.deleted]
            return {"groups": [_group(book, g) for g in listed]}

    def create_group(self, query: Query, body: Json) -> Json:
        book = self._book(query)
        with book.lock:
            return _group(book, make_group(book, body["name"], []))

    def rename_group(self, query: Query, body: Json) -> Json:
        book = self._book(query)
        with book.lock:
            group = find_group(book, query["id"])
            name = checked_name(book, body["name"], group.id)
            return _group(book, change_group(book, group, {"name": name}))

    def delete_group(self, query: Query, _body: Json) -> None:
        book = self._book(query)
        with book.lock:
            with_contacts = query.get("contacts") == "true"
            group = find_group(book, query["id"])
            remove_group(book, group, with_contacts=with_contacts)

    # ------------------------------------------------------------ helpers

    def _book(self, query: Query) -> Book:
        account = self._sandbox.accounts.get(query["email"])
        if account is None:
            raise not_found()
        return self._sandbox.people.book(account.email)

    def _checked(self, body: Json) -> Json:
        wrong: list[tuple[str, str]] = []
        api = self._sandbox.routes.apis["people/v1"]
        cleaned: Json = api.schemas.checker("Person")(body, "person", wrong)
        if wrong:
            raise bad_request(wrong)
        return cleaned

    def _draft(self, book: Book, body: Json) -> Draft:
        labels = body.pop("labels", [])
        photo = body.pop("photo", None)
        checked = self._checked(body)
        groups = group_names(checked) or ["myContacts"]
        groups += [label_group(book, name).id for name in labels]
        return Draft(stored_fields(checked), tuple(dict.fromkeys(groups)), photo)


def label_group(book: Book, name: str) -> Group:
    """The label of that name, made if it is new."""
    return group_named(book, name) or make_group(book, name, [])


def _find(book: Book, key: str) -> Contact:
    contact = book.find(f"people/{key}")
    if contact is None:
        raise not_found()
    return contact


def _shown(contact: Contact) -> Json:
    return person(contact, EVERYTHING)


def _group(book: Book, group: Group) -> Json:
    members = [c.name for c in book.members(group.id)]
    return {"id": group.id, "name": group.name, "members": members}


def _maybe_settle(book: Book, query: Query) -> None:
    if query.get("settled") == "true":
        book.settle()


def _label(book: Book, contact: Contact, body: Json) -> Contact:
    return _into(book, contact, label_group(book, body["name"]).id)


def _unlabel(book: Book, contact: Contact, body: Json) -> Contact:
    group = group_named(book, body["name"])
    if group is None:
        raise not_found()
    return _out_of(book, contact, group.id)


def _into(book: Book, contact: Contact, group: str) -> Contact:
    if group in contact.groups:
        return contact
    return book.change([(contact, {"groups": (*contact.groups, group)})])[0]


def _out_of(book: Book, contact: Contact, group: str) -> Contact:
    if group not in contact.groups:
        return contact
    rest = tuple(g for g in contact.groups if g != group)
    return book.change([(contact, {"groups": rest or ("myContacts",)})])[0]


def _photo(book: Book, contact: Contact, body: Json) -> Contact:
    url = body.get("url", f"https://photos.sandbox.example/hand/{contact.id}=s100")
    return book.change([(contact, {"photo": url})])[0]


def _merge(book: Book, loser: Contact, body: Json) -> Contact:
    """Two contacts become one: the loser is deleted, the winner changed (4.3)."""
    winner = _find(book, body["into"].removeprefix("people/"))
    if winner.id == loser.id:
        raise invalid("A contact can not be merged with itself.")
    fields = dict(winner.fields)
    for name, items in loser.fields.items():
        own = fields.get(name, [])
        if name in SINGLETONS:
            fields[name] = own or items
        else:
            bare = [{k: v for k, v in i.items() if k != "sourcePrimary"} for i in items]
            fields[name] = [*own, *(item for item in bare if item not in own)]
    groups = tuple(dict.fromkeys([*winner.groups, *loser.groups]))
    new = {"fields": fields, "groups": groups, "photo": winner.photo or loser.photo}
    book.delete([loser])
    return book.change([(winner, new)])[0]
