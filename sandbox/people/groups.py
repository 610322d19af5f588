"""The contactGroups methods (contract 4.7)."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from sandbox.clock import rfc3339
from sandbox.errors import ApiError, invalid, not_found
from sandbox.messages import Json
from sandbox.people.context import Context
from sandbox.people.errors import duplicate_group, parameters_differ
from sandbox.people.feed import check_token
from sandbox.people.masks import GROUP_FIELDS, paths
from sandbox.people.model import OPEN_GROUPS, SYSTEM_GROUPS, Contact, Group
from sandbox.people.state import Book
from sandbox.tokens import fingerprint, pack, unpack

_DEFAULT = "metadata,groupType,memberCount,name"
_DEFAULT_WRITE = "metadata,groupType,name"


def list_groups(ctx: Context) -> Json:
    """Pages of groups; a sync token comes without asking (4.7)."""
    params, book = ctx.params, ctx.book
    size = _page_size(params)
    fields = paths(params.get("groupFields") or _DEFAULT, "groupFields", GROUP_FIELDS)
    since, full_at = 0, ctx.now
    token = params.get("syncToken")
    if token:
        state = check_token(book, token, "g")
        since, full_at = state["q"], state["t"]
    groups = sorted(
        (g for g in book.groups.values() if g.seq > since and (token or not g.deleted)),
        key=lambda g: g.seq,
    )
    stamp = fingerprint("groups", params.get("groupFields"), size, token)
    start = _start(params.get("pageToken"), stamp)
    page = groups[start : start + size]
    answer: Json = {"totalItems": len(groups)}
    if page:
        counts = _counts(book) if "memberCount" in fields else {}
        answer["contactGroups"] = [_shown(g, fields, counts) for g in page]
    if start + size < len(groups):
        answer["nextPageToken"] = pack({"k": "gp", "o": start + size, "f": stamp})
    else:
        state = {"k": "g", "b": book.epoch, "q": book.seq, "t": full_at, "i": ctx.now}
        answer["nextSyncToken"] = pack(state)
    return answer


def get_group(ctx: Context) -> Json:
    fields = paths(
        ctx.params.get("groupFields") or _DEFAULT, "groupFields", GROUP_FIELDS
    )
    group = find_group(ctx.book, ctx.params["resourceName"])
    return _with_members(ctx, group, fields)


def batch_get(ctx: Context) -> Json:
    names = ctx.params.get("resourceNames", [])
    if not names:
        raise invalid("Request must set at least one resource_names.")
    if len(names) > 200:
        raise invalid("The maximum number of resource_names is 200.")
    fields = paths(
        ctx.params.get("groupFields") or _DEFAULT, "groupFields", GROUP_FIELDS
    )
    responses = []
    for name in names:
        response: Json = {"requestedResourceName": name}
        try:
            group = find_group(ctx.book, name)
            response["contactGroup"] = _with_members(ctx, group, fields)
        except ApiError as error:
            response["status"] = error.rpc_status()
        responses.append(response)
    return {"responses": responses}


def create_group(ctx: Context) -> Json:
    """Names are unique per user: a second one is 409 (4.7)."""
    wanted = ctx.body.get("contactGroup", {})
    fields = _write_fields(ctx)
    group = make_group(ctx.book, wanted.get("name", ""), wanted.get("clientData", []))
    return _shown(group, fields, {})


def update_group(ctx: Context) -> Json:
    group = find_group(ctx.book, ctx.params["resourceName"])
    if group.system:
        raise invalid("System contact groups can not be updated.")
    wanted = ctx.body.get("contactGroup", {})
    mask = ctx.body.get("updateGroupFields") or "name"
    updated = paths(mask, "updateGroupFields", frozenset({"name", "clientData"}))
    fields = _write_fields(ctx)
    if wanted.get("etag") and wanted["etag"] != _etag(group):
        raise ApiError(
            "FAILED_PRECONDITION",
            "Request contact_group.etag is different than the current etag.",
        )
    new: dict[str, Any] = {}
    if "name" in updated:
        new["name"] = checked_name(ctx.book, wanted.get("name", ""), group.id)
    if "clientData" in updated:
        new["client_data"] = tuple(wanted.get("clientData", []))
    return _shown(change_group(ctx.book, group, new), fields, _counts(ctx.book))


def delete_group(ctx: Context) -> Json:
    group = find_group(ctx.book, ctx.params["resourceName"])
    remove_group(ctx.book, group, with_contacts=ctx.params.get("deleteContacts", False))
    return {}


def modify_members(ctx: Context) -> Json:
    """200 with the names it could not do: a partial success (4.7)."""
    group = find_group(ctx.book, ctx.params["resourceName"])
    adding = ctx.body.get("resourceNamesToAdd", [])
    removing = ctx.body.get("resourceNamesToRemove", [])
    if not adding and not removing:
        raise invalid(
            "Request must set resource_names_to_add or resource_names_to_remove."
        )
    if len(adding) + len(removing) > 1000:
        raise invalid(
            "The total number of resource_names_to_add and resource_names_to_remove "
            "must be less than or equal to 1000."
        )
    if adding and group.system and group.id not in OPEN_GROUPS:
        raise invalid(f"Contacts can not be added to {group.resource}.")
    return _modify(ctx.book, group, adding, removing)


def _modify(book: Book, group: Group, adding: list[str], removing: list[str]) -> Json:
    missing, kept = [], []
    new: dict[str, tuple[Contact, tuple[str, ...]]] = {}
    steps = [(name, True) for name in adding] + [(name, False) for name in removing]
    for name, adds in steps:
        contact = book.find(name)
        if contact is None:
            missing.append(name)
            continue
        groups = new[contact.id][1] if contact.id in new else contact.groups
        if adds and group.id not in groups:
            new[contact.id] = (contact, (*groups, group.id))
        if not adds and group.id in groups:
            rest = tuple(g for g in groups if g != group.id)
            if rest:
                new[contact.id] = (contact, rest)
            else:
                kept.append(name)
    book.change([(c, {"groups": g}) for c, g in new.values() if g != c.groups])
    answer: Json = {}
    if missing:
        answer["notFoundResourceNames"] = missing
    if kept:
        answer["canNotRemoveLastContactGroupResourceNames"] = kept
    return answer


# ---------------------------------------------------------------- also for hands


def find_group(book: Book, resource: str) -> Group:
    group = book.groups.get(resource.removeprefix("contactGroups/"))
    if group is None or group.deleted:
        raise not_found()
    return group


def group_named(book: Book, name: str) -> Group | None:
    wanted = _folded(book, name)
    for group in book.groups.values():
        if not group.deleted and _folded(book, group.name) == wanted:
            return group
    return None


def make_group(book: Book, name: str, client_data: list[Json]) -> Group:
    checked = checked_name(book, name, None)
    group = Group(
        id=secrets.token_hex(8),
        name=checked,
        seq=book.next_seq(),
        updated=book.env.clock.now(),
        client_data=tuple(client_data),
    )
    book.commit([], [group])
    return group


def change_group(book: Book, group: Group, new: dict[str, Any]) -> Group:
    now = book.env.clock.now()
    made = replace(group, seq=book.next_seq(), updated=now, **new)
    book.commit([], [made])
    return made


def remove_group(book: Book, group: Group, *, with_contacts: bool) -> None:
    """Contacts stay unless told otherwise; the last one left keeps My Contacts."""
    if group.system:
        raise invalid("System contact groups can not be deleted.")
    members = book.members(group.id)
    if with_contacts:
        book.delete(members)
    else:
        changes = []
        for contact in members:
            rest = tuple(g for g in contact.groups if g != group.id) or ("myContacts",)
            changes.append((contact, {"groups": rest}))
        book.change(changes)
    change_group(book, group, {"deleted": True})


def checked_name(book: Book, name: str, own: str | None) -> str:
    stripped = name.strip()
    if not stripped:
        raise invalid("Request must set contact_group.name.")
    wanted = _folded(book, stripped)
    system = {_folded(book, text) for pair in SYSTEM_GROUPS.items() for text in pair}
    taken = group_named(book, stripped)
    if wanted in system or (taken is not None and taken.id != own):
        raise duplicate_group()
    return stripped


def _folded(book: Book, name: str) -> str:
    return name if book.env.switches.group_names_case_sensitive else name.casefold()


def _page_size(params: Json) -> int:
    size = params.get("pageSize", 0)
    if not 0 <= size <= 1000:
        raise invalid("Page size must be between 1 and 1000, inclusive.")
    return size or 30


def _start(token: str | None, stamp: str) -> int:
    if not token:
        return 0
    state = unpack(token)
    if state is None or state.get("k") != "gp":
        raise invalid("Invalid page token.")
    if state["f"] != stamp:
        raise parameters_differ("page token")
    return int(state["o"])


def _write_fields(ctx: Context) -> frozenset[str]:
    mask = ctx.body.get("readGroupFields") or _DEFAULT_WRITE
    return paths(mask, "readGroupFields", GROUP_FIELDS)


def _counts(book: Book) -> dict[str, int]:
    counts: dict[str, int] = {}
    live = book.live()
    for contact in live:
        for group in contact.groups:
            counts[group] = counts.get(group, 0) + 1
    counts["all"] = len(live)
    return counts


def _etag(group: Group) -> str:
    return pack({"g": group.id, "q": group.seq})


def _shown(group: Group, fields: frozenset[str], counts: dict[str, int]) -> Json:
    shown: Json = {"resourceName": group.resource, "etag": _etag(group)}
    if "metadata" in fields:
        shown["metadata"] = {"updateTime": rfc3339(group.updated)}
        if group.deleted:
            shown["metadata"]["deleted"] = True
    if group.deleted:
        return shown
    if "groupType" in fields:
        kind = "SYSTEM_CONTACT_GROUP" if group.system else "USER_CONTACT_GROUP"
        shown["groupType"] = kind
    if "name" in fields:
        shown["name"] = group.name
        shown["formattedName"] = SYSTEM_GROUPS.get(group.id, group.name)
    if "memberCount" in fields and counts.get(group.id):
        shown["memberCount"] = counts[group.id]
    if "clientData" in fields and group.client_data:
        shown["clientData"] = list(group.client_data)
    return shown


def _with_members(ctx: Context, group: Group, fields: frozenset[str]) -> Json:
    """`maxMembers` defaults to none; the count is of all (4.7)."""
    shown = _shown(group, fields, _counts(ctx.book))
    most = ctx.params.get("maxMembers", 0)
    if most < 0:
        raise invalid("max_members must not be negative.")
    names = [c.name for c in ctx.book.members(group.id)[:most]] if most else []
    if names:
        shown["memberResourceNames"] = names
    return shown
