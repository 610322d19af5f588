"""people.get, getBatchGet, searchContacts, and the sources we keep empty."""

from __future__ import annotations

from sandbox.errors import ApiError, invalid, not_found
from sandbox.messages import Json
from sandbox.people.context import Context
from sandbox.people.errors import mask_missing
from sandbox.people.masks import READABLE, View, paths, person_fields, read_mask, view
from sandbox.people.model import Contact
from sandbox.people.render import person

_OTHER_FIELDS = frozenset({"emailAddresses", "metadata", "names", "phoneNumbers"})


def get_person(ctx: Context) -> Json:
    """400 without personFields; `people/me` is the account's own profile (4.1)."""
    shown = view(person_fields(ctx.params), ctx.params.get("sources"))
    return _one(ctx, ctx.params["resourceName"], shown)


def get_batch(ctx: Context) -> Json:
    """At most 200; each with its own status (4.1)."""
    names = ctx.params.get("resourceNames", [])
    if not names:
        raise invalid("Request must set at least one resource_names.")
    if len(names) > 200:
        raise invalid("The maximum number of resource_names is 200.")
    shown = view(person_fields(ctx.params), ctx.params.get("sources"))
    responses = []
    for name in names:
        try:
            responses.append(person_response(name, _one(ctx, name, shown)))
        except ApiError as error:
            responses.append(
                {
                    "requestedResourceName": name,
                    "httpStatusCode": error.code,
                    "status": error.rpc_status(),
                }
            )
    return {"responses": responses}


def person_response(requested: str, value: Json) -> Json:
    return {
        "httpStatusCode": 200,
        "person": value,
        "requestedResourceName": requested,
        "status": {},
    }


def search(ctx: Context) -> Json:
    """Prefix match over a cache that an empty query fills; never more than 30 (4.8)."""
    mask = ctx.params.get("readMask")
    if not mask:
        raise mask_missing("readMask")
    fields = paths(mask, "readMask", READABLE)
    size = ctx.params.get("pageSize", 0)
    if size < 0:
        raise invalid("Page size must not be negative.")
    size = min(size or 10, 30)
    query = ctx.params.get("query", "").casefold().strip()
    book = ctx.book
    if not query:
        book.searchable = [(_phrases(c), c) for c in book.live()]
        return {}
    shown = view(fields, ctx.params.get("sources") or ["READ_SOURCE_TYPE_CONTACT"])
    hits = [c for phrases, c in book.searchable or () if _hit(query, phrases)]
    shuffle = book.env.switches.shuffle_items
    results = [{"person": person(c, shown, shuffle=shuffle)} for c in hits[:size]]
    return {"results": results} if results else {}


def list_other(ctx: Context) -> Json:
    """Other contacts: nobody has any here, the checks are real (4.1)."""
    read_mask(ctx.params.get("readMask"), "readMask", known=READABLE)
    size = ctx.params.get("pageSize", 0)
    if not 0 <= size <= 1000:
        raise invalid("Page size must be between 1 and 1000, inclusive.")
    if ctx.params.get("requestSyncToken"):
        return {"nextSyncToken": f"other-{ctx.book.epoch}"}
    return {}


def search_other(ctx: Context) -> Json:
    read_mask(ctx.params.get("readMask"), "readMask", known=_OTHER_FIELDS)
    return {}


def copy_other(ctx: Context) -> Json:
    read_mask(ctx.body.get("copyMask"), "copyMask", known=_OTHER_FIELDS)
    raise not_found()


def directory(_ctx: Context) -> Json:
    """The accounts here have no directory."""
    raise invalid("Must be a G Suite domain user.")


def _one(ctx: Context, name: str, shown: View) -> Json:
    if name == "people/me":
        return my_person(ctx, shown)
    contact = ctx.book.find(name)
    if contact is None:
        raise not_found()
    return person(contact, shown, shuffle=ctx.book.env.switches.shuffle_items)


def my_person(ctx: Context, shown: View) -> Json:
    me = ctx.me
    answer: Json = {"resourceName": me["resourceName"], "etag": f"%me{shown.bits:x}"}
    if shown.profile:
        for name in shown.fields & me.keys():
            answer[name] = me[name]
    return answer


def _phrases(contact: Contact) -> list[str]:
    """Names, nicknames, e-mails, phones, organizations; nothing else (4.8)."""
    texts: list[str] = []
    for item in contact.fields.get("names", ()):
        order = ("honorificPrefix", "givenName", "middleName", "familyName")
        texts.append(" ".join(item[k] for k in order if k in item))
    for field in ("nicknames", "emailAddresses", "phoneNumbers"):
        texts += [item.get("value", "") for item in contact.fields.get(field, ())]
    for item in contact.fields.get("organizations", ()):
        texts += [item.get("name", ""), item.get("title", "")]
    phrases = []
    for text in texts:
        words = text.casefold().split()
        phrases += [" ".join(words[i:]) for i in range(len(words))]
    return phrases


def _hit(query: str, phrases: list[str]) -> bool:
    return any(phrase.startswith(query) for phrase in phrases)
