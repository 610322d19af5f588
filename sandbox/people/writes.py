"""The mutates of people: one at a time and in batches (contract 4.5, 4.6)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from random import SystemRandom
from typing import Any

from sandbox.errors import ApiError, invalid, not_found
from sandbox.messages import Json
from sandbox.people.context import Context
from sandbox.people.errors import (
    batch_failed,
    etag_missing,
    mask_missing,
    no_contact_source,
    no_memberships,
    stale_etag,
)
from sandbox.people.masks import READABLE, UPDATABLE, View, paths, person_fields, view
from sandbox.people.model import OPEN_GROUPS, Contact
from sandbox.people.normalise import group_names, stored_fields
from sandbox.people.reads import person_response
from sandbox.people.render import fits, person, source_etag
from sandbox.people.state import Book, Draft

Change = tuple[Contact, dict[str, Any]]

_random = SystemRandom()


def create_contact(ctx: Context) -> Json:
    shown = _response_view(ctx)
    made = ctx.book.create([draft(ctx.book, ctx.body)])
    return person(made[0], shown)


def update_contact(ctx: Context) -> Json:
    shown = _response_view(ctx)
    mask = update_mask(ctx.params.get("updatePersonFields"), "updatePersonFields")
    contact = _found(ctx.book, ctx.params["resourceName"])
    new = checked_update(ctx.book, contact, ctx.body, mask)
    return person(ctx.book.change([(contact, new)])[0], shown)


def delete_contact(ctx: Context) -> Json:
    ctx.book.delete([_found(ctx.book, ctx.params["resourceName"])])
    return {}


def batch_create(ctx: Context) -> Json:
    """At most 200; an empty readMask gives nothing back (4.6)."""
    wanted = ctx.body.get("contacts", [])
    _check_size(wanted, 200, "contacts")
    shown = _batch_view(ctx)
    drafts, wrong = [], {}
    for place, entry in enumerate(wanted):
        try:
            if "contactPerson" not in entry:
                raise invalid("Request must set contact_person.")
            drafts.append(draft(ctx.book, entry["contactPerson"]))
        except ApiError as error:
            wrong[str(place)] = error
    if wrong and ctx.book.env.switches.batch_atomic:
        raise batch_failed("Create", wrong)
    made = ctx.book.create(drafts)
    if wrong:
        raise batch_failed("Create", wrong)
    if shown is None:
        return {}
    responses = [person_response(c.name, person(c, shown)) for c in made]
    if ctx.book.env.switches.shuffle_created:
        _random.shuffle(responses)
    return {"createdPeople": responses}


def batch_update(ctx: Context) -> Json:
    """One mask for all; a masked field that a person lacks is cleared (0.3)."""
    wanted: dict[str, Json] = ctx.body.get("contacts", {})
    _check_size(wanted, 200, "contacts")
    mask = update_mask(ctx.body.get("updateMask"), "updateMask")
    shown = _batch_view(ctx)
    changes: dict[str, Change] = {}
    wrong = {}
    for name, value in wanted.items():
        try:
            contact = _found(ctx.book, name)
            changes[name] = (contact, checked_update(ctx.book, contact, value, mask))
        except ApiError as error:
            wrong[name] = error
    if len({contact.id for contact, _ in changes.values()}) < len(changes):
        raise invalid("Request must not contain the same contact twice.")
    if wrong and ctx.book.env.switches.batch_atomic:
        raise batch_failed("Update", wrong)
    made = ctx.book.change(changes.values())
    if wrong:
        raise batch_failed("Update", wrong)
    if shown is None:
        return {}
    pairs = zip(changes, made, strict=True)
    return {"updateResult": {n: person_response(n, person(c, shown)) for n, c in pairs}}


def batch_delete(ctx: Context) -> Json:
    """At most 500; what a missing name does is a switch (4.6)."""
    names = ctx.body.get("resourceNames", [])
    _check_size(names, 500, "resource_names")
    found: dict[str, Contact] = {}
    for name in names:
        contact = ctx.book.find(name)
        if contact is not None:
            found[contact.id] = contact
        elif ctx.book.env.switches.batch_delete_unknown == "fail":
            raise not_found()
    ctx.book.delete(found.values())
    return {}


def update_photo(ctx: Context) -> Json:
    """JPEG or PNG; the person comes back only if personFields says so."""
    contact = _found(ctx.book, ctx.params["resourceName"])
    data = ctx.body.get("photoBytes", "")
    try:
        raw = base64.b64decode(data.replace("-", "+").replace("_", "/") + "==")
    except binascii.Error:
        raise invalid("Request must set photo_bytes.")
    if not raw.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        raise invalid("Photo must be a valid JPEG or PNG.")
    stamp = hashlib.sha256(raw).hexdigest()[:16]
    url = f"https://photos.sandbox.example/cm/{stamp}=s100"
    mask = ctx.body.get("personFields")
    return _photo_answer(ctx, contact, url, (mask, ctx.body.get("sources")))


def delete_photo(ctx: Context) -> Json:
    contact = _found(ctx.book, ctx.params["resourceName"])
    asked = (ctx.params.get("personFields"), ctx.params.get("sources"))
    return _photo_answer(ctx, contact, None, asked)


def _photo_answer(
    ctx: Context,
    contact: Contact,
    photo: str | None,
    asked: tuple[str | None, list[str] | None],
) -> Json:
    mask, sources = asked
    shown = view(paths(mask, "personFields", READABLE), sources) if mask else None
    made = ctx.book.change([(contact, {"photo": photo})])[0]
    return {"person": person(made, shown)} if shown else {}


# ---------------------------------------------------------------- checks


def draft(book: Book, body: Json) -> Draft:
    """A contact to create: without groups it lands in My Contacts (4.5 [M])."""
    groups = group_names(body) or ["myContacts"]
    _check_groups(book, groups, ())
    return Draft(stored_fields(body), tuple(groups))


def update_mask(given: str | None, name: str) -> frozenset[str]:
    if not given:
        raise mask_missing(name, "updateContact")
    return paths(given, name, UPDATABLE)


def checked_update(
    book: Book, contact: Contact, body: Json, mask: frozenset[str]
) -> dict[str, Any]:
    """The new attributes of a contact: masked fields are replaced wholesale (4.5).

    Raises:
        ApiError: 400; no CONTACT source, an etag missing or stale, no memberships.
    """
    _check_etag(book, contact, body)
    fields = {k: v for k, v in contact.fields.items() if k not in mask}
    fields |= {k: v for k, v in stored_fields(body).items() if k in mask}
    new: dict[str, Any] = {"fields": fields}
    if "memberships" in mask:
        groups = group_names(body)
        if not groups:
            raise no_memberships()
        _check_groups(book, groups, contact.groups)
        new["groups"] = tuple(groups)
    return new


def _check_etag(book: Book, contact: Contact, body: Json) -> None:
    """The top-level etag counts; the source's own is a switch (0.4)."""
    switches = book.env.switches
    sources = [
        s
        for s in body.get("metadata", {}).get("sources", ())
        if s.get("type") == "CONTACT"
    ]
    if not sources and switches.require_contact_source:
        raise no_contact_source()
    etag = body.get("etag")
    if etag:
        if not fits(etag, contact):
            raise stale_etag()
        return
    given = [s["etag"] for s in sources if s.get("etag")]
    if not given:
        raise etag_missing()
    if not switches.accept_source_etag or source_etag(contact) not in given:
        raise stale_etag()


