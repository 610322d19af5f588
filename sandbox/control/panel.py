"""The panel: Google's contacts as a person sees them, for trying things by hand.

Plain forms, no script. It edits through `Hand`, as a person in Google's own pages, and
its edits reach the feeds as late as anybody's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote

from sandbox.errors import ApiError
from sandbox.messages import Json, Request, Response, html_response, redirect
from sandbox.oauth.pages import page

if TYPE_CHECKING:
    from sandbox.app import Sandbox
    from sandbox.control.hand import Hand

ROOT = "/_sandbox/panel"
_BOOK = re.compile(ROOT + r"/(?P<email>[^/]+)")
_ONE = re.compile(ROOT + r"/(?P<email>[^/]+)/(?P<id>[^/]+)")
_PHONE = re.compile(r"(?:(?P<type>[A-Za-z ]{1,20}):)?\s*(?P<value>\S.*)")
_MOST = 300

Form = dict[str, str]


class Panel:
    def __init__(self, sandbox: Sandbox, hand: Hand) -> None:
        self._sandbox = sandbox
        self._hand = hand

    def handle(self, request: Request) -> Response | None:
        """Return a page; None if the address is not the panel's."""
        path = unquote(request.path)
        if path == ROOT and request.method == "GET":
            return page("panel.html", accounts=self._sandbox.accounts.all(), root=ROOT)
        found = _BOOK.fullmatch(path) or _ONE.fullmatch(path)
        if found is None or request.method not in {"GET", "POST"}:
            return None
        names = found.groupdict()
        try:
            if request.method == "POST":
                return self._change(names, request.form())
            return self._show(names, request)
        except ApiError as error:
            return html_response(f"<p>{error.message}</p>", error.code)

    # ------------------------------------------------------------ pages

    def _show(self, names: Form, request: Request) -> Response:
        label = self._label(names["email"])
        if names.get("id") == "new":
            return self._person(names, label, {})
        if names.get("id"):
            return self._person(names, label, self._hand.get(names, {}))
        wanted = parse_qs(request.query).get("q", [""])[0]
        return self._people(names["email"], label, wanted)

    def _people(self, email: str, label: str, wanted: str) -> Response:
        everybody = self._hand.list({"email": email}, {})["people"]
        members = self._members(email, label)
        rows = [_row(found, members) for found in everybody]
        folded = wanted.casefold()
        rows = [r for r in rows if folded in f"{r['name']} {r['email']}".casefold()]
        rows.sort(key=lambda row: str(row["name"]).casefold())
        return page(
            "panel_people.html",
            account=email,
            root=ROOT,
            label=label,
            wanted=wanted,
            total=len(rows),
            rows=rows[:_MOST],
        )

    def _person(self, names: Form, label: str, found: Json) -> Response:
        members = self._members(names["email"], label)
        return page(
            "panel_person.html",
            account=names["email"],
            root=ROOT,
            label=label,
            key=names["id"],
            is_labelled=found.get("resourceName") in members or not found,
            values=_values(found),
        )

    def _label(self, email: str) -> str:
        """The label a person would look for: the first of the account's own."""
        groups = self._hand.groups({"email": email}, {})["groups"]
        own = [g["name"] for g in groups if g["id"] not in _SYSTEM]
        return own[0] if own else ""

    def _members(self, email: str, label: str) -> set[str]:
        groups = self._hand.groups({"email": email}, {})["groups"]
        return {m for g in groups if g["name"] == label for m in g["members"]}

    # ------------------------------------------------------------ edits

    def _change(self, names: Form, form: Form) -> Response:
        back = f"{ROOT}/{quote(names['email'])}"
        if form.get("do") == "delete":
            self._hand.delete(names, {})
            return redirect(back)
        if names.get("id") == "new":
            made = self._hand.create(names, _fields({}, form))["people"][0]
            names["id"] = made["resourceName"].removeprefix("people/")
        else:
            before = self._hand.get(names, {})
            wanted = _fields(before, form)
            if wanted:
                self._hand.edit(names, wanted)
        self._set_label(names, form)
        return redirect(back)

    def _set_label(self, names: Form, form: Form) -> None:
        label = form.get("label", "").strip()
        if not label:
            return
        person = f"people/{names['id']}"
        is_in = person in self._members(names["email"], label)
        wants = form.get("is_labelled") == "on"
        if wants != is_in:
            what = "label" if wants else "unlabel"
            self._hand.act({**names, "what": what}, {"name": label})


