"""messages, threads, drafts, attachments and the profile: what is only read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sandbox.gmail import mime
from sandbox.gmail.context import Context
from sandbox.gmail.errors import forbidden, invalid, not_found
from sandbox.gmail.labels import check_known
from sandbox.gmail.model import Letter
from sandbox.gmail.render import (
    encoded,
    message,
    read_attachment_id,
    reference,
)
from sandbox.gmail.search import Search, is_hidden
from sandbox.messages import Json
from sandbox.tokens import fingerprint, pack, unpack

METADATA = "https://www.googleapis.com/auth/gmail.metadata"
_ADDON = "https://www.googleapis.com/auth/gmail.addons."
_FREE = ("pageToken", "fields", "prettyPrint", "alt", "key")
_ESTIMATE = 201
_USUAL, _MOST = 100, 500
Row = TypeVar("Row")


def get_profile(ctx: Context) -> Json:
    return {
        "emailAddress": ctx.box.owner,
        "messagesTotal": len(ctx.box.letters),
        "threadsTotal": len(ctx.box.threads),
        "historyId": str(ctx.box.history),
    }


# ---------------------------------------------------------------- messages


def get_message(ctx: Context) -> Json:
    letter = ctx.box.find(ctx.params["id"])
    _check_opened(ctx, letter)
    form, names = _form(ctx), ctx.params.get("metadataHeaders")
    return message(ctx.box, letter, form, names)


def list_messages(ctx: Context) -> Json:
    """Newest first; spam and trash only for those who ask (2.8)."""
    found = _wanted(ctx)
    page, token = _page(ctx, found, lambda letter: (letter.arrived, letter.id))
    answer: Json = {}
    if page:
        answer["messages"] = [reference(letter) for letter in page]
    if token:
        answer["nextPageToken"] = token
    answer["resultSizeEstimate"] = min(len(found), _ESTIMATE)
    return answer


def get_attachment(ctx: Context) -> Json:
    """The bytes of a part; its id is of one answer, and not for long (2.3)."""
    letter = ctx.box.find(ctx.params["messageId"])
    _check_opened(ctx, letter)
    state = read_attachment_id(ctx.params["id"])
    now = ctx.box.env.clock.now()
    if state is None or state["m"] != letter.id or state["t"] < now:
        raise invalid("Invalid attachment token")
    parts = mime.tree(ctx.box.raws[letter.id]).walk()
    part = next((one for one in parts if one.key == state["p"]), None)
    if part is None:
        raise not_found()
    return {"size": len(part.data), "data": encoded(part.data)}


# ---------------------------------------------------------------- threads


def get_thread(ctx: Context) -> Json:
    letters = ctx.box.find_thread(ctx.params["id"])
    _check_opened(ctx, letters[0])
    form, names = _form(ctx), ctx.params.get("metadataHeaders")
    if form == "raw":
        raise invalid("Invalid format: raw is not available for threads.")
    shown = [message(ctx.box, letter, form, names) for letter in letters]
    newest = max(letter.history for letter in letters)
    key = letters[0].thread
    return {"id": key, "historyId": str(newest), "messages": shown}


def list_threads(ctx: Context) -> Json:
    """Threads with any message that fits, the newest first."""
    newest: dict[str, Letter] = {}
    for letter in _wanted(ctx):
        newest.setdefault(letter.thread, letter)
    found = list(newest.values())
    page, token = _page(ctx, found, lambda letter: (letter.arrived, letter.id))
    answer: Json = {}
    if page:
        answer["threads"] = [_thread_row(ctx, letter) for letter in page]
    if token:
        answer["nextPageToken"] = token
    answer["resultSizeEstimate"] = min(len(found), _ESTIMATE)
    return answer


def _thread_row(ctx: Context, letter: Letter) -> Json:
    letters = ctx.box.find_thread(letter.thread)
    return {
        "id": letter.thread,
        "snippet": letters[-1].snippet,
        "historyId": str(max(one.history for one in letters)),
    }


# ---------------------------------------------------------------- drafts


def get_draft(ctx: Context) -> Json:
    draft = ctx.box.drafts.get(ctx.params["id"])
    if draft is None:
        raise not_found()
    letter = ctx.box.letters[draft.letter]
    return {"id": draft.id, "message": message(ctx.box, letter, _form(ctx))}


def list_drafts(ctx: Context) -> Json:
    by_letter = {draft.letter: draft for draft in ctx.box.drafts.values()}
    found = [letter for letter in _wanted(ctx) if letter.id in by_letter]
    page, token = _page(ctx, found, lambda letter: (letter.arrived, letter.id))
    answer: Json = {}
    if page:
        answer["drafts"] = [
            {"id": by_letter[letter.id].id, "message": reference(letter)}
            for letter in page
        ]
    if token:
        answer["nextPageToken"] = token
    answer["resultSizeEstimate"] = min(len(found), _ESTIMATE)
    return answer


# ---------------------------------------------------------------- helpers


def _form(ctx: Context) -> str:
    form = str(ctx.params.get("format", "full"))
    if METADATA in ctx.scopes and form in ("full", "raw"):
        raise forbidden(f"Metadata scope doesn't allow format {form.upper()}")
    if form in ("full", "raw") and _by_addon(ctx) == {"metadata"}:
        raise forbidden(f"Metadata scope doesn't allow format {form.upper()}")
    return form


def _by_addon(ctx: Context) -> set[str]:
    """What add-on scopes alone give: action, readonly, metadata; else nothing."""
    mail = [scope for scope in ctx.scopes if "gmail" in scope or "mail." in scope]
    if not mail or not all(scope.startswith(_ADDON) for scope in mail):
        return set()
    return {scope.rpartition(".")[2] for scope in mail if ".current.message." in scope}


def _check_opened(ctx: Context, letter: Letter) -> None:
    """Add-on scopes read only the message that is open, with its own token (4.8)."""
    if not _by_addon(ctx):
        return
    token = ctx.request.headers.get("x-goog-gmail-access-token", "")
    if ctx.office.opened.get(token) != (ctx.box.owner, letter.id):
        raise forbidden("Missing access token for authorization.")


def _wanted(ctx: Context) -> list[Letter]:
    """What labelIds (all of them) and q leave, newest first.

    Raises:
        ApiError: 400, an unknown label; 403, q with gmail.metadata.
    """
    query = ctx.params.get("q", "")
    if query and METADATA in ctx.scopes:
        raise forbidden("Metadata scope does not support 'q' parameter")
    keys = check_known(ctx.box, ctx.params.get("labelIds", []), writes=False)
    search = Search(ctx.box, query) if query else None
    shows_hidden = ctx.params.get("includeSpamTrash") or {"SPAM", "TRASH"} & set(keys)
    if search is not None and search.shows_hidden:
        shows_hidden = True
    found = []
    for letter in ctx.box.newest_first():
        if is_hidden(letter) and not shows_hidden:
            continue
        if all(key in letter.labels for key in keys):
            found.append(letter)
    return [one for one in found if search.fits(one)] if search else found


def _page(
    ctx: Context, rows: list[Row], rank: Callable[[Row], tuple[int, str]]
) -> tuple[list[Row], str]:
    """The rows of this page, and the token of the next one."""
    size = page_size(ctx)
    asked = {k: v for k, v in sorted(ctx.params.items()) if k not in _FREE}
    stamp = fingerprint(asked)
    text = ctx.params.get("pageToken")
    if text is not None:
        state = unpack(text)
        if state is None or state.get("f") != stamp:
            raise invalid("Invalid pageToken")
        before = (state["a"][0], state["a"][1])
        rows = [row for row in rows if rank(row) < before]
    page = rows[:size]
    if len(rows) <= size:
        return page, ""
    return page, pack({"a": rank(page[-1]), "f": stamp})


def page_size(ctx: Context) -> int:
    size = int(ctx.params.get("maxResults", _USUAL))
    if not 0 < size <= _MOST:
        raise invalid("Invalid value for maxResults.")
    return size
