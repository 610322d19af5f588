"""One account with Google's Gmail client; answers are held to the schemas."""

from __future__ import annotations

import base64
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import httplib2
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp

from tests.sandbox.client import legacy_refusal, service
from tests.sandbox.harness import CLIENT_ID, CLIENT_SECRET, MAIL, Json, SandboxServer

FULL = "https://mail.google.com/"
AUTH = "https://www.googleapis.com/auth/gmail."
INVALID = (400, "invalidArgument")
MISSING = (404, "notFound")
SCOPE = (403, "insufficientPermissions")


class Letters:
    """One account's mail through the API, in short forms."""

    def __init__(
        self, box: SandboxServer, email: str, scopes: tuple[str, ...] = (MAIL,)
    ) -> None:
        self.box = box
        self.email = email
        token = box.token(email, scopes)
        self.credentials = Credentials(
            token["access_token"],
            refresh_token=token.get("refresh_token"),
            token_uri=f"{box.url}/token",
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        )
        self.http = httplib2.Http(timeout=20)
        authorized = AuthorizedHttp(self.credentials, http=self.http)
        self.service = service(box, authorized, "gmail", "v1")
        self.users = self.service.users()
        self.messages = self.users.messages()
        self.threads = self.users.threads()
        self.labels = self.users.labels()
        self.drafts = self.users.drafts()

    def close(self) -> None:
        self.service.close()
        self.http.close()

    # ------------------------------------------------------------ short forms

    def arrives(self, raw: bytes | str | None = None, *labels: str, **more: Any) -> str:
        """A message comes in from outside; its id."""
        data = letter() if raw is None else raw
        return str(self.box.deliver(self.email, data, labels, **more)["id"])

    def get(self, key: str, form: str = "full", **more: Any) -> Json:
        request = self.messages.get(userId="me", id=key, format=form, **more)
        return dict(request.execute())

    def raw(self, key: str) -> bytes:
        return decoded(self.get(key, "raw")["raw"])

    def page(self, **more: Any) -> Json:
        return dict(self.messages.list(userId="me", **more).execute())

    def ids(self, q: str = "", **more: Any) -> list[str]:
        given = {"q": q, **more} if q else more
        return [one["id"] for one in self.page(**given).get("messages", [])]

    def modify(self, key: str, add: list[str], remove: list[str] | None = None) -> Json:
        body = {"addLabelIds": add, "removeLabelIds": remove or []}
        request = self.messages.modify(userId="me", id=key, body=body)
        return dict(request.execute())

    def labels_of(self, key: str) -> set[str]:
        return set(self.get(key, "minimal").get("labelIds", []))

    def new_label(self, name: str, **more: Any) -> str:
        body = {"name": name, **more}
        return str(self.labels.create(userId="me", body=body).execute()["id"])

    def label_names(self) -> dict[str, str]:
        listed = self.labels.list(userId="me").execute()["labels"]
        return {one["name"]: one["id"] for one in listed}

    def cursor(self) -> str:
        return str(self.users.getProfile(userId="me").execute()["historyId"])

    def changes(self, start: str, **more: Any) -> list[Json]:
        """All records of history after a point, through all pages."""
        api = self.users.history()
        request = api.list(userId="me", startHistoryId=start, **more)
        found: list[Json] = []
        for _ in range(100):
            page = request.execute()
            found += page.get("history", [])
            if "nextPageToken" not in page:
                return found
            request = api.list_next(request, page)
        raise AssertionError("the history does not end")

    def send(self, raw: bytes, thread: str = "") -> Json:
        body = {"raw": encoded(raw), **({"threadId": thread} if thread else {})}
        return dict(self.messages.send(userId="me", body=body).execute())

    def draft(self, raw: bytes) -> Json:
        body = {"message": {"raw": encoded(raw)}}
        return dict(self.drafts.create(userId="me", body=body).execute())


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    """Code and reason with which a call is refused."""
    return legacy_refusal(call)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def letter(
    subject: str = "Offer",
    text: str = "Hello there.",
    *,
    sender: str = "Carl <carl@client.example>",
    to: str = "anna@x.example",
    **headers: str,
) -> bytes:
    """A message of plain text; names of headers are written with underscores."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, to, subject
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made.as_bytes()


def with_files(subject: str = "Files") -> bytes:
    """Text and HTML, a picture inside the HTML, and a file."""
    made = EmailMessage()
    made["From"], made["To"] = "carl@client.example", "anna@x.example"
    made["Subject"] = subject
    made.set_content("See the picture.")
    made.add_alternative("<p>See <img src='cid:logo'></p>", subtype="html")
    rich = made.get_payload()[1]  # type: ignore[index] # the second alternative
    rich.add_related(b"PNG", "image", "png", cid="<logo>")  # type: ignore[union-attr] # a message
    made.add_attachment(b"%PDF", "application", "pdf", filename="offer.pdf")
    return made.as_bytes()