_SYSTEM = frozenset(
    {
        "myContacts",
        "starred",
        "friends",
        "family",
        "coworkers",
        "blocked",
        "chatBuddies",
        "all",
    }
)


def _first(found: Json, field: str) -> Json:
    items: list[Json] = found.get(field) or [{}]
    return items[0]


def _row(found: Json, members: set[str]) -> Json:
    name, job = _first(found, "names"), _first(found, "organizations")
    email = str(_first(found, "emailAddresses").get("value", ""))
    return {
        "id": found["resourceName"].removeprefix("people/"),
        "name": name.get("displayName") or email or "(no name)",
        "email": email,
        "job": ", ".join(v for k in ("title", "name") if (v := job.get(k))),
        "is_labelled": found["resourceName"] in members,
    }


def _values(found: Json) -> Form:
    name, job = _first(found, "names"), _first(found, "organizations")
    phones = [
        f"{item['type']}: {item['value']}" if item.get("type") else item["value"]
        for item in found.get("phoneNumbers", [])
    ]
    return {
        "given": name.get("givenName", ""),
        "family": name.get("familyName", ""),
        "title": job.get("title", ""),
        "company": job.get("name", ""),
        "emails": "\n".join(i["value"] for i in found.get("emailAddresses", [])),
        "phones": "\n".join(phones),
        "notes": _first(found, "biographies").get("value", ""),
    }


def _fields(before: Json, form: Form) -> Json:
    """Return the fields that the form changes; what it does not show is kept."""
    was, wanted = _values(before), {k: v.strip() for k, v in form.items()}
    fields: Json = {}

    def differs(*names: str) -> bool:
        return any(wanted.get(n, "") != was[n].strip() for n in names)

    if differs("given", "family"):
        name = {k: v for k, v in _bare(_first(before, "names")).items() if k in _NAME}
        name |= {"givenName": wanted["given"], "familyName": wanted["family"]}
        fields["names"] = [name]
    if differs("title", "company"):
        job = _bare(_first(before, "organizations"))
        job |= {"title": wanted["title"], "name": wanted["company"]}
        more = [_bare(item) for item in before.get("organizations", [])[1:]]
        fields["organizations"] = [job, *more]
    if differs("notes"):
        fields["biographies"] = [{"value": wanted["notes"]}] if wanted["notes"] else []
    for field, box in (("emailAddresses", "emails"), ("phoneNumbers", "phones")):
        lines = wanted.get(box, "").replace("\r", "").split("\n")
        if lines != was[box].split("\n"):
            fields[field] = _entries(before.get(field, []), lines)
    return fields


_NAME = frozenset({"honorificPrefix", "middleName", "honorificSuffix"})


def _entries(before: list[Json], lines: list[str]) -> list[Json]:
    """Return one entry per line; a value that was there keeps what else it had."""
    known = {item["value"]: _bare(item) for item in before}
    entries: list[Json] = []
    for line in filter(None, map(str.strip, lines)):
        match = _PHONE.fullmatch(line)
        kind, value = (match["type"], match["value"]) if match else (None, line)
        entry: dict[str, Any] = {**known.get(value, {}), "value": value}
        if kind:
            entry["type"] = kind.strip()
        entries.append(entry)
    return entries


def _bare(item: Json) -> Json:
    derived = {"metadata", "formattedType", "displayName", "canonicalForm"}
    return {k: v for k, v in item.items() if k not in derived}
