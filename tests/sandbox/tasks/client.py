"""One account with Google's Tasks client; answers are held to the schemas."""

from __future__ import annotations

from typing import Any

import httplib2
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp

from tests.sandbox.client import legacy_refusal, service
from tests.sandbox.harness import CLIENT_ID, CLIENT_SECRET, TASKS, Json, SandboxServer

MINE = "@default"


class ToDo:
    """One account's tasks through the API, in short forms."""

    def __init__(
        self, box: SandboxServer, email: str, scopes: tuple[str, ...] = (TASKS,)
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
        self.service = service(box, authorized, "tasks", "v1")
        self.api = self.service.tasks()
        self.lists = self.service.tasklists()

    def close(self) -> None:
        self.service.close()
        self.http.close()

    # ------------------------------------------------------------ short forms

    def insert(self, body: Json, tasklist: str = MINE, **more: Any) -> Json:
        made: Json = self.api.insert(tasklist=tasklist, body=body, **more).execute()
        return made

    def get(self, key: str, tasklist: str = MINE) -> Json:
        found: Json = self.api.get(tasklist=tasklist, task=key).execute()
        return found

    def patch(self, key: str, body: Json, tasklist: str = MINE) -> Json:
        made: Json = self.api.patch(tasklist=tasklist, task=key, body=body).execute()
        return made

    def update(self, key: str, body: Json, tasklist: str = MINE) -> Json:
        made: Json = self.api.update(tasklist=tasklist, task=key, body=body).execute()
        return made

    def delete(self, key: str, tasklist: str = MINE) -> Any:
        return self.api.delete(tasklist=tasklist, task=key).execute()

    def move(self, key: str, tasklist: str = MINE, **more: str) -> Json:
        made: Json = self.api.move(tasklist=tasklist, task=key, **more).execute()
        return made

    def page(self, tasklist: str = MINE, **more: Any) -> Json:
        found: Json = self.api.list(tasklist=tasklist, **more).execute()
        return found

    def all(self, tasklist: str = MINE, **more: Any) -> list[Json]:
        tasks: list[Json] = []
        request = self.api.list(tasklist=tasklist, **more)
        for _ in range(500):
            page = request.execute()
            tasks += page.get("items", [])
            if "nextPageToken" not in page:
                return tasks
            request = self.api.list_next(request, page)
        raise AssertionError("the list does not end")

    def ids(self, **more: Any) -> list[str]:
        """The ids of all tasks, as they are ordered on the screen."""
        tasks = sorted(self.all(**more), key=lambda task: str(task["position"]))
        return [task["id"] for task in tasks]

    def everything(self, **more: Any) -> dict[str, Json]:
        """All that a careful client asks for, by id."""
        flags: Json = {"showDeleted": True, "showHidden": True, "showCompleted": True}
        found = self.all(maxResults=100, **flags, **more)
        return {task["id"]: task for task in found}

    def refused(self, verb: str, *given: Any, **more: Any) -> tuple[int, str]:
        """Code and reason with which a call is refused."""
        return legacy_refusal(lambda: getattr(self, verb)(*given, **more))
