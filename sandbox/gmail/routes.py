"""Which method of the Gmail API is which function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sandbox.gmail import (
    changes,
    history,
    labels,
    reads,
    sending,
    settings,
    watching,
)
from sandbox.gmail.context import Context
from sandbox.gmail.errors import forbidden
from sandbox.gmail.post import PostOffice
from sandbox.gmail.push import Pusher, Sign
from sandbox.gmail.quotas import Quotas
from sandbox.gmail.state import Env
from sandbox.gmail.watches import Watches
from sandbox.messages import Json, Request, Response

if TYPE_CHECKING:
    from sandbox.discovery import Method

Handler = Callable[[Context], "Json | Response"]

_PREFIX = "gmail.users."
_TABLE: dict[str, Handler] = {
    "getProfile": reads.get_profile,
    "watch": watching.watch,
    "stop": watching.stop,
    "history.list": history.list_history,
    "labels.list": labels.list_labels,
    "labels.get": labels.get_label,
    "labels.create": labels.create_label,
    "labels.update": labels.update_label,
    "labels.patch": labels.patch_label,
    "labels.delete": labels.delete_label,
    "messages.list": reads.list_messages,
    "messages.get": reads.get_message,
    "messages.attachments.get": reads.get_attachment,
    "messages.modify": changes.modify_message,
    "messages.batchModify": changes.batch_modify,
    "messages.trash": changes.trash_message,
    "messages.untrash": changes.untrash_message,
    "messages.delete": changes.delete_message,
    "messages.batchDelete": changes.batch_delete,
    "messages.send": sending.send_message,
    "threads.list": reads.list_threads,
    "threads.get": reads.get_thread,
    "threads.modify": changes.modify_thread,
    "threads.trash": changes.trash_thread,
    "threads.untrash": changes.untrash_thread,
    "threads.delete": changes.delete_thread,
    "drafts.create": sending.create_draft,
    "drafts.update": sending.update_draft,
    "drafts.get": reads.get_draft,
    "drafts.list": reads.list_drafts,
    "drafts.delete": sending.delete_draft,
    "drafts.send": sending.send_draft,
    "settings.sendAs.list": settings.list_send_as,
    "settings.sendAs.get": settings.get_send_as,
}


class Gmail:
    """The Gmail API of all accounts."""

    def __init__(self, env: Env, sign: Sign) -> None:
        pusher = Pusher(env.clock, env.switches, sign)
        self.watches = Watches(env, pusher)
        self.office = PostOffice(env, self.watches)
        self.quotas = Quotas(env.clock, env.switches)

    def handles(self, method_id: str) -> bool:
        return method_id.removeprefix(_PREFIX) in _TABLE

    def call(
        self,
        method: Method,
        request: Request,
        caller: tuple[str, str, frozenset[str]],
        given: tuple[Json, Json],
    ) -> Json | Response:
        """Run one method for one account (`caller`: account, project, scopes).

        Raises:
            ApiError: the refusal.
        """
        account, project, scopes = caller
        name = method.id.removeprefix(_PREFIX)
        user = given[0]["userId"]
        if user != "me" and user.casefold() != account:
            raise forbidden(f"Delegation denied for {account}")
        with self.quotas.running(account, request.siblings):
            self.quotas.spend(project, account, name)
            with self.office.turn():
                box = self.office.box(account)
                context = Context(self.office, box, *given, request, project, scopes)
                return _TABLE[name](context)

    def reset_quotas(self) -> None:
        self.quotas.reset()
        with self.office.turn():
            self.office.reset()
