"""The panel's mail: a person in front of Gmail, with plain forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote

from sandbox.control.panel import ROOT, Form
from sandbox.control.panel_forms import safe
from sandbox.errors import ApiError
from sandbox.messages import Json, Request, Response, html_response, redirect
from sandbox.oauth.pages import page

if TYPE_CHECKING:
    from sandbox.control.hand_mail import MailHand

_PATH = re.compile(ROOT + r"/(?P<email>[^/]+)/mail(?:/(?P<id>[^/]+))?")
_MOST = 200
_DOES = ("trash", "untrash", "read", "unread", "archive")


class MailPanel:
    def __init__(self, hand: MailHand) -> None:
        self._hand = hand

    def handle(self, request: Request) -> Response | None:
        """Return a page; None if the address is not one of these."""
        found = _PATH.fullmatch(unquote(request.path))
        if found is None or request.method not in {"GET", "POST"}:
            return None
        names = {k: v for k, v in found.groupdict().items() if v is not None}
        try:
            if request.method == "POST" and "id" in names:
                return self._change(names, request.form())
            if "id" in names:
                return self._message(names)
            return self._list(names["email"], request)
        except ApiError as error:
            return html_response(f"<p>{safe(str(error))}</p>", error.code)

    # ------------------------------------------------------------ pages

    def _list(self, email: str, request: Request) -> Response:
        wanted = parse_qs(request.query).get("q", [""])[0]
        listed = self._hand.list({"email": email, "q": wanted}, {})["messages"]
        return page(
            "panel_mail.html",
            account=email,
            root=ROOT,
            wanted=wanted,
            total=len(listed),
            rows=[_shown(row, self._own(email)) for row in listed[:_MOST]],
        )

    def _message(self, names: Form) -> Response:
        found = self._hand.get(names, {})
        own = self._own(names["email"])
        shown = _shown(found, own)
        return page(
            "panel_message.html",
            account=names["email"],
            root=ROOT,
            message=shown,
            text=found["text"],
            files=found["files"],
            others=[name for name in own if name not in shown["tags"]],
        )

    def _own(self, email: str) -> list[str]:
        """The names of the labels that people put on."""
        listed = self._hand.labels({"email": email}, {})["labels"]
        return sorted(one["name"] for one in listed if one["type"] == "user")

    # ------------------------------------------------------------ edits

    def _change(self, names: Form, form: Form) -> Response:
        what = form.get("do", "label")
        name = form.get("name", "").strip()
        if what in _DOES:
            self._hand.act({**names, "what": what}, {})
        elif name:
            step = "unlabel" if what == "unlabel" else "label"
            self._hand.act({**names, "what": step}, {"name": name})
        back = f"{ROOT}/{quote(names['email'])}/mail"
        return redirect(
            back if what in ("trash", "archive") else f"{back}/{names['id']}"
        )


def _shown(row: Json, own: list[str]) -> Json:
    moment = datetime.fromtimestamp(row["at"], UTC)
    return {
        "id": row["id"],
        "subject": row["subject"] or "(no subject)",
        "sender": row["from"],
        "to": row["to"],
        "when": f"{moment:%Y-%m-%d %H:%M} UTC",
        "tags": [name for name in row["labels"] if name in own],
        "is_unread": "UNREAD" in row["labels"],
        "is_draft": "DRAFT" in row["labels"],
        "is_in_trash": "TRASH" in row["labels"],
        "is_in_inbox": "INBOX" in row["labels"],
    }