def _check_groups(book: Book, groups: list[str], had: tuple[str, ...]) -> None:
    for key in groups:
        group = book.groups.get(key)
        if group is None or group.deleted:
            raise invalid(f"Contact group contactGroups/{key} does not exist.")
        if group.system and key not in OPEN_GROUPS and key not in had:
            raise invalid(f"Contacts can not be added to {group.resource}.")


def _found(book: Book, name: str) -> Contact:
    if name == "people/me":
        raise invalid("people/me can not be changed.")
    contact = book.find(name)
    if contact is None:
        raise not_found()
    return contact


def _check_size(wanted: Any, most: int, name: str) -> None:
    if not wanted:
        raise invalid(f"Request must set at least one of {name}.")
    if len(wanted) > most:
        raise invalid(f"The maximum number of {name} is {most}.")


def _response_view(ctx: Context) -> View:
    """The response of a single write defaults to all fields (4.5)."""
    return view(person_fields(ctx.params, default=READABLE), ctx.params.get("sources"))


def _batch_view(ctx: Context) -> View | None:
    """ReadMask must be there; empty skips the post-mutate read (4.6)."""
    mask = ctx.body.get("readMask")
    if mask is None:
        raise mask_missing("readMask")
    fields = paths(mask, "readMask", READABLE)
    return view(fields, ctx.body.get("sources")) if mask else None
